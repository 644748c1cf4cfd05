"""What must hold on every page of the built site."""

import ast
import os
import re
from collections import Counter
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
import yaml
from bs4 import BeautifulSoup
from conftest import document

ROOT = Path(__file__).resolve().parents[2]

# What a reader sees as prose is the article without these.
NOT_PROSE = "pre, code, script, style, .math, svg, annotation"


def prose(page) -> str:
    article = BeautifulSoup(str(page.article), "html.parser")
    for element in article.select(NOT_PROSE):
        element.decompose()
    return article.get_text(" ")


def test_page_is_built(page, site):
    assert (site / f"{page.name}.html").is_file()


def test_title_and_description(page):
    headings = page.article.find_all("h1")
    assert len(headings) == 1
    heading = headings[0].find(string=True, recursive=False) or headings[0].get_text()
    assert heading.strip()
    assert page.soup.title.text.strip().startswith(heading.strip())
    descriptions = page.soup.find_all("meta", attrs={"name": "description"})
    assert len(descriptions) == 1, "front matter: description"
    assert len(descriptions[0]["content"].split()) >= 4
    assert page.soup.html["lang"] == "en"


def test_titles_and_descriptions_differ(pages):
    for texts in (
        [page.soup.title.text for page in pages],
        [page.soup.find("meta", attrs={"name": "description"})["content"] for page in pages],
    ):
        assert [text for text, count in Counter(texts).items() if count > 1] == []


def test_no_markup_is_left_in_the_text(page):
    left = re.findall(r":::.*|```.*|\{[a-z][\w:+.-]*\}\s*`.*|\{(?:glue|eq|cite|ref|numref|doc)\b.*|\$\$.*", prose(page))
    assert left == []


def test_results_in_the_text_are_values(page):
    texts = [element.get_text(" ", strip=True) for element in page.article.select(".pasted-text, .pasted-inline")]
    assert [text for text in texts if re.search(r"^$|\b(?:None|nan|inf)\b", text, re.IGNORECASE)] == []


def test_every_cell_of_the_source_ran(page):
    """A directive that isn't closed swallows the cell after it, in silence."""
    fences = re.findall(r"^(?:`{3,}|~{3,}|:{3,})\{code-cell\}", page.source, re.MULTILINE)
    if not fences:
        return
    if page.notebook is None:
        pytest.skip("the executed notebooks are not beside the site")
    assert len(page.code_cells) == len(fences)
    counts = [cell.execution_count for cell in page.code_cells if cell.source.strip()]
    assert counts == list(range(1, len(counts) + 1))

    def tags(cell):
        return {tag.replace("_", "-") for tag in cell.metadata.get("tags", [])}

    shown = [
        cell for cell in page.code_cells
        if "remove-cell" not in tags(cell) and not {"remove-input", "remove-output"} <= tags(cell)
    ]
    assert len(page.article.select("div.cell")) == len(shown)


def test_no_error_and_no_warning_shows(page):
    for cell in page.article.select("div.cell:not(.tag_raises-exception)"):
        assert cell.select(".output.traceback") == []
    assert [element.get_text() for element in page.article.select(".output.stderr")] == []
    for cell in page.code_cells:  # also where the page hides the output
        if "raises-exception" not in cell.metadata.get("tags", []):
            assert [output for output in cell.outputs if output.output_type == "error"] == []
        assert [output.text for output in cell.outputs if output.get("name") == "stderr"] == []


def test_images_have_an_alternative_text(page):
    for image in page.article.find_all("img"):
        text = (image.get("alt") or "").strip()
        assert text, f"no alternative text: {image['src']}"
        # A file's name or path says nothing to one who can't see the image.
        assert not re.fullmatch(r"\S*[/\\]\S*|\S+\.(?:png|jpe?g|gif|svg|webp)", text, re.IGNORECASE), text


def test_every_claim_shows(page):
    at_least, exactly = 0, True
    for cell in page.code_cells:
        try:
            tree = ast.parse(cell.source)
        except SyntaxError:  # a magic command: counted neither way
            exactly = False
            continue
        calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and _name(node.func) == "claim"]
        top = [node for node in tree.body if isinstance(node, ast.Expr) and node.value in calls]
        at_least += len(top)
        exactly &= len(top) == len(calls)  # in a loop or a function there may be more, or none
    shown = len(page.article.select(".claim"))
    assert shown == at_least if exactly else shown >= at_least


def _name(function: ast.expr) -> str:
    return getattr(function, "id", getattr(function, "attr", ""))


def test_pages_say_when_they_are_built_on_the_embedded_digits(pages):
    with_notice = {page.name for page in pages if page.article.select(".data-notice")}
    data = os.environ.get("DLCOURSE_DATA")
    if data == "embedded":
        assert with_notice == {page.name for page in pages}
    elif data:
        assert with_notice == set()
    else:  # the build decided; it did so once
        assert with_notice in (set(), {page.name for page in pages})


def test_the_notice_is_at_the_top(page):
    for notice in page.article.select(".data-notice"):
        above = notice.find_previous_siblings()
        assert [element.name for element in above if "about-page" not in element.get("class", [])] == ["h1"]


def test_links_resolve(site):
    documents = {path: document(path) for path in _documents(site)}
    anchors = {
        path: {element[key] for key in ("id", "name") for element in soup.find_all(attrs={key: True})}
        for path, soup in documents.items()
    }
    broken = []
    for path, soup in documents.items():
        for element in soup.select("a[href], img[src], link[href], script[src], source[src]"):
            address = element.get("href", element.get("src"))
            parts = urlsplit(address)
            if parts.scheme or parts.netloc:
                continue  # another host, or data in the address itself
            target = _target(path, unquote(parts.path), site)
            if target.is_dir():
                target /= "index.html"
            fragment = unquote(parts.fragment)
            if not target.is_file():
                broken.append(f"{path.relative_to(site)}: {address} does not exist")
            elif fragment and fragment not in anchors.get(target, {fragment}):
                broken.append(f"{path.relative_to(site)}: {address} has no such anchor")
    assert broken == []


def _target(page, address, site):
    if address.startswith("/"):  # the page for wrong addresses, whose links hold anywhere
        configured = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))["sphinx"]["config"]
        address = address.removeprefix(urlsplit(configured.get("html_baseurl", "")).path.rstrip("/"))
        return (site / address.lstrip("/")).resolve()
    return (page.parent / address).resolve() if address else page


def _documents(site):
    return [path for path in site.rglob("*.html") if "_static" not in path.relative_to(site).parts]
