"""The built site under test, and the sources that it was built from."""

import os
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

import nbformat
import pytest
import yaml
from browser import chromium, reader  # noqa: F401 (fixtures)
from bs4 import BeautifulSoup
from survey import survey  # noqa: F401 (a fixture)

ROOT = Path(__file__).resolve().parents[2]
SITE = Path(os.environ.get("COURSEBOOK_SITE", ROOT / "_build/html")).resolve()


@cache
def document(path: Path) -> BeautifulSoup:
    """A file of the site, parsed once for all tests: none may change it."""
    return BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")


@dataclass(frozen=True)
class Page:
    """One page of the table of contents; ``name`` is such as ``book/labs/mnist``."""

    name: str

    @cached_property
    def source(self) -> str:
        return (ROOT / f"{self.name}.md").read_text(encoding="utf-8")

    @cached_property
    def soup(self) -> BeautifulSoup:
        return document(SITE / f"{self.name}.html")

    @property
    def article(self):
        """The page itself, without the theme's frame."""
        return self.soup.select_one("article.bd-article")

    @cached_property
    def notebook(self):
        """The executed notebook, None for a page without code."""
        path = SITE.parent / "jupyter_execute" / f"{self.name}.ipynb"
        return nbformat.read(path, as_version=4) if path.exists() else None

    @property
    def code_cells(self) -> list:
        return [cell for cell in self.notebook.cells if cell.cell_type == "code"] if self.notebook else []


def _files(entry: object) -> list[str]:
    """Pages in the order of the table of contents."""
    if isinstance(entry, list):
        return [name for item in entry for name in _files(item)]
    if not isinstance(entry, dict):
        return []
    own = [entry[key] for key in ("root", "file") if key in entry]
    return own + [name for value in entry.values() for name in _files(value)]


PAGES = [Page(name) for name in _files(yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8")))]

# All that a reader can open: the pages, and what the build makes beside them.
ADDRESSES = sorted(
    path.relative_to(SITE).as_posix()
    for path in SITE.rglob("*.html")
    if not path.relative_to(SITE).parts[0].startswith("_")
)
# Listings of source files are many, and made alike: without --slow one stands for all.
LISTINGS = [address for address in ADDRESSES if address.startswith("source/")]


def pytest_generate_tests(metafunc):
    chosen = [mark.args[0] for mark in metafunc.definition.iter_markers("parametrize")]
    if "address" in metafunc.fixturenames and "address" not in chosen:
        metafunc.parametrize(
            "address",
            [
                pytest.param(address, marks=pytest.mark.slow if address in LISTINGS[1:] else ())
                for address in ADDRESSES
            ],
        )
    if "page" in metafunc.fixturenames and "page" not in chosen:
        metafunc.parametrize("page", PAGES, ids=lambda page: page.name)


@pytest.fixture(autouse=True)
def _site_is_built():
    if not SITE.is_dir():
        pytest.fail(f"no built site in {SITE}: run `make html` first, or set COURSEBOOK_SITE")


@pytest.fixture(scope="session")
def site() -> Path:
    return SITE


@pytest.fixture(scope="session")
def addresses() -> list[str]:
    return ADDRESSES


@pytest.fixture(scope="session")
def pages() -> list[Page]:
    return PAGES


@pytest.fixture(scope="session")
def longest(pages) -> str:
    """The address of the page with cells that has most in it, where a test needs one of everything."""
    return max((f"{page.name}.html" for page in pages if page.code_cells), key=lambda address: (SITE / address).stat().st_size)
