"""Tiny books with every construct that pages use: their notebooks hold what the pages show."""

import json
import re
import struct
import zlib
from base64 import b64decode

import nbformat
import pytest
from bs4 import BeautifulSoup
from notebook_leaks import leaks, text_of

FRONT = "---\nfile_format: mystnb\n---\n"
EVERYTHING = """\
# Everything

Text with a footnote[^a] and a hard\\
break, `code`, $x_1$, {kbd}`Ctrl`, H{sub}`2`O, {abbr}`MLE (maximum likelihood)`, {download}`the file <references.bib>`,
[a link](https://example.org/a_b), {doc}`another page <other>`, {ref}`the section <lab>`, {ref}`there <there>`,
{numref}`fig-a`, {numref}`tab-a`, {numref}`code-a`, <kbd>x</kbd>, {math}`y`, {cite}`knuth1984` and {cite:t}`knuth1984`.

[^a]: The *footnote*, with `code`.

(lab)=
## A section with $z$

Term
: Definition one.

  - nested in it

Other *term*
: Another.

:::{note}
A note
- with a list
  1. nested
  2. more

     ```python
     x = 1
     ```

  $$
  n = 1
  $$ (eq:in-a-note)
:::

:::{dropdown} Title with `code` and $x$
Outer words.
::::{dropdown} Inner title
:open:
Inner words.
::::
:::

:::{figure} a.png
:name: fig-a
:alt: A red square.
A **caption** of a figure.
:::

![Alt in a line](a.png)

:::{list-table} Title of a table
:name: tab-a
:header-rows: 1
* - a | b
  - $|x|$
* - `c|d`
  - e
:::

| x | y |
|:-:|--:|
| 1 | 2 |

```{code-block} python
:name: code-a
:caption: A caption of code
print(1)
```

> A quote
>
> in two.

\\begin{align}
a &= b \\\\
c &= d
\\end{align}

$$
a = b
$$ (eq:x)

See {eq}`eq:x` and {eq}`eq:in-a-note`.

::::{tab-set}
:::{tab-item} One
First tab.
:::
:::{tab-item} Two
Second tab.
:::
::::

---

```{code-cell} python
:tags: [raises-exception]
1 / 0
```

```{code-cell} python
import os, warnings
from IPython.display import HTML, Markdown, display
display(HTML("<b>bold</b>"))
warnings.warn("careful")
print(os.getcwd())
3
```

```{code-cell} python
:tags: [remove-stderr]
import sys
print("kept"); print("dropped", file=sys.stderr)
```

::::{grid} 2
:::{grid-item-card} Title of a card
:link: other
:link-type: doc
Words of a card.
:::
:::{grid-item-card} Card without a link
Other words.
:::
::::

```{epigraph}
Wise words.

-- Someone
```

:::{topic} A topic
Its body.
:::

:::{margin} Side
A note in the margin.
:::

:::{tip}
A tip.
:::
{fas}`book` icon, {bdg-primary}`badge` and {octicon}`report`

% a comment

```{glossary}
epoch
  One pass.
```

See {term}`epoch`.

:::{seealso}
More.
:::

:::{div} book-only
Only in the book.
:::
"""


def png() -> bytes:
    """A red pixel."""
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0\xff\0\0")) + chunk(b"IEND", b"")


def cell(code: str, options: str = "") -> str:
    return f"```{{code-cell}} python\n{options}{code}\n```\n\n"


def read(book, name):
    path = book.root / f"_build/html/_sources/book/{name}.ipynb"
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    return notebook


def sources(notebook, kind="code"):
    return [cell.source for cell in notebook.cells if cell.cell_type == kind]


def markdown(notebook):
    return "\n\n".join(sources(notebook, "markdown"))


