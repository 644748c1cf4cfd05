"""The colours of a page that is read without scripts.

The theme's colours stand in rules for ``html[data-theme="light"]`` and ``…"dark"``, and a
script chooses: without it a page has neither. So the build writes a style sheet that only
such a page loads (``layout.html`` says so), with the light rules for everyone, and the dark
ones for a screen whose reader prefers dark.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from sphinx.application import Sphinx

from coursebook.files import write_changed

__all__ = ["setup", "style"]

NAME = "without-scripts.css"

# On a narrow screen a script opens menu and contents as dialogs. Here they stand below the page.
FRAME = """\
.pst-js-only { display: none !important; }
@media screen and (min-width: 992px) { .menu-link[href="#pst-primary-sidebar"] { display: none; } }
@media screen and (min-width: 1200px) { .menu-link { display: none; } }
.article-header-buttons .dropdown:focus-within > .dropdown-menu { display: block; }
[onclick] { display: none !important; }
@media screen and (max-width: 991.98px) { .bd-container__inner { flex-direction: column-reverse; }
  .bd-sidebar-primary { position: static; visibility: visible; width: 100%; max-width: none; height: auto;
    max-height: none; margin: 0; border-top: 1px solid var(--pst-color-border); } }
@media screen and (max-width: 1199.98px) { .bd-main .bd-content { flex-direction: column; }
  .bd-sidebar-secondary { position: static; visibility: visible; width: 100%; max-width: none; height: auto;
    max-height: none; margin: 0; padding: 1rem; } }
"""


def _rules(sheet: str) -> Iterator[tuple[str, str]]:
    """Head and body of each top-level rule; the body of an at-rule holds rules."""
    sheet = re.sub(r"/\*.*?\*/", "", sheet, flags=re.DOTALL)
    start = depth = opened = 0
    # Braces in strings are no braces; an at-rule without a body ends with a semicolon.
    for match in re.finditer(r"\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*'|[{};]", sheet):
        sign = match[0]
        if sign == "{":
            depth += 1
            if depth == 1:
                opened = match.start()
        elif sign == "}":
            depth -= 1
            if depth == 0:
                yield sheet[start:opened].strip(), sheet[opened + 1 : match.start()]
                start = match.end()
        elif sign == ";" and depth == 0:
            start = match.end()


def style(sheets: list[str], theme: str) -> str:
    """The rules of style sheets that hold for one theme only, for a page that names none."""
    mark = re.compile(rf"\[data-theme=[\"']?{theme}[\"']?\]")
    found = []
    for sheet in sheets:
        for head, body in _rules(sheet):
            if head.startswith(("@media", "@supports")):
                if inner := style([body], theme):
                    found.append(f"{head}{{{inner}}}")
            elif not head.startswith("@") and mark.search(head):
                selectors = [part for part in re.split(r",(?![^(]*\))", head) if mark.search(part)]
                found.append(f"{mark.sub('[data-theme=auto]', ','.join(selectors))}{{{body.strip()}}}")
    return "\n".join(found)


def _sheets(page: Path) -> Iterator[Path]:
    """The style sheets of a page in their order, on which the result depends."""
    for link in re.findall(r"<link\b[^>]*>", page.read_text(encoding="utf-8")):
        attributes = dict(re.findall(r"([\w-]+)=\"([^\"]*)\"", link))
        if attributes.get("rel") == "stylesheet" and attributes.get("media") != "print":
            path = Path(page.parent, attributes["href"].partition("?")[0])
            if path.name != NAME and path.is_file():
                yield path


def _write(app: Sphinx, exception: Exception | None) -> None:
    if exception is not None or app.builder.format != "html":
        return
    page = Path(app.builder.get_outfilename(app.config.root_doc))
    sheets = [path.read_text(encoding="utf-8") for path in _sheets(page)]
    light, dark = (style(sheets, theme) for theme in ("light", "dark"))
    text = f"{light}\n@media screen and (prefers-color-scheme: dark) {{\n{dark}\n}}\n{FRAME}"
    write_changed(Path(app.outdir, "_static", NAME), text)


def setup(app: Sphinx) -> None:
    app.connect("build-finished", _write, priority=850)  # when the style sheets are trimmed
