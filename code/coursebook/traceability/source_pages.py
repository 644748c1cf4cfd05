"""Pages that show the source: ``/source/dlcourse/network.html#L120`` is line 120 of that file.

The site makes them itself, so that every link to code or a test works offline and without
a repository. Where the repository's address is configured, a page links to the file there.
A page is written again only when what it shows has changed.
"""

import hashlib
import json
from collections.abc import Iterator
from html import escape
from pathlib import Path

from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

from coursebook import site
from coursebook.files import write_whole

__all__ = ["address", "files", "highlighted", "setup"]

FOLDERS = ("code/dlcourse", "tests/dlcourse")
PREFIX = "source/"


def files(app: Sphinx) -> dict[str, str]:
    """The name of the page for each file that is shown, by its path in the book's folder."""
    found = {}
    for folder in FOLDERS:
        for path in sorted(Path(app.srcdir, folder).rglob("*.py")):
            if path.stat().st_size:  # nothing is to be seen in an empty one
                file = path.relative_to(app.srcdir).as_posix()
                found[file] = PREFIX + file.removeprefix("code/").removesuffix(".py")
    return found


def address(app: Sphinx, docname: str, file: str, line: int | None = None) -> str | None:
    """Where a page finds the source of a file; None where it could not follow the link.

    Parameters
    ----------
    docname
        The page that links.
    file
        The path in the book's folder: ``code/dlcourse/network.py``.
    line
        The line, counted from 1; without it the page as a whole.
    """
    page = PREFIX + file.removeprefix("code/").removesuffix(".py")
    anchor = f"#L{line}" if line else ""
    if site.is_built(app):
        return app.builder.get_relative_uri(docname, page) + anchor
    if app.config.html_baseurl:  # on paper, say: the site has the page
        return f"{app.config.html_baseurl.rstrip('/')}/{page}.html{anchor}"
    return _in_repository(app, file, anchor)


def _in_repository(app: Sphinx, file: str, anchor: str = "") -> str | None:
    theme = app.config.html_theme_options
    repository = theme.get("repository_url", "").rstrip("/")
    folder = theme.get("path_to_docs", "").strip("/.")
    if not repository:
        return None
    branch = theme.get("repository_branch") or "main"
    return "/".join(filter(None, [repository, "blob", branch, folder, file])) + anchor


def highlighted(source: str) -> str:
    """The source in HTML, each line in an element of its own with the anchor ``L1``, ``L2``, ….

    The numbers come from the style sheet, so that they are not copied along.
    """
    shown = highlight(source, PythonLexer(stripnl=False), HtmlFormatter(nowrap=True))
    return "".join(
        f'<span class="line" id="L{number}">{line}</span>\n'
        for number, line in enumerate(shown.removesuffix("\n").split("\n"), 1)
    )


def _body(app: Sphinx, file: str, page: str, source: str) -> str:
    links = []
    module = file.removeprefix("code/").removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    if entry := app.env.get_domain("py").modules.get(module):
        uri = app.builder.get_relative_uri(page, entry.docname)
        links.append(f'<a href="{escape(uri)}">Reference of <code>{module}</code></a>')
    if uri := _in_repository(app, file):
        links.append(f'<a href="{escape(uri)}">This file in the repository</a>')
    return (
        f'<h1 class="source-title">{escape(file)}</h1>\n'
        f'<p class="source-links">{" · ".join(["As it was when this site was built.", *links])}</p>\n'
        '<div class="highlight-python notranslate source-page"><div class="highlight">'
        f'<pre tabindex="0" role="region" aria-label="Source of {escape(file)}">{highlighted(source)}</pre></div></div>\n'
    )


class _State:
    """What the pages of the last build showed, beside that build's stored doctrees."""

    def __init__(self, app: Sphinx) -> None:
        self.path = Path(app.doctreedir, "source_pages.json")
        try:
            self.before = json.loads(self.path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            self.before = {}
        frame = [
            app.env.toctree_includes,
            {name: title.astext() for name, title in app.env.titles.items()},
            sorted((name, module.docname) for name, module in app.env.get_domain("py").modules.items()),
            [path.read_text(encoding="utf-8") for path in (Path(__file__), Path(app.srcdir, "_config.yml")) if path.is_file()],
        ]
        start = json.dumps(frame, sort_keys=True).encode()
        self.pages = files(app)
        self.now = {
            page: hashlib.sha256(start + Path(app.srcdir, file).read_bytes()).hexdigest()
            for file, page in self.pages.items()
        }

    def stale(self, app: Sphinx) -> list[str]:
        """Files whose page has to be written."""
        return [
            file
            for file, page in self.pages.items()
            if self.before.get(page) != self.now[page] or not _output(app, page).is_file()
        ]

    def lost(self) -> set[str]:
        """Pages whose file is gone."""
        return set(self.before) - set(self.now)

    def write(self) -> None:
        write_whole(self.path, json.dumps(self.now))


def _output(app: Sphinx, page: str) -> Path:
    return Path(app.builder.get_outfilename(page))


def _wake(app: Sphinx, env: BuildEnvironment) -> list[str]:
    """Where only a source has changed, Sphinx would stop before it writes anything: write the root page."""
    if not site.is_built(app):
        return []
    state = _State(app)
    return [app.config.root_doc] if state.stale(app) or state.lost() else []


def _collect(app: Sphinx) -> Iterator[tuple[str, dict, str]]:
    if not site.is_built(app):
        return
    state = _State(app)
    for file in state.stale(app):
        page = state.pages[file]
        source = Path(app.srcdir, file).read_text(encoding="utf-8")
        description = f"The source of {file}, as it was when the book was built."
        yield (
            page,
            {
                "title": file,
                "body": _body(app, file, page, source),
                "metatags": f'<meta name="description" content="{escape(description)}" />\n',
            },
            "page.html",
        )
    for page in state.lost():
        _output(app, page).unlink(missing_ok=True)
    state.write()


def setup(app: Sphinx) -> None:
    app.connect("env-get-updated", _wake, priority=900)
    app.connect("html-collect-pages", _collect)
    app.add_css_file("source_pages.css")