HIDDEN = (
    FRONT + "# Page\n\n" + cell("a = 1", ":tags: [remove-cell]\n") + "Prose one.\n\n" + cell("b = a")
    + cell("c = b", ":tags: [remove-cell]\n") + "Prose two.\n\n" + cell("d = 0", ":tags: [remove-input, remove-output]\n")
    + "## A section\n\n" + cell("only = 'book'", ":tags: [book-only]\n") + "Prose three.\n\n" + cell("e = c", ":tags: [hide-input]\n")
    + "**1.** Try.\n\n```{code-cell} python\n---\ntags: [hide-cell]\nmystnb:\n  code_prompt_show: Solution\n---\nf = e\nf\n```\n\nEnd.\n\n"
    + cell("g = f", ":tags: [remove-cell]\n")
)  # fmt: skip
FIGURE = """\
---
mystnb:
  image:
    alt: A red square.
  figure:
    name: fig-red
    caption: The *square*.
---
from IPython.display import Image
Image("a.png")"""
RECORD = """\
from IPython.display import display
data = {"application/papermill.record/text/plain": "'92 %'"}
glued = {"name": "my-score", "mime_prefix": "application/papermill.record/"}
display(data, raw=True, metadata={"scrapbook": glued, "dlcourse": {"record": {}}})"""
DRAWN = FRONT + "# Drawn\n\n" + cell(RECORD, ":tags: [remove-cell]\n") + "The score is {glue:text}`my-score`, see {numref}`fig-red`.\n\n" + cell(FIGURE)
SHOWN = FRONT + "# Shown\n\n" + cell("x = 1") + """\
:::{implementation}
dlcourse.layers.Layer.forward
dlcourse.layers.f
:::

Then.

:::{implementation} dlcourse.layers.Layer
:::

:::{note}
:::{implementation} dlcourse.layers.f
:::
:::
"""
LINKS = "# One\n\nSee [the start](../index.md), [prose](../prose.md), [two](../other.md), {doc}`here <one>`.\n\n$$\nq = 1\n$$ (eq:later)\n\nBy {eq}`eq:later`.\n\n"


@pytest.fixture(scope="module")
def built(shared_book):
    """One book for all that follows."""
    book = shared_book
    book.write("book/references.bib", """\
        @book{knuth1984, title={The {TeX}book}, author={Knuth, Donald E.}, year={1984}, publisher={Press}, url={https://example.org/k}}
        """)
    (book.root / "book/a.png").write_bytes(png())
    book.write("code/dlcourse/editing.py", "")
    book.write("code/dlcourse/layers.py", "class Layer:\n    def forward(self):\n        return 1\n\n\ndef f():\n    return 2\n")
    book.page("all", FRONT + EVERYTHING)
    book.page("other", FRONT + "# Another\n\n(there)=\n## There\n\n" + cell("1") + "```{bibliography}\n```\n")
    book.page("hidden", HIDDEN)
    book.page("drawn", DRAWN)
    book.page("shown", SHOWN)
    book.page("prose", "# Prose alone\n\nWords.\n")
    book.page("labs/one", FRONT + LINKS + cell("1"))
    result = book.build()
    assert result.status == 0, result.output
    return book


