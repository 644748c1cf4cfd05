"""Unknown keys in ``_config.yml`` pass in silence, so each is checked here."""

from pathlib import Path

import pytest
import yaml
from bs4 import BeautifulSoup
from jupyter_book.config import PATH_YAML_DEFAULT

ROOT = Path(__file__).resolve().parents[2]
OURS = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
KNOWN = yaml.safe_load(PATH_YAML_DEFAULT.read_text(encoding="utf-8"))
# Jupyter Book reads these too, and leaves them out of its list of defaults.
KNOWN |= {"bibtex_bibfiles": [], "bibtex_reference_style": ""}
KNOWN["latex"] |= {"latex_documents": {}}


def paths(config, start=()):
    for key, value in config.items():
        if isinstance(value, dict) and start + (key,) != ("sphinx", "config"):
            yield from paths(value, (*start, key))
        else:
            yield (*start, key)


@pytest.mark.parametrize("path", list(paths(OURS)), ids="/".join)
def test_key_is_known_to_jupyter_book(path):
    known = KNOWN
    for key in path:
        if path[:2] == ("sphinx", "local_extensions"):
            break  # names of our own
        assert key in known, f"_config.yml: {'/'.join(path)}"
        known = known[key]


def test_configuration_takes_effect(book, monkeypatch):
    from sphinx.application import Sphinx

    apps = []
    monkeypatch.setattr(Sphinx, "build", lambda app, *_: apps.append(app))
    assert book.build().status == 0
    config = apps[0].config
    ours = dict(OURS["sphinx"]["config"])
    assert set(ours.pop("extensions")) <= set(apps[0].extensions)
    assert "sphinx_thebe" not in apps[0].extensions
    for key, value in ours.items():
        assert key in config, f"{key} is a setting of no extension"
        if isinstance(value, list):
            assert set(value) <= {item if isinstance(item, str) else item[0] for item in config[key]}
        elif not isinstance(value, dict):
            assert config[key] == value
    assert config.html_theme_options["navbar_persistent"] == []
    assert config.html_theme_options["search_bar_text"], "merged, not replaced"
    assert config.nb_execution_mode == "off", "coursebook runs the pages"
    assert config.nb_execution_timeout == OURS["execute"]["timeout"]


def test_defects_of_the_stock_set_are_cured(book):
    for stray in ("README.md", "code/dlcourse/notes.md", "tests/notes.md", ".cache/README.md", "book/draft.md"):
        book.write(stray, "# Not in the book\n\n{ref}`nowhere`\n")
    book.write("lib/site-packages/x/README.md", "# Not in the book\n")
    result = book.build(strict=True)
    assert result.status == 0, result.output
    built = {path.relative_to(book.root / "_build/html").as_posix() for path in book.root.glob("_build/html/**/*.html")}
    assert {path for path in built if not path.startswith("_")} == {
        "404.html", "book/index.html", "index.html", "search.html",
    }
    soup = BeautifulSoup(book.html("index"), "html.parser")
    assert len(soup.select(".bd-header .search-button-field, .bd-header .search-field")) == 0
    assert "thebe" not in str(soup).lower()
    assert 'localStorage.getItem("mode") || "auto"' in str(soup)
    assert "executablebooks/jupyter-book" not in str(soup)
