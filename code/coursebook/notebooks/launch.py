"""Buttons above a page: all notebooks, and the page's own in Colab and on Binder.

The last two come when the book's repository is configured and on GitHub. They are plain
links: nothing is asked of another host before a reader clicks. They lead to the branch
``notebooks``, where the publishing workflow puts what is in the bundle, since a built
notebook is no part of the sources.
"""

from urllib.parse import quote

from sphinx.application import Sphinx

from coursebook import site
from coursebook.notebooks import bundle, wheel

__all__ = ["addresses", "setup"]


def addresses(repository: site.Repository, path: str) -> dict[str, str]:
    """Where a notebook of the bundle opens, by the name of the service."""
    place = f"{quote(repository.owner)}/{quote(repository.name)}"
    return {
        "Colab": f"https://colab.research.google.com/github/{place}/blob/{site.BRANCH}/{quote(path)}",
        "Binder": f"https://mybinder.org/v2/gh/{place}/{site.BRANCH}?labpath={quote(path, safe='')}",
    }


def _add_buttons(app: Sphinx, pagename: str, template: str, context: dict, doctree: object) -> None:
    if not site.is_built(app):
        return
    groups = context.get("header_buttons", [])
    paths = site.in_bundle(app)
    for group in groups:
        if group.get("label") == "download-buttons" and paths and wheel.of_book(app):
            group["buttons"].append({
                "type": "link",
                "url": context["pathto"](bundle.NAME, 1),
                "text": "All notebooks (.zip)",
                "tooltip": "Download all notebooks of the book, with the package that they run",
                "icon": "fas fa-file-zipper",
                "label": "download-bundle-button",
            })  # fmt: skip
    repository = site.repository(app)
    if not repository or pagename not in paths:
        return
    groups.append({
        "type": "group",
        "tooltip": "Run this page",
        "icon": "fas fa-rocket",
        "label": "launch-buttons",
        "buttons": [
            {"type": "link", "url": url, "text": f"Open in {name}", "tooltip": f"Open this page's notebook in {name}",
             "icon": "fas fa-play", "label": f"launch-{name.lower()}-button"}
            for name, url in addresses(repository, paths[pagename]).items()
        ],
    })  # fmt: skip


def setup(app: Sphinx) -> None:
    app.connect("html-page-context", _add_buttons, priority=502)  # after the theme's own, at 501