def test_every_construct_becomes_plain_markdown(built):
    notebook = read(built, "all")
    text = markdown(notebook)
    assert leaks(notebook, keys=["knuth1984"]) == []
    assert leaks(read(built, "other"), keys=["knuth1984"]) == []

    for expected in (
        "# Everything\n", "## A section with $z$\n", "a footnote<sup>1</sup>", "<sup>1</sup> The *footnote*, with `code`.",
        "hard<br>\nbreak", "<kbd>Ctrl</kbd>", "H<sub>2</sub>O", "MLE (maximum likelihood)", "`the file`,",
        "[a link](https://example.org/a_b)", "[another page](other.ipynb)", "the section",
        "[there](other.ipynb)", "Fig. 1, Table 1, Listing 1, <kbd>x</kbd>, $y$, (Knuth, 1984) and Knuth (1984).",
        "- **Term**\n\n  Definition one.\n\n  - nested in it", "Another.",
        "> **Note**\n>\n> A note\n>\n> - with a list", " $$ n = 1 \\tag{1} $$\n",
        "<details>\n<summary>Title with <code>code</code> and $x$</summary>\n\nOuter words.\n\n<details open>\n"
        "<summary>Inner title</summary>\n\nInner words.\n\n</details>\n\n</details>",
        "![A red square.](attachment:a.png)", "**Fig. 1.** A **caption** of a figure.", "![Alt in a line](attachment:a.png)",
        "**Table 1.** Title of a table", "| a \\| b | $\\vert x\\vert $ |\n| --- | --- |\n| `c\\|d` | e |",
        "| x | y |\n| :-: | --: |\n| 1 | 2 |", "**Listing 1.** A caption of code\n\n```python\nprint(1)\n```",
        "> A quote\n>\n> in two.", "$$\n\\begin{aligned}\na &= b \\\\\nc &= d\n\\end{aligned}\n\\tag{2}\n$$",
        "$$\na = b\n\\tag{3}\n$$", "See (3) and (1).", "**One**\n\nFirst tab.\n\n**Two**\n\nSecond tab.", "\n---",
        "> **[Title of a card](other.ipynb)**\n>\n> Words of a card.", "> **Card without a link**\n>\n> Other words.",
        "> Wise words.\n>\n> — Someone", "> **A topic**\n>\n> Its body.", "> **Side**\n>\n> A note in the margin.",
        "> **Tip**\n>\n> A tip.", "icon, badge and", "- **epoch**\n\n  One pass.", "See epoch.", "> **See also**\n>\n> More.",
        "## Works cited\n\n- Donald E. Knuth. The TeXbook. Press, 1984. URL: [https://example.org/k](https://example.org/k).",
    ):  # fmt: skip
        assert expected in text, expected
    assert "Only in the book" not in text
    assert "a comment" not in text
    attached = [cell.attachments for cell in notebook.cells if cell.get("attachments")]
    assert [b64decode(images["a.png"]["image/png"]) for images in attached] == [png()] * len(attached)


def test_the_reader_sees_the_same_words(built):
    article = BeautifulSoup(built.html("all"), "html.parser").select_one("article.bd-article")
    for element in article.select(".cell, .math, .headerlink, script, svg, .sd-hide-link-text, [class*=book-only]"):
        element.decompose()
    for abbreviation in article.select("abbr"):
        abbreviation.append(f" ({abbreviation['title']})")  # where there is no pointer to rest on it
    read_as = re.sub(r"\W", "", text_of(markdown(read(built, "all")), code=True))
    missing = [
        block.get_text() for block in article.select("p, li, dt, td, th, h1, h2")
        if not block.select("p, ul, ol, li") and re.sub(r"\W", "", block.get_text()) not in read_as
    ]  # fmt: skip
    assert missing == []


def test_outputs_come_along_without_traces_of_the_machine(built):
    notebook = read(built, "all")
    failing, mixed, quiet = [cell for cell in notebook.cells if cell.cell_type == "code" and not cell.source.startswith("#")]
    assert failing.metadata == {"tags": ["raises-exception"]}
    assert (failing.outputs[0].ename, failing.outputs[0].evalue) == ("ZeroDivisionError", "division by zero")
    html, result = (output for output in mixed.outputs if "data" in output)
    warning, printed = (next(output for output in mixed.outputs if output.get("name") == name) for name in ("stderr", "stdout"))
    assert html.data["text/html"] == "<b>bold</b>"
    assert warning.text.startswith("<cell>:4: UserWarning: careful")
    assert printed.text == "book\n", "the folder below the book's root"
    assert result.data == {"text/plain": "3"}
    assert result.execution_count == mixed.execution_count
    assert [output.text for output in quiet.outputs] == ["kept\n"]
    counts = [cell.execution_count for cell in notebook.cells if cell.cell_type == "code"]
    assert counts == list(range(1, len(counts) + 1))


def test_cells_in_their_order_hidden_folded_and_left_out(built):
    notebook = read(built, "hidden")
    seen = [cell.source.split("\n")[0] for cell in notebook.cells]
    assert [text for text in seen if not text.startswith(">")] == [
        "# Page", "a = 1", "Prose one.", "b = a", "c = b", "Prose two.", "d = 0", "## A section", "e = c",
        "**1.** Try.", "f = e", "End.", "g = f",
    ]  # fmt: skip
    folded = next(cell for cell in notebook.cells if cell.source.startswith("f = e"))
    assert folded.metadata["jupyter"] == {"source_hidden": True, "outputs_hidden": True}
    assert "**Solution:** in the next cell, which is folded" in markdown(notebook)
    assert all(not cell.metadata for cell in notebook.cells if cell is not folded)
    assert "only = 'book'" in BeautifulSoup(built.html("hidden"), "html.parser").get_text(), "the page shows what the notebook leaves out"


