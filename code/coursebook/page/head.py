"""The head of each page: what browsers, search engines and people who share a link read there."""

import re
from html import escape, unescape
from urllib.parse import quote

from sphinx.application import Sphinx

from coursebook.site import is_built

__all__ = ["ICON", "setup"]

# The lecture's four boxes. As an address it is no request, and nobody asks for /favicon.ico.
ICON = "data:image/svg+xml," + quote(
    "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'>"
    "<path fill='#0a7d91' d='M1 1h6v6H1zM9 1h6v6H9zM1 9h6v6H1z'/><path fill='#e8871e' d='M9 9h6v6H9z'/></svg>",
    safe="=:/'",
)
# Pages that no author writes: the title, and what is said of them
GENERATED = {
    "404": ("There is no such page", "There is no page at this address. From here the book can be entered and searched."),
    "genindex": ("Index", "An alphabetical index of what the book defines and explains."),
    "search": ("Search", "Search all pages of the book; it is done in your browser and asks no other host."),
}
DESCRIPTION = re.compile(r'<meta name="description" content="([^"]*)"')
VIEWPORT = re.compile(r'<meta (?:[^>]*\s)?name="viewport"[^>]*>\n?')
COLOURS = {"light": "#ffffff", "dark": "#14181e"}  # the theme's backgrounds


def tags(title: str, description: str, site: str, address: str, is_page: bool) -> str:
    """Tags for a page, one a line.

    Parameters
    ----------
    title, description
        As plain text.
    site
        The book's title.
    address
        Where the page will be found, empty where that isn't known.
    is_page
        Whether it is a page of the book, rather than one to find it by.
    """
    properties = {"title": title, "description": description, "type": "article" if is_page else "website"}
    properties |= {"site_name": site, "url": address}
    lines = [f'<meta property="og:{name}" content="{escape(text)}">' for name, text in properties.items() if text]
    lines += [
        f'<meta name="theme-color" content="{colour}" media="(prefers-color-scheme: {scheme})">'
        for scheme, colour in COLOURS.items()
    ]
    if not is_page:
        lines.append('<meta name="robots" content="noindex">')
    return "".join(f"    {line}\n" for line in lines)


def _complete(app: Sphinx, pagename: str, template: str, context: dict, doctree: object) -> None:
    if not is_built(app):
        return
    site = app.config.html_title or app.config.project
    given, said = GENERATED.get(pagename, (site, ""))
    title = unescape(re.sub(r"<[^>]*>", "", context.get("title") or given))
    context["full_title"] = title if title.casefold() == site.casefold() else f"{title} — {site}"
    metatags = VIEWPORT.sub("", context.get("metatags") or "").strip()  # the layout has one
    is_page = pagename in app.env.all_docs
    if not is_page and not DESCRIPTION.search(metatags):
        metatags += f'\n<meta name="description" content="{escape(said or f"{title}: a page of {site}.")}">'
    found = DESCRIPTION.search(metatags)
    description = unescape(found[1]) if found else ""
    address = context.get("pageurl") or ""
    if not is_page:
        context["pageurl"] = None
    context["metatags"] = f"\n{metatags}\n{tags(title, description, site, address if is_page else '', is_page)}"
    if not context.get("favicon_url"):
        context["metatags"] += f'    <link rel="icon" type="image/svg+xml" href="{ICON}">\n'


def setup(app: Sphinx) -> None:
    app.connect("html-page-context", _complete, priority=900)  # when the description is there
