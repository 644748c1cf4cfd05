"""One style sheet and one script for all pages, with what they use and no more.

A stock page loads ten style sheets of 550 kB and sixteen scripts of 1.7 MB. Here each page
names ``book.css`` and ``book.js`` (see ``templates/static/webpack-macros.html``), and the end
of the build makes them (see ``bundles.py``).

A script that is added to some pages only stays a file of its own. So does one with
attributes, since these say how it wants to be loaded.
"""

import re

from sphinx.application import Sphinx
from sphinx.builders.html import StandaloneHTMLBuilder

from coursebook import site
from coursebook.assets import bundles

__all__ = ["setup"]

# What the theme writes into each page by itself, before and after all others
FIRST_STYLES = ["_static/styles/theme.css", "_static/styles/pydata-sphinx-theme.css"]
# (but its Bootstrap, of which `static/menus.js` does what is needed)
LAST_SCRIPTS = ["_static/scripts/pydata-sphinx-theme.js"]
# Scripts that serve one kind of element, and what a page has that has it
ON_DEMAND = {
    "_static/togglebutton.js": re.compile(
        r'class="(?:[^"]*\s)?(?:toggle(?=[\s"])|(?=[^"]*\badmonition\b)(?:[^"]*\s)?dropdown(?=[\s"]))'
    ),
    "_static/design-tabs.js": re.compile(r'class="[^"]*\bsd-tab-set\b'),
}
# Settings between the scripts: of togglebutton.js, and what the bundle settles for all pages
TOGGLE = re.compile(r"\s*(?:let|var) toggle")
SETTLED = re.compile(r"\s*DOCUMENTATION_OPTIONS\.(?:pagename|search_as_you_type) = [^;]*;\s*$")


def _name(asset: object) -> str:
    return str(getattr(asset, "filename", asset) or "")


def _media(style: object) -> str:
    return getattr(style, "attributes", {}).get("media") or ""


def _is_style(style: object) -> bool:
    """Whether it is a style sheet of the site; a favicon stands in the same list."""
    attributes = getattr(style, "attributes", {})
    named = set(attributes) <= {"rel", "type", "media"} and attributes.get("rel", "stylesheet") == "stylesheet"
    return named and "://" not in _name(style)


def _is_shared(script: object) -> bool:
    """Whether it is a script of the site that may be loaded with the others."""
    attributes = set(getattr(script, "attributes", {})) - {"defer"}
    return bool(_name(script)) and "://" not in _name(script) and not attributes and _name(script) not in ON_DEMAND


def _shared_styles(builder: StandaloneHTMLBuilder) -> dict[str, str]:
    """Style sheets that every page loads, in their order, and the medium of each."""
    styles = sorted(builder._orig_css_files, key=lambda style: style.priority)
    return dict.fromkeys(FIRST_STYLES, "") | {_name(style): _media(style) for style in styles if _is_style(style)}


def _shared_scripts(builder: StandaloneHTMLBuilder) -> list[str]:
    scripts = sorted(builder._orig_js_files, key=lambda script: script.priority)
    names = [_name(script) for script in scripts if _is_shared(script)]
    return list(dict.fromkeys([*(name for name in names if name not in LAST_SCRIPTS), *LAST_SCRIPTS]))


def _fill_head(app: Sphinx, pagename: str, template: str, context: dict, doctree: object) -> None:
    if not site.is_built(app):
        return
    builder = app.builder
    versions = bundles.Versions.of_last_build(app)
    context["book_style"] = f"{bundles.STYLE}?v={versions.style}"
    context["book_script"] = f"{bundles.SCRIPT}?v={versions.script}"

    shared = _shared_styles(builder)
    besides = [style for style in context["css_files"] if _name(style) not in shared and _is_style(style)]
    # The end of the build reads here what is to be in the style sheet, too.
    context["book_styles_besides"] = " ".join(_name(style).removeprefix("_static/") for style in besides)
    context["css_files"] = [style for style in context["css_files"] if not _is_style(style)]

    names = _shared_scripts(builder)
    body = context.get("body") or ""
    absent = {name for name, element in ON_DEMAND.items() if not element.search(body)}
    kept = []
    for script in context["script_files"]:
        text = getattr(script, "attributes", {}).get("body") or ""
        if _name(script) in names or _name(script) in absent or SETTLED.match(text):
            continue
        if "_static/togglebutton.js" in absent and TOGGLE.match(text):
            continue
        if _name(script) and "://" not in _name(script) and hasattr(script, "attributes"):
            script.attributes.setdefault("defer", "defer")  # after the shared ones, as before
        kept.append(script)
    context["script_files"] = kept


def _finish(app: Sphinx, exception: Exception | None) -> None:
    if exception is not None or not site.is_built(app):
        return
    written = hasattr(app.builder, "_orig_css_files")  # else no page was out of date
    styles = _shared_styles(app.builder) if written else {}
    scripts = _shared_scripts(app.builder) if written else []
    bundles.make(app, styles, scripts, [*ON_DEMAND])


def _add_scripts(app: Sphinx) -> None:
    if site.is_built(app):
        app.add_js_file("menus.js")


def setup(app: Sphinx) -> None:
    app.connect("builder-inited", _add_scripts)
    app.connect("html-page-context", _fill_head, priority=950)  # when all others have added theirs
    app.connect("build-finished", _finish, priority=800)  # when all pages are written