def test_a_figure_has_its_caption_and_its_words(built):
    notebook = read(built, "drawn")
    assert leaks(notebook) == []
    assert "The score is 92 %, see Fig. 2." in markdown(notebook)
    hidden, drawn = (cell for cell in notebook.cells if cell.cell_type == "code")
    assert hidden.outputs == []
    output = drawn.outputs[0]
    assert b64decode(output.data["image/png"]) == png()
    assert output.metadata["image/png"]["alt"] == "A red square."
    below = notebook.cells[notebook.cells.index(drawn) + 1].source
    assert below == "**Fig. 2.** The *square*.\n\n<details>\n<summary>The figure in words</summary>\n\nA red square.\n\n</details>"


def test_implementations_become_cells_once(built):
    notebook = read(built, "shown")
    magics = [source for source in sources(notebook) if source.startswith("%%")]
    assert [source.split("\n")[0] for source in magics] == [
        "%%implementation dlcourse.layers.Layer.forward", "%%implementation dlcourse.layers.f",
    ]  # fmt: skip
    assert magics[1].split("\n")[1].startswith("# ")
    assert magics[1].endswith("\ndef f():\n    return 2")
    # A second cell would undo the edits of the first.
    assert "```python\nclass Layer:" in markdown(notebook)
    assert "> ```python\n> def f():" in markdown(notebook)
    assert sources(notebook)[0].endswith("%load_ext dlcourse.editing")
    assert leaks(notebook) == []


def test_links_without_an_address_lead_to_what_is_there(built):
    text = markdown(read(built, "labs/one"))
    assert "See the start, prose, [two](../other.ipynb), here." in text
    assert "$$\nq = 1\n\\tag{4}\n$$" in text and "By (4)." in text, "numbered through the whole book"
    assert not (built.root / "_build/html/_sources/book/prose.ipynb").exists()


def test_every_executed_page_offers_its_notebook(built):
    for name in ("all", "labs/one"):
        button = BeautifulSoup(built.html(name), "html.parser").select_one("a.btn-download-notebook-button")
        file = (built.root / f"_build/html/book/{name}").parent / button["href"]
        assert file.resolve() == built.root / f"_build/html/_sources/book/{name}.ipynb"
    assert "download-notebook-button" not in built.html("index")
    assert "download-notebook-button" not in built.html("prose")


def test_only_pages_that_changed_are_written_and_always_alike(built):
    files = {name: built.root / f"_build/html/_sources/book/{name}.ipynb" for name in ("all", "other")}
    before = {name: (path.read_bytes(), path.stat().st_mtime_ns) for name, path in files.items()}
    built.replace("book/all.md", "Inner words.", "Changed words.")
    assert built.build().status == 0
    after = {name: (path.read_bytes(), path.stat().st_mtime_ns) for name, path in files.items()}
    assert after["other"] == before["other"]
    assert after["all"][0] == before["all"][0].replace(b"Inner words.", b"Changed words."), "outputs stay, nothing ran"
    assert json.loads(after["all"][0])["nbformat_minor"] == 5


def test_links_lead_to_the_site_where_it_has_an_address(built):
    built.replace("_config.yml", "  config:\n", "  config:\n    html_baseurl: https://book.example/deep\n")
    assert built.build().status == 0
    notebook = read(built, "all")
    text = markdown(notebook)
    base = "https://book.example/deep/book"
    for expected in (
        f"[This page in the book]({base}/all.html)", f"[another page]({base}/other.html)", f"[there]({base}/other.html#there)",
        f"> **[Title of a card]({base}/other.html)**", f"([Knuth, 1984]({base}/other.html#id",
        "[`the file`](https://book.example/deep/_downloads/",
    ):  # fmt: skip
        assert expected in text, expected
    assert f"[prose]({base}/prose.html)" in markdown(read(built, "labs/one"))
    addresses = re.findall(r"\]\(<?([^)>]*)", text)
    assert [address for address in addresses if not address.startswith(("https://", "attachment:"))] == []
    assert leaks(notebook, keys=["knuth1984"]) == []
