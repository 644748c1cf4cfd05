"""One style sheet and one script for all pages, with what they use and no more.

A stock page loads ten style sheets of 550 kB and sixteen scripts of 1.7 MB. Here each page
names ``book.css`` and ``book.js`` (see ``templates/layout.html``), and the end of the build
makes them: the style sheets merged and trimmed to what the pages and the scripts use, the
scripts one after another. What no page needs any more leaves ``_static``.

A style sheet or script that a handler adds to some pages only stays a file of its own. So
does a script with attributes, since these say how it wants to be loaded.
"""

import hashlib
import json
import re
from pathlib import Path

from sphinx.application import Sphinx
from sphinx.builders.html import StandaloneHTMLBuilder
from sphinx.config import Config

from coursebook import stylesheet, usage
from coursebook.usage import Usage

__all__ = ["setup"]

# What the theme writes into each page by itself, before and after all others
FIRST_STYLES = ["_static/styles/theme.css", "_static/styles/pydata-sphinx-theme.css"]
LAST_SCRIPTS = ["_static/scripts/bootstrap.js", "_static/scripts/pydata-sphinx-theme.js"]
# Scripts that serve one kind of element, and how the page looks that has it
ON_DEMAND = {
    "_static/togglebutton.js": re.compile(r'class="[^"]*(?:\btoggle\b|\badmonition\b[^"]*\bdropdown\b|\bdropdown\b[^"]*\badmonition\b)'),
    "_static/design-tabs.js": re.compile(r'class="[^"]*\bsd-tab-set\b'),
}
TOGGLE = re.compile(r"^\s*(?:let|var) toggle")  # the settings of togglebutton.js
PAGE_OPTIONS = re.compile(r"^\s*DOCUMENTATION_OPTIONS\.(?:pagename|search_as_you_type) = [^;]*;\s*$")
VERSION = re.compile(r"(_static/book\.(css|js))(?:\?v=\w*)?(?=\")")


def _serves(app: Sphinx) -> bool:
    return app.builder.name in ("html", "dirhtml")


def _cache(app: Sphinx) -> Path:
    return Path(app.doctreedir, "assets")


