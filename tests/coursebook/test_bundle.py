"""What the site carries for its notebooks: the bundle, the wheel, the first cell, the buttons."""

import zipfile
from textwrap import dedent

import nbformat
import pytest
from bs4 import BeautifulSoup
from test_wheel import PROJECT

from coursebook import site
from coursebook.notebooks import bundle, launch

WHEEL = "dlcourse-1.2-py3-none-any.whl"


def page(title: str, code: str) -> str:
    return f"---\nfile_format: mystnb\n---\n# {title}\n\n```{{code-cell}} python\n{code}\n```\n"


@pytest.fixture(scope="module")
def built(shared_book):
    book = shared_book
    book.write("pyproject.toml", dedent(PROJECT))
    book.write("code/dlcourse/editing.py", "")
    book.write("code/dlcourse/layers.py", "def f():\n    return 1\n")
    book.page("index", page("The start", "from dlcourse import layers") + "\n:::{implementation} dlcourse.layers.f\n:::\n")
    book.page("labs/deep/one", page("One", "from dlcourse.layers import f\nif False:\n    import keras"))
    book.page("plain", page("Plain", "1 + 1"))
    book.page("prose", "# Prose\n")
    result = book.build(strict=True)
    assert result.status == 0, result.output
    return book


def first_cell(book, name):
    return nbformat.read(book.root / f"_build/html/_sources/book/{name}.ipynb", as_version=4).cells[0]


def test_the_bundle_holds_all_that_a_notebook_needs(built):
    html = built.root / "_build/html"
    with zipfile.ZipFile(html / "notebooks.zip") as archive:
        assert archive.testzip() is None
        files = {entry.filename: archive.read(entry) for entry in archive.infolist()}
    assert sorted(files) == ["README.md", WHEEL, "index.ipynb", "labs/deep/one.ipynb", "plain.ipynb", "requirements.txt"]
    for name in ("index", "labs/deep/one", "plain"):
        assert files[f"{name}.ipynb"] == (html / f"_sources/book/{name}.ipynb").read_bytes()
    assert files[WHEEL] == (html / WHEEL).read_bytes()
    readme = files["README.md"].decode()
    assert "- [The start](index.ipynb)\n- [One](labs/deep/one.ipynb)\n- [Plain](plain.ipynb)\n" in readme
    assert WHEEL in readme
    assert f"./{WHEEL}[keras]\n" in files["requirements.txt"].decode()


def test_the_first_cell_installs_what_the_page_needs(built):
    start, deep, plain = (first_cell(built, name) for name in ("index", "labs/deep/one", "plain"))
    assert 'for name in ["dlcourse"])' in start.source
    assert f'wheel = "{WHEEL}"' in start.source
    assert '%pip install --quiet "dlcourse @ {found[0]}"' in start.source
    assert "[:1]" in start.source, "the notebook lies at the top of the bundle"
    assert start.source.endswith("%load_ext dlcourse.editing")
    assert '["dlcourse", "tensorflow"]' in deep.source
    assert '"dlcourse[keras] @ {found[0]}"' in deep.source
    assert "[:3]" in deep.source, "and this one two folders below"
    assert "TF_CPP_MIN_LOG_LEVEL" in deep.source
    assert "load_ext" not in deep.source
    assert plain.cell_type == "markdown", "a page that needs nothing has no such cell"
    assert "raise FileNotFoundError" in start.source
    assert "http" not in start.source + deep.source


def test_a_notebook_without_its_wheel_says_what_to_do(built, tmp_path, monkeypatch):
    from IPython.core.interactiveshell import InteractiveShell

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    shell = InteractiveShell()
    result = shell.run_cell(first_cell(built, "index").source)
    assert isinstance(result.error_in_exec, FileNotFoundError)
    assert f"{WHEEL} is not beside this notebook. Take both from notebooks.zip" in str(result.error_in_exec)
    InteractiveShell.clear_instance()


def test_the_wheel_is_found_beside_the_notebook_or_above(built, tmp_path, monkeypatch):
    from IPython.core.interactiveshell import InteractiveShell

    (tmp_path / "a b/labs/deep").mkdir(parents=True)
    (tmp_path / "a b" / WHEEL).touch()
    (tmp_path / WHEEL).touch()  # outside the bundle: not ours
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    shell = InteractiveShell()
    asked = []
    shell.register_magic_function(asked.append, magic_name="pip")
    for folder, name in {"a b/labs/deep": "labs/deep/one", "a b": "index"}.items():
        monkeypatch.chdir(tmp_path / folder)
        assert shell.run_cell(first_cell(built, name).source.replace("%load_ext", "#")).success
    InteractiveShell.clear_instance()
    there = (tmp_path / "a b" / WHEEL).as_uri()
    assert asked == [f'install --quiet "dlcourse[keras] @ {there}"', f'install --quiet "dlcourse @ {there}"']

    monkeypatch.undo()
    asked.clear()
    # Where it can be imported, nothing is installed.
    monkeypatch.setattr("importlib.util.find_spec", lambda name: name)
    assert shell.run_cell(first_cell(built, "labs/deep/one").source).success
    assert asked == []


