"""Small books are printed with Chromium, and the PDF is read again; what goes wrong is said."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import installed_chromium
import pytest
from pypdf import PdfReader

from coursebook.printing import chromium, pdf

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def executable():
    return installed_chromium.executable()


PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
CELL = f'''```{{code-cell}} python
---
tags: [hide-input]
mystnb: {{image: {{alt: A single green dot.}}, figure: {{name: fig-dot, caption: The dot.}}}}
---
from base64 import b64decode
from IPython.display import Image
Image(b64decode("{PIXEL}"), width=50)
```
'''
FIRST = """\
---
description: All of a small book.
---
# A book

Read {{doc}}`second`, {{ref}}`the end <end>` and [elsewhere](https://example.org/there?q=1#f).
See [a file](../_config.yml).
"""
SECOND = f"""\
---
file_format: mystnb
---
# The second chapter, whose title is so long that it needs two lines and a little more

{CELL}

Equation {{eq}}`eq:wide` and $\\alpha < 1$.

$$
{" + ".join(f"x_{{{i}}}" for i in range(24))} = 0
$$ (eq:wide)

## A section with $\\beta$ in it

:::{{dropdown}} Solution
Forty-two, folded.
:::

::::{{tab-set}}
:::{{tab-item}} By hand
The first tab.
:::
:::{{tab-item}} In Keras
The second tab.
:::
::::

```{{code-cell}} python
---
tags: [hide-cell]
mystnb: {{code_prompt_show: "Answer", code_prompt_hide: "Answer"}}
---
print("{"wide " * 60}the margin")
```

### Below

**Bold** and *slanted* words.
"""
THIRD = """\
# The third: “quotes”, \\<angles> & more

Text.

(end)=
## The end

Back to {eq}`eq:wide` and {numref}`fig-dot`.
"""


def outline(reader, entries=None, depth=0):
    for entry in reader.outline if entries is None else entries:
        if isinstance(entry, list):
            yield from outline(reader, entry, depth + 1)
        else:
            yield depth, entry.title, reader.get_destination_page_number(entry) + 1


def structure(reader):
    """Type, alternative text of each element."""
    waiting = [reader.trailer["/Root"]["/StructTreeRoot"]]
    while waiting:
        element = waiting.pop().get_object()
        if isinstance(element, list):
            waiting += element
        elif isinstance(element, dict):
            if "/S" in element:
                yield element["/S"], element.get("/Alt")
            waiting += [element["/K"]] if "/K" in element else []


def links(reader):
    """Page, and the address or the page that each link leads to."""
    for number, page in enumerate(reader.pages, 1):
        for note in page.get("/Annots", []):
            note = note.get_object()
            action = note.get("/A", {})
            target = note.get("/Dest") or action.get("/D")
            if target is None:
                yield number, action["/URI"]
            else:
                yield number, reader.get_destination_page_number(reader.named_destinations[target]) + 1


def test_a_book_is_printed_whole(book, executable):
    book.page("index", FIRST.format())
    book.page("second", SECOND)
    book.page("third", THIRD)
    book.replace("_toc.yml", "chapters:\n", "parts:\n- caption: A part\n  chapters:\n")
    assert book.build(strict=True).status == 0
    shutil.rmtree(book.root / "_build/pdf", ignore_errors=True)
    before = {path: path.stat().st_mtime_ns for path in book.root.glob("_build/html/**/*")}
    output = book.root / "out/book.pdf"
    pages = pdf.make(book.root, output, executable)
    assert {path: path.stat().st_mtime_ns for path in book.root.glob("_build/html/**/*")} == before
    assert list(output.parent.iterdir()) == [output], "nothing is left beside it"

    reader = PdfReader(output)
    texts = [" ".join(page.extract_text().split()) for page in reader.pages]
    assert len(reader.pages) == pages == 6, "title, contents, and three chapters, the second of two pages"

    second = "The second chapter, whose title is so long that it needs two lines and a little more"
    third = "The third: “quotes”, <angles> & more"
    assert list(outline(reader)) == [
        (0, "Contents", 2),
        (0, "A book", 3),
        (0, second, 4),
        (1, "A section with β in it", 4),
        (2, "Below", 5),
        (0, third, 6),
        (1, "The end", 6),
    ]
    assert "Deep Learning: an executable course" in texts[0]
    assert re.search(r"A part .*A section with β in it ?4 .*more ?6 The end ?6", texts[1])
    for number in range(2, 7):
        assert f"{number} / 6" in texts[number - 1]
    assert "1 / 6" not in texts[0]
    assert texts[5].count(third) == 2, "its heading, and the running title"

    for shown in ("Solution", "Forty-two, folded.", "By hand", "The first tab.", "In Keras", "The second tab.", "Answer"):
        assert shown in texts[3]
    assert texts[3].replace(" ", "").count("wide" * 60) == 2, "code and output are wrapped, not clipped"
    for hidden in ("Show the code", "Hide the code", "\\alpha", "Download", "#"):
        assert hidden not in texts[3]
    assert "(1)" in texts[3] and "(1)" in texts[5], "the equation, and a reference to it"

    assert list(links(reader))[0] == (2, 3)
    assert [(page, target) for page, target in links(reader) if page > 2] == [
        (3, 4), (3, 6), (3, "https://example.org/there?q=1#f"), (4, 4), (6, 4), (6, 4),
    ]
    root = reader.trailer["/Root"]
    assert root["/MarkInfo"]["/Marked"]
    assert root["/Lang"] == "en"
    assert root["/ViewerPreferences"]["/DisplayDocTitle"]
    assert reader.metadata.title == "Deep Learning: an executable course"
    assert "François Rousseau" in reader.metadata.author
    assert reader.metadata.subject == "All of a small book."

    kinds = list(structure(reader))
    assert [alt for kind, alt in kinds if kind == "/Figure"] == ["A single green dot."]
    formulas = [alt for kind, alt in kinds if kind == "/Formula"]
    assert r"\alpha < 1" in formulas and len(formulas) == 2, "in a heading its letters are enough"
    assert {"/H1", "/H2", "/H3", "/L", "/Link", "/Code"} <= {kind for kind, _ in kinds}
    assert {"/Strong", "/Em"} <= set(root["/StructTreeRoot"]["/RoleMap"])

    unembedded = [
        font["/BaseFont"]
        for page in reader.pages
        for font in map(lambda font: font.get_object(), page["/Resources"]["/Font"].values())
        if font["/Subtype"] == "/Type0" and "/FontFile2" not in font["/DescendantFonts"][0]["/FontDescriptor"]
    ]
    assert unembedded == []
    right_edge = 210 - 22  # mm
    drawn = []

    def see(text, cm, tm, font, size):
        drawn.append((cm[4] + tm[4] * cm[0], text))

    reader.pages[3].extract_text(visitor_text=see)
    assert max(x for x, text in drawn if text.strip()) < right_edge / 25.4 * 72, "the wide equation fits"


def site(root, pages=1, words="words"):
    """A built site made by hand: printing needs no more."""
    (root / "_build/html").mkdir(parents=True)
    (root / "_config.yml").write_text("title: T\nauthor: A\n")
    names = [f"page{i}" for i in range(pages)]
    (root / "_toc.yml").write_text(
        f"format: jb-book\nroot: {names[0]}\n" + ("chapters:\n" if pages > 1 else "")
        + "".join(f"- file: {name}\n" for name in names[1:])
    )
    for name in names:
        (root / f"_build/html/{name}.html").write_text(
            "<html lang=en><article class=bd-article><section id=s>"
            f"<h1>{name}</h1><p>{words}</p></section></article></html>"
        )
    return root


def command(root, *arguments, **variables):
    return [sys.executable, "-m", "coursebook", "pdf", "--root", str(root), *arguments], os.environ | {
        "PYTHONPATH": str(ROOT / "code")
    } | variables


def run(root, *arguments, **variables):
    line, environment = command(root, *arguments, **variables)
    return subprocess.run(line, env=environment, capture_output=True, text=True, timeout=60)


def fails(done, *words):
    assert done.returncode == 1
    for word in words:
        assert word in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr


def gone(pid):
    """Whether a process has ended, be it that nobody has asked how."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def test_a_machine_without_chromium_is_told_what_to_install(tmp_path):
    site(tmp_path)
    fails(run(tmp_path, PATH=str(tmp_path)), "looked for chromium, ", "apt install chromium", "COURSEBOOK_CHROMIUM")
    fails(run(tmp_path, COURSEBOOK_CHROMIUM="/no/such"), "'/no/such' is no program")
    fails(run(tmp_path, "--chromium", "no-such"), "'no-such' is no program")
    assert not (tmp_path / "_build/pdf").exists()


def test_a_book_that_is_not_built_is_said_to_be_so(tmp_path):
    site(tmp_path, pages=2)
    (tmp_path / "_build/html/page1.html").unlink()
    fails(run(tmp_path, "--chromium", sys.executable), "page1.html is missing", "make html")
    (tmp_path / "_build/html/page1.html").write_text("<p>nothing")
    fails(run(tmp_path, "--chromium", sys.executable), "page1.html is no page of the book")


def test_a_program_that_is_no_chromium_leaves_the_last_pdf_alone(tmp_path):
    site(tmp_path)
    last = tmp_path / "_build/pdf/deep-learning.pdf"
    last.parent.mkdir()
    last.write_text("the last one")
    fails(run(tmp_path, "--chromium", "false"), "false did not print the book")
    assert last.read_text() == "the last one"
    assert list(last.parent.iterdir()) == [last]


def test_a_chromium_that_hangs_is_ended(tmp_path):
    site(tmp_path)
    hangs = tmp_path / "hangs"
    hangs.write_text(f'#!/bin/sh\necho $$ > "{tmp_path}/pid"\nexec sleep 1000\n')
    hangs.chmod(0o755)
    for seconds in ("4", "20"):  # a busy machine may need the latter to come so far
        fails(run(tmp_path, "--chromium", str(hangs), "--seconds", seconds), f"more than {seconds} s")
        if (tmp_path / "pid").exists():
            break
    assert gone(int((tmp_path / "pid").read_text()))
    assert list((tmp_path / "_build/pdf").iterdir()) == []


def children(pid):
    """The processes below one, itself left out."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            number, _, rest = stat.read_text().partition(" (")
        except (FileNotFoundError, ProcessLookupError):
            continue
        parents[int(number)] = int(rest.rpartition(")")[2].split()[1])
    found, waiting = [], [pid]
    while waiting:
        below = [child for child, parent in parents.items() if parent == waiting[-1]]
        waiting.pop()
        waiting += below
        found += below
    return found


def named(pid):
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return ""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize(
    ("victim", "blow", "code", "words"),
    [
        ("chromium", signal.SIGKILL, 1, "did not print the book: "),
        pytest.param("chromium", signal.SIGSTOP, 1, "printing took more than 10 s", marks=pytest.mark.slow),
        ("command", signal.SIGTERM, 143, ""),
    ],
)
def test_nothing_is_left_of_a_printing_that_is_stopped(tmp_path, executable, victim, blow, code, words):
    site(tmp_path, pages=40, words="many words " * 20000)
    line, environment = command(tmp_path, "--seconds", "10" if blow == signal.SIGSTOP else "100")
    process = subprocess.Popen(line, env=environment, stderr=subprocess.PIPE, text=True)
    family = []
    try:
        deadline = time.monotonic() + 60
        while not any("--type=renderer" in named(pid) for pid in family):
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.02)
            family = children(process.pid)
        browsers = [pid for pid in family if "--user-data-dir" in named(pid) and "--type=" not in named(pid)]
        os.kill({"chromium": browsers[0], "command": process.pid}[victim], blow)
        _, said = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == code
    assert words in said and len(said.splitlines()) == bool(words)
    while time.monotonic() < deadline and not all(map(gone, family)):
        time.sleep(0.05)
    assert [named(pid) for pid in family if not gone(pid)] == []
    assert list((tmp_path / "_build/pdf").iterdir()) == []


def test_the_command_line_names_its_commands(tmp_path):
    line = [sys.executable, "-m", "coursebook"]
    environment = os.environ | {"PYTHONPATH": str(ROOT / "code")}
    helped = subprocess.run([*line, "--help"], env=environment, capture_output=True, text=True)
    assert helped.returncode == 0
    assert re.search(r"^ +pdf +print the built book", helped.stdout, re.MULTILINE)
    for arguments, word in (([], "COMMAND"), (["print"], "'print'"), (["pdf", "--seconds", "soon"], "'soon'")):
        wrong = subprocess.run([*line, *arguments], env=environment, capture_output=True, text=True)
        assert wrong.returncode == 2
        assert word in wrong.stderr and "Traceback" not in wrong.stderr
