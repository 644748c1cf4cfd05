"""Built sites: the assets that pages name, the files of the whole site, and what is built again."""

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from bs4 import BeautifulSoup
from PIL import Image

import coursebook
from coursebook.assets import bundles, site_files


def _assets(book) -> dict[str, str]:
    """The addresses of style sheet and script that each page names."""
    root = book.root / "_build/html"
    return {
        path.relative_to(root).as_posix(): re.findall(r'"[./]*(_static/book\.\w+\?v=\w+)"', path.read_text("utf-8"))
        for path in root.rglob("*.html")
        if path != root / "index.html"
    }


def _css(book) -> str:
    return (book.root / "_build/html/_static/book.css").read_text(encoding="utf-8")


@pytest.mark.slow
def test_a_site_from_build_to_build(book):
    # By hand: the themes lengthen Sphinx's list of template folders at each build of a process.
    site = book.root / "_build/html"
    book.page("one", """\
        ---
        description: The first page of a tiny book.
        ---
        # One

        Text.

        ## Here
        """)
    book.page("two", "---\ndescription: The second page of a tiny book.\n---\n# Two\n\nText.\n")

    def built() -> tuple[dict[str, list[str]], str, list[str], dict[str, int]]:
        assert book.build_by_hand().status == 0
        files = [path for path in site.rglob("*") if path.is_file()]
        stamps = {path.relative_to(site).as_posix(): path.stat().st_mtime_ns for path in files}
        kept = sorted(path.name for path in book.root.glob("_build/.doctrees/assets/*.css"))
        return _assets(book), _css(book), kept, stamps

    named, css, kept, stamps = built()
    assert set(named) == {"404.html", "search.html", "book/index.html", "book/one.html", "book/two.html"}
    assert len({tuple(names) for names in named.values()}) == 1, "all pages name the same"
    assert len(css) < 110_000 and ".sd-card" not in css and "/*!" in css
    assert "fa-bars" in css and ".dropdown-menu" in css and re.search(r'\[data-theme="?dark"?\]', css)
    unwanted = r"\.map|fontawesome|bootstrap|locales|pydata|\.[mp]o$|\.ttf|basic\.css|pygments\.css|mystnb"
    assert [name for name in stamps if re.search(unwanted, name)] == []

    again = built()
    assert again[:3] == (named, css, kept), "nothing changed"
    assert set(again[3]) == set(stamps)
    assert {name for name in stamps if name.endswith(".html") and again[3][name] != stamps[name]} == set()

    book.replace("book/one.md", "Text.", "Other text, and `code`.")
    again = built()
    assert "Other text" in book.html("one")
    assert again[:3] == (named, css, kept), "a sentence changed: nothing is trimmed, no address changes"
    assert again[3]["book/two.html"] == stamps["book/two.html"]

    book.replace("book/one.md", "## Here\n", "## Here\n\n:::{card} A card\nText.\n:::\n")
    again = built()
    assert ".sd-card" in again[1], "a page uses something new"
    assert len({tuple(names) for names in again[0].values()}) == 1, "every page names the new style sheet"
    assert again[0]["book/two.html"] != named["book/two.html"]


def test_scripts_come_where_they_are_needed(book):
    book.page("tabs", """\
        ---
        description: A page with tabs in a tiny book.
        ---
        # Tabs

        ::::{tab-set}
        :::{tab-item} A
        Text.
        :::
        ::::
        """)
    book.page("toggle", "---\ndescription: A page with a toggle in it.\n---\n# Toggle\n\n:::{note}\n:class: dropdown\nText.\n:::\n")
    assert book.build(strict=True).status == 0
    scripts = {name: re.findall(r'<script[^>]* src="[^"]*_static/([\w.-]+)', book.html(name)) for name in book.pages}
    assert scripts == {
        "index": ["book.js"], "tabs": ["book.js", "design-tabs.js"], "toggle": ["book.js", "togglebutton.js"]
    }
    assert "toggleHintShow" in book.html("toggle") and "toggleHintShow" not in book.html("tabs")
    for name in book.pages:
        loaded = BeautifulSoup(book.html(name), "html.parser").select("script[src]")
        assert all(script.has_attr("defer") for script in loaded), "none blocks"
    assert ".toggle-hidden" in _css(book)
    named = {name for names in scripts.values() for name in names}
    assert all((book.root / "_build/html/_static" / name).is_file() for name in named)


def test_images_of_a_page(book):
    Image.fromarray(np.kron(np.eye(20, dtype=np.uint8) * 200, np.ones((20, 20), np.uint8))).save(book.root / "book/eye.png")
    book.page("page", """\
        ---
        description: A page with images in a tiny book.
        ---
        # Page

        ![The identity matrix as squares](eye.png)

        :::{image} eye.png
        :alt: The identity matrix, smaller
        :width: 100px
        :::
        """)
    assert book.build(strict=True).status == 0
    first, second = BeautifulSoup(book.html("page"), "html.parser").article.find_all("img")
    assert (first["width"], first["height"], first.get("loading")) == ("400", "400", None)
    assert (second["width"], second["height"], second["loading"]) == ("100", "100", "lazy")
    assert {image["src"] for image in (first, second)} == {"../_images/eye.webp"}
    folder = book.root / "_build/html/_images"
    assert [path.name for path in folder.iterdir()] == ["eye.webp"]
    (folder / "of an earlier build.png").touch()
    assert book.build(strict=True).status == 0
    assert [path.name for path in folder.iterdir()] == ["eye.webp"]