def test_every_page_leads_to_the_bundle_and_none_elsewhere(built):
    for name in ("index", "labs/deep/one", "prose"):
        soup = BeautifulSoup(built.html(name), "html.parser")
        button = soup.select_one("a.btn-download-bundle-button")
        file = (built.root / f"_build/html/book/{name}").parent / button["href"]
        assert file.resolve() == built.root / "_build/html/notebooks.zip"
        assert button.get_text(strip=True) == "All notebooks (.zip)"
        assert not soup.select(".dropdown-launch-buttons")
        assert "colab" not in built.html(name).lower()
        assert "mybinder" not in built.html(name)


def test_nothing_is_packed_again_when_nothing_changed(built):
    file = built.root / "_build/html/notebooks.zip"
    before = (file.stat().st_mtime_ns, file.read_bytes())
    built.replace("book/prose.md", "# Prose\n", "# Other prose\n")
    assert built.build(strict=True).status == 0
    assert (file.stat().st_mtime_ns, file.read_bytes()) == before
    file.unlink()
    assert built.build(strict=True).status == 0
    assert file.read_bytes() == before[1], "the same book, the same bytes"


def test_with_a_repository_pages_open_in_colab_and_on_binder(built):
    built.replace("_config.yml", '  url: ""', "  url: https://github.com/some-one/the.book")
    assert built.build(strict=True).status == 0
    html = built.html("labs/deep/one")
    links = {link.get_text(strip=True): link for link in BeautifulSoup(html, "html.parser").select(".dropdown-launch-buttons a")}
    assert {name: link["href"] for name, link in links.items()} == {
        "Open in Colab": "https://colab.research.google.com/github/some-one/the.book/blob/notebooks/labs/deep/one.ipynb",
        "Open in Binder": "https://mybinder.org/v2/gh/some-one/the.book/notebooks?labpath=labs%2Fdeep%2Fone.ipynb",
    }
    group = BeautifulSoup(html, "html.parser").select_one(".dropdown-launch-buttons")
    assert group.button["aria-label"] == "Run this page"
    # Only links, nothing that loads by itself.
    for element in BeautifulSoup(html, "html.parser").find_all(src=True):
        assert not element["src"].startswith(("http", "//"))
    assert not BeautifulSoup(built.html("prose"), "html.parser").select(".dropdown-launch-buttons")
    # Colab opens a notebook alone: the wheel then comes from the branch.
    raw = f"https://raw.githubusercontent.com/some-one/the.book/notebooks/{WHEEL}"
    assert f'    found.append("{raw}")\n' in first_cell(built, "index").source

    built.replace("_config.yml", "  config:\n", "  config:\n    html_baseurl: https://book.example/deep/\n")
    assert built.build(strict=True).status == 0
    source = first_cell(built, "index").source
    assert f'    found.append("https://book.example/deep/{WHEEL}")\n' in source
    assert "raise" not in source
    with zipfile.ZipFile(built.root / "_build/html/notebooks.zip") as archive:
        assert "The book itself is at https://book.example/deep/." in archive.read("README.md").decode()


@pytest.mark.parametrize(("url", "expected"), [
    ("https://github.com/a/b", site.Repository("a", "b")),
    ("https://github.com/a/b.git/", site.Repository("a", "b")),
    ("https://gitlab.com/a/b", None),
    ("https://github.com/a", None),
    ("https://example.org/github.com/a/b", None),
    ("", None),
])  # fmt: skip
def test_a_repository_is_read_from_its_address(url, expected):
    class App:
        class config:
            html_theme_options = {"repository_url": url}

    assert site.repository(App) == expected


def test_addresses_are_quoted():
    found = launch.addresses(site.Repository("a", "b"), "labs/a & b.ipynb")
    assert found["Colab"].endswith("/blob/notebooks/labs/a%20%26%20b.ipynb")
    assert found["Binder"].endswith("?labpath=labs%2Fa%20%26%20b.ipynb")


def test_a_zip_is_the_same_for_the_same_files():
    files = {"b/two.txt": b"2", "one.txt": b"1" * 1000}
    assert bundle.pack(files) == bundle.pack(dict(reversed(files.items())))
    assert len(bundle.pack(files)) < 500
