"""The style sheet and the script that all pages share, made when the pages are written.

Which rules of the style sheets are used is known only then. So a page is written with the
version that the last build left, and where the file has changed, the new one is put into the
pages: a browser then doesn't take its old copy. What no page needs leaves ``_static``.

Sphinx copies all files of ``_static`` anew when a page is written. Where none is, all is in place.
"""

import hashlib
import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path

from sphinx.application import Sphinx

from coursebook.assets import stylesheet, usage
from coursebook.assets.sweep import sweep
from coursebook.assets.usage import Usage
from coursebook.files import write_whole
from coursebook.page import without_scripts

__all__ = ["SCRIPT", "STYLE", "Versions", "make"]

STYLE = "_static/book.css"
SCRIPT = "_static/book.js"
VERSION = re.compile(r"(_static/book\.(css|js))\?v=(\w*)")
BESIDES = re.compile(r'<link [^>]*book\.css[^>]* data-besides="([^"]*)"')


@dataclass(frozen=True)
class Versions:
    """A short hash of each file's content, which stands in its address."""

    style: str = ""
    script: str = ""

    @classmethod
    def of_last_build(cls, app: Sphinx) -> "Versions":
        if not hasattr(app, "coursebook_versions"):
            app.coursebook_versions = cls(**_last(app)["versions"])
        return app.coursebook_versions


def _last(app: Sphinx) -> dict:
    """What the last build left."""
    try:
        return json.loads((_cache(app) / "state.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {"versions": {}, "pages": {}, "alone": {}, "merged": []}


def _cache(app: Sphinx) -> Path:
    return Path(app.doctreedir, "assets")


def make(app: Sphinx, styles: dict[str, str], scripts: list[str], optional: list[str]) -> None:
    """Write the files that pages name, and take away those that none names.

    Parameters
    ----------
    styles
        The shared style sheets with the medium of each, by their paths in the site; empty
        where no page was written.
    scripts
        The shared scripts.
    optional
        Scripts that some pages may name.
    """
    last = _last(app)
    root, cache = Path(app.outdir), _cache(app)
    pages = _read_pages(root, last["pages"])
    used = Usage()
    for page in pages.values():
        used |= Usage.from_json(page["used"])

    if scripts:
        write_whole(root / SCRIPT, _joined(root, scripts))
    elif not (root / SCRIPT).is_file():
        return  # there is no site
    for name in {SCRIPT, *used.files}:
        if name.endswith(".js") and (root / name).is_file():
            used |= usage.of_script((root / name).read_text(encoding="utf-8"))

    alone = _trim_alone(root, used, last["alone"], cache)
    if styles:
        styles = styles | {f"_static/{name}": "" for page in pages.values() for name in page["besides"]}
        whole = stylesheet.merge(root / "_static", {name.removeprefix("_static/"): styles[name] for name in styles})
        write_whole(cache / "whole" / STYLE, whole)  # for who wants to compare
        read = used | Usage(variables={name for sheet in alone.values() for name in sheet["variables"]})
        write_whole(root / STYLE, stylesheet.trim(whole, read, root / "_static", cache))

    versions = Versions(_digest(root / STYLE), _digest(root / SCRIPT))
    _name_versions(root, pages, versions)
    merged = sorted({*styles, *scripts}) or last["merged"]  # some are written where no page is
    sweep(app, used.files | {STYLE, SCRIPT}, merged, optional)
    state = {"versions": asdict(versions), "pages": pages, "alone": alone, "merged": merged}
    if state != last:
        write_whole(cache / "state.json", json.dumps(state))


def _read_pages(root: Path, known: dict[str, dict]) -> dict[str, dict]:
    """What each page uses; a page that is as it was is not read."""
    pages = {}
    for path in sorted(root.rglob("*.html")):
        name = path.relative_to(root).as_posix()
        if name.startswith("_"):
            continue
        pages[name] = known.get(name, {})
        if pages[name].get("stamp") != _stamp(path):
            html = path.read_text(encoding="utf-8")
            pages[name] = {
                "stamp": _stamp(path),
                "used": usage.of_page(html).to_json(),
                "versions": {found[2]: found[3] for found in VERSION.finditer(html)},
                "besides": " ".join(BESIDES.findall(html)).split(),
            }
    return pages


def _joined(root: Path, names: list[str]) -> str:
    """Scripts one after another."""
    # The first statement keeps a file's "use strict" from ruling the others.
    parts = ["void 0"]
    for name in names:
        text = (root / name).read_text(encoding="utf-8-sig")
        parts.append(re.sub(r"^//# sourceMappingURL=.*$", "", text, flags=re.MULTILINE).strip())
        if name.endswith("/documentation_options.js"):
            parts.append("DOCUMENTATION_OPTIONS.search_as_you_type = false")
            # Read from a disk, a page may not fetch another to show the place that was found.
            parts.append('DOCUMENTATION_OPTIONS.SHOW_SEARCH_SUMMARY = location.protocol !== "file:"')
    return "\n;\n".join(parts) + "\n"


def _trim_alone(root: Path, used: Usage, last: dict[str, dict], cache: Path) -> dict[str, dict]:
    """Trim the style sheets that stay files of their own, in their place."""
    alone = {}
    for name in sorted(used.files):
        file = root / name
        if not name.endswith(".css") or name == STYLE or file.name == without_scripts.NAME or not file.is_file():
            continue  # the last is made of what is trimmed
        copy = cache / "whole" / name
        if _digest(file) != last.get(name, {}).get("trimmed") or not copy.is_file():
            write_whole(copy, file.read_text(encoding="utf-8-sig"))  # somebody has just written it
        css = copy.read_text(encoding="utf-8")
        # What it sets may be read in the other style sheets.
        set_here = Usage(variables=set(re.findall(r"(--[\w-]+)\s*:", css)))
        trimmed = stylesheet.trim(css, used | set_here, file.parent, cache)
        if trimmed != file.read_text(encoding="utf-8-sig"):
            write_whole(file, trimmed)
        alone[name] = {"trimmed": _digest(file), "variables": usage.variables(trimmed)}
    return alone


def _name_versions(root: Path, pages: dict[str, dict], versions: Versions) -> None:
    named = {"css": versions.style, "js": versions.script}
    for name, page in pages.items():
        if all(named[kind] == version for kind, version in page["versions"].items()):
            continue
        path = root / name
        html = path.read_text(encoding="utf-8")
        write_whole(path, VERSION.sub(lambda found: f"{found[1]}?v={named[found[2]]}", html))
        page.update(stamp=_stamp(path), versions={kind: named[kind] for kind in page["versions"]})


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()[:8]


def _stamp(path: Path) -> list[int]:
    status = path.stat()
    return [status.st_mtime_ns, status.st_size]