def test_the_address_of_the_site(book):
    site = book.root / "_build/html"
    book.page("page", "---\ndescription: A page of a tiny book.\n---\n# Page\n\nText.\n")
    book.replace("_config.yml", "myst_heading_anchors: 3", "myst_heading_anchors: 3\n    html_baseurl: https://example.org/book/")
    assert book.build(strict=True).status == 0
    soup = BeautifulSoup(book.html("page"), "html.parser")
    address = "https://example.org/book/book/page.html"
    assert soup.find("link", rel="canonical")["href"] == address
    assert soup.find("meta", property="og:url")["content"] == address
    assert f"<loc>{address}</loc>" in (site / "sitemap.xml").read_text()
    assert not (site / "robots.txt").exists(), "it would not be read below the host's root"
    wrong = BeautifulSoup((site / "404.html").read_text(encoding="utf-8"), "html.parser")
    links = [element.get("href") or element["src"] for element in wrong.select("a[href], script[src], link[href]")]
    assert all(link.startswith(("/book/", "#", "data:")) for link in links), links
    assert wrong.find("meta", attrs={"name": "robots"})["content"] == "noindex"
    entrance = BeautifulSoup((site / "index.html").read_text(encoding="utf-8"), "html.parser")
    assert entrance.html["lang"] == "en" and entrance.title.text
    assert entrance.find("link", rel="canonical")["href"] == "https://example.org/book/book/index.html"
    assert entrance.a["href"] == "book/index.html"

    book.replace("_config.yml", "https://example.org/book/", "https://example.org/")
    assert book.build(strict=True).status == 0
    assert "Sitemap: https://example.org/sitemap.xml\n" in (site / "robots.txt").read_text()

    book.replace("_config.yml", "html_baseurl: https://example.org/", "html_baseurl: ''")
    assert book.build(strict=True).status == 0
    assert not (site / "robots.txt").exists() and not (site / "sitemap.xml").exists()
    assert not BeautifulSoup(book.html("page"), "html.parser").find("link", rel="canonical")


def test_heads_are_complete(book):
    book.page("page", '---\ndescription: A "page" of a tiny book.\n---\n# Page & more\n\nText.\n')
    assert book.build(strict=True).status == 0
    for name in ("book/index", "book/page", "404", "search"):
        soup = BeautifulSoup((book.root / f"_build/html/{name}.html").read_text(encoding="utf-8"), "html.parser")
        for tag in ('meta[name="viewport"]', 'meta[name="description"]', 'link[rel="icon"]', "title", "h1"):
            assert len(soup.select(tag)) == 1, f"{name}: {tag}"
        assert soup.find("meta", property="og:title")["content"] in soup.title.text
        assert soup.find("meta", property="og:description")["content"]
    page = BeautifulSoup(book.html("page"), "html.parser")
    assert page.title.text.startswith("Page & more — ")
    assert page.find("meta", property="og:description")["content"] == 'A "page" of a tiny book.'
    assert not page.find("meta", attrs={"name": "robots"})


def test_an_index_is_there_when_it_has_entries(book):
    index = book.root / "_build/html/genindex.html"
    book.page("page", "---\ndescription: A page of a tiny book.\n---\n# Page\n\nText.\n")
    assert book.build(strict=True).status == 0
    assert not index.exists() and "genindex" not in book.html("page")
    book.replace("book/page.md", "Text.", "```{index} perceptron\n```\n\nText.")
    assert book.build(strict=True).status == 0
    assert "perceptron" in index.read_text(encoding="utf-8") and "genindex" in book.html("page")
    book.replace("book/page.md", "```{index} perceptron\n```\n\n", "")
    assert book.build(strict=True).status == 0
    assert not index.exists()


def test_links_begin_at_the_root():
    html = '<html data-content_root="./"><a href="book/a.html?q#f">a</a><a href="#x"><a href="/y"><a href="mailto:z"><img src="./i.png">'
    assert site_files.rooted(html, "/r/") == (
        '<html data-content_root="/r/"><a href="/r/book/a.html?q#f">a</a><a href="#x"><a href="/y"><a href="mailto:z"><img src="/r/i.png">'
    )
    assert site_files.rooted(site_files.rooted(html, "/r/"), "/r/") == site_files.rooted(html, "/r/")


def test_a_lost_state_is_made_again(book):
    assert book.build(strict=True).status == 0
    (book.root / "_build/.doctrees/assets/state.json").write_text("{")
    book.replace("book/index.md", "Nothing runs here.", "Still nothing runs here.")
    assert book.build(strict=True).status == 0
    assert all((book.root / "_build/html" / name).is_file() for name in (bundles.STYLE, bundles.SCRIPT))
    assert len({tuple(names) for names in _assets(book).values()}) == 1


@pytest.mark.parametrize("name", ["templates/domainindex.html", "static/coursebook.css", "problems.py"])
def test_a_change_of_any_file_of_the_extension_writes_all_pages_again(tmp_path, monkeypatch, name):
    source = Path(coursebook.__file__).parent
    shutil.copytree(source, tmp_path / "copy")
    monkeypatch.setattr(coursebook, "__file__", str(tmp_path / "copy/__init__.py"))
    before = coursebook._version()
    compiled = tmp_path / "copy/__pycache__/problems.pyc"
    compiled.parent.mkdir(exist_ok=True)
    compiled.write_bytes(b"compiled")
    assert coursebook._version() == before
    (tmp_path / "copy" / name).parent.mkdir(exist_ok=True)
    with (tmp_path / "copy" / name).open("a") as file:
        file.write("\n")
    assert coursebook._version() != before