def _state(app: Sphinx) -> dict:
    """What the last build left: the version of each file, and what each page uses."""
    try:
        return json.loads((_cache(app) / "state.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {"versions": {}, "pages": {}}


def _name(asset: object) -> str:
    return str(getattr(asset, "filename", asset) or "")


def _body(script: object) -> str:
    return getattr(script, "attributes", {}).get("body") or ""


def _plain(script: object) -> bool:
    """Whether it is a file of the site that may be loaded with the others."""
    attributes = set(getattr(script, "attributes", {})) - {"defer"}
    return bool(_name(script)) and "://" not in _name(script) and not attributes


def _shared_styles(builder: StandaloneHTMLBuilder) -> list[str]:
    """Files that every page loads, in their order."""
    styles = sorted(builder._orig_css_files, key=lambda style: style.priority)
    local = [_name(style) for style in styles if "://" not in _name(style)]
    return list(dict.fromkeys([*FIRST_STYLES, *local]))


def _shared_scripts(builder: StandaloneHTMLBuilder) -> list[object]:
    scripts = sorted(builder._orig_js_files, key=lambda script: script.priority)
    return [script for script in scripts if _plain(script) and _name(script) not in ON_DEMAND]


def _fill_head(app: Sphinx, pagename: str, template: str, context: dict, doctree: object) -> None:
    if not _serves(app):
        return
    if "book_versions" not in app.builder.globalcontext:
        app.builder.globalcontext["book_versions"] = _state(app)["versions"]
    versions = app.builder.globalcontext["book_versions"]
    context["book_style"] = f"_static/book.css?v={versions.get('css', '')}"
    context["book_script"] = f"_static/book.js?v={versions.get('js', '')}"

    shared = {*_shared_styles(app.builder), *map(_name, _shared_scripts(app.builder))}
    context["css_files"] = [style for style in context["css_files"] if _name(style) not in shared]
    body = context.get("body") or ""
    absent = {name for name, element in ON_DEMAND.items() if not element.search(body)}
    context["script_files"] = [
        script for script in context["script_files"]
        if _name(script) not in shared | absent
        and not PAGE_OPTIONS.match(_body(script))
        and not ("_static/togglebutton.js" in absent and TOGGLE.match(_body(script)))
    ]


def _finish(app: Sphinx, exception: Exception | None) -> None:
    if exception is None and _serves(app):
        Site(app).finish()


class Site:
    """The built site, when all pages are written."""

    def __init__(self, app: Sphinx) -> None:
        self.app = app
        self.root = Path(app.outdir)
        self.static = self.root / "_static"
        self.cache = _cache(app)
        self.state = _state(app)

    def finish(self) -> None:
        """Make the files that pages name. Where no page was written they are there."""
        if not hasattr(self.app.builder, "_orig_css_files"):
            (self.static / "pygments.css").unlink(missing_ok=True)  # the theme writes it at each end
            return
        pages = self._read_pages()
        used = Usage()
        for page in pages.values():
            used |= Usage.from_json(page["used"])
        script = self._script()
        used |= usage.of_script(script)
        for name in used.files:
            if name.endswith(".js") and (self.static / name).is_file() and name != "book.js":
                used |= usage.of_script((self.static / name).read_text(encoding="utf-8"))

        style = self._style(used)
        for name in sorted(used.files):
            if name.endswith(".css") and name != "book.css" and (self.static / name).is_file():
                self._trim_alone(name, used)
        stylesheet.write(self.static / "book.js", script)
        stylesheet.write(self.static / "book.css", style)
        versions = {"css": _digest(style), "js": _digest(script)}
        self._name_versions(pages, versions)
        self._sweep(used)
        state = {"versions": versions, "pages": pages}
        stylesheet.write(self.cache / "state.json", json.dumps(state))

    def _read_pages(self) -> dict[str, dict]:
        pages = {}
        for path in sorted(self.root.rglob("*.html")):
            name = path.relative_to(self.root).as_posix()
            if name.startswith(("_static/", "_sources/")):
                continue
            known = self.state["pages"].get(name)
            stamp = _stamp(path)
            if known is None or known["stamp"] != stamp:
                html = path.read_text(encoding="utf-8")
                known = {
                    "stamp": stamp,
                    "used": usage.of_page(html).to_json(),
                    "versions": {kind: version for kind, version in re.findall(r"_static/book\.(css|js)\?v=(\w*)", html)},
                }
            pages[name] = known
        return pages

    def _script(self) -> str:
        """The shared scripts, one after another."""
        builder = self.app.builder
        names = [_name(script) for script in _shared_scripts(builder)]
        names = list(dict.fromkeys([*(name for name in names if name not in LAST_SCRIPTS), *LAST_SCRIPTS]))
        # The first statement keeps a file's "use strict" from ruling the others.
        parts = ["void 0"]
        for name in names:
            text = (self.root / name).read_text(encoding="utf-8-sig")
            parts.append(re.sub(r"^//# sourceMappingURL=.*$", "", text, flags=re.MULTILINE).strip())
            if name.endswith("documentation_options.js"):
                parts.append("DOCUMENTATION_OPTIONS.search_as_you_type = false")
        return "\n;\n".join(parts) + "\n"

    def _style(self, used: Usage) -> str:
        names = [name.removeprefix("_static/") for name in _shared_styles(self.app.builder)]
        names = [name for name in names if (self.static / name).is_file()]
        return stylesheet.trim(stylesheet.merge(self.static, names), used, self.static, self.cache)

    def _trim_alone(self, name: str, used: Usage) -> None:
        """A style sheet that some pages load besides; Sphinx has just copied it in full."""
        file = self.static / name
        css = file.read_text(encoding="utf-8-sig")
        stylesheet.write(file, stylesheet.trim(css, used, file.parent, self.cache))

    def _name_versions(self, pages: dict[str, dict], versions: dict[str, str]) -> None:
        """Let each page name the present files, so that a browser's old copies don't serve it."""
        for name, page in pages.items():
            if not page["versions"] or page["versions"] == versions:
                continue
            path = self.root / name
            html = path.read_text(encoding="utf-8")
            stylesheet.write(path, VERSION.sub(lambda found: f"{found[1]}?v={versions[found[2]]}", html))
            page.update(stamp=_stamp(path), versions=versions)

    def _sweep(self, used: Usage) -> None:
        """Take away what the packages have put into ``_static`` and nothing names."""
        kept = used.files | {"book.css", "book.js"}
        written = (self.static / "book.css").read_text(encoding="utf-8")
        named = set(re.findall(r"[\w.-]+", written + (self.static / "book.js").read_text(encoding="utf-8")))
        for file in _from_packages(self.app):
            path = self.static / file
            if file not in kept and path.name not in named and path.is_file():
                path.unlink()
        for folder in sorted((path for path in self.static.rglob("*") if path.is_dir()), reverse=True):
            if not any(folder.iterdir()):
                folder.rmdir()


def _from_packages(app: Sphinx) -> set[str]:
    """Files below ``_static`` that Sphinx, the theme and extensions bring, by their names.

    What the book and this extension bring stays: a page's own script may ask for it.
    """
    builder = app.builder
    own = (Path(app.srcdir).resolve(), Path(__file__).resolve().parent)
    environment = Path(re.__file__).resolve().parents[1]
    folders = [Path(folder, "static") for folder in builder.theme.get_theme_dirs()]
    folders += [Path(app.confdir, folder) for folder in builder.config.html_static_path]
    found = {"pygments.css", "documentation_options.js", "language_data.js", "basic.css"}
    for folder in map(Path.resolve, folders):
        inside = any(folder.is_relative_to(path) for path in own)
        if folder.is_dir() and (not inside or "site-packages" in folder.parts):
            found |= {path.relative_to(folder).as_posix().removesuffix("_t").removesuffix(".jinja") for path in folder.rglob("*") if path.is_file()}
    for name in _shared_styles(builder) + [_name(script) for script in _shared_scripts(builder)] + [*ON_DEMAND]:
        found.add(name.removeprefix("_static/"))
    return found


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8")).hexdigest()[:8]


def _stamp(path: Path) -> list[int]:
    status = path.stat()
    return [status.st_mtime_ns, status.st_size]


def _add_templates(app: Sphinx, config: Config) -> None:
    config.templates_path.insert(0, str(Path(__file__).with_name("templates")))


def setup(app: Sphinx) -> None:
    app.connect("config-inited", _add_templates)
    app.connect("html-page-context", _fill_head, priority=950)  # when all others have added theirs
    app.connect("build-finished", _finish, priority=800)  # when all pages are written
