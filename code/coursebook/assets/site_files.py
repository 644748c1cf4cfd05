"""Files that belong to the site as a whole: its entrance, the page for wrong addresses, and
for search engines a list of the pages."""

import re
from collections.abc import Iterator
from html import escape
from pathlib import Path
from urllib.parse import urlsplit

from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

from coursebook import site
from coursebook.files import write_changed
from coursebook.page.head import ICON

__all__ = ["setup"]

NOT_FOUND = """\
<section>
<h1>There is no such page</h1>
<p>The address is mistyped, or the page has moved.</p>
<p>Begin at <a href="{home}">{title}</a>, choose a page in the menu, or <a href="search.html">search the book</a>.</p>
</section>
"""
ENTRANCE = """\
<!DOCTYPE html>
<html lang="{language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="refresh" content="0; url={home}">
<title>{title}</title>
<meta name="description" content="{description}">
<meta name="color-scheme" content="light dark">
<style>body {{ background: Canvas; color: CanvasText; }}</style>
{canonical}<link rel="icon" type="image/svg+xml" href="{icon}">
</head>
<body>
<main>
<h1>{title}</h1>
<p><a href="{home}">Read the book</a></p>
</main>
</body>
</html>
"""
# An address that is relative to the page
RELATIVE = re.compile(r'(\s(?:href|src|action|data-content_root)=")(?!["#/]|[a-zA-Z][a-zA-Z+.-]*:)(?:\./)?([^"]*)')


def rooted(html: str, root: str) -> str:
    """A page of the top folder, made to work at any address: its links begin at ``root``."""
    return RELATIVE.sub(lambda found: f"{found[1]}{root}{found[2]}", html)


def _root(app: Sphinx) -> str:
    """The path of the site on its host; without a configured address, the host's own."""
    return urlsplit(app.config.html_baseurl).path.rstrip("/") + "/"


def _home(app: Sphinx) -> str:
    return app.builder.get_target_uri(app.config.root_doc)


def _add_pages(app: Sphinx) -> Iterator[tuple[str, dict, str]]:
    if site.is_built(app):
        body = NOT_FOUND.format(home=_home(app), title=escape(app.config.html_title or app.config.project))
        yield "404", {"title": "There is no such page", "body": body}, "page.html"


def _drop_empty_index(app: Sphinx, env: BuildEnvironment) -> None:
    entries = env.get_domain("index").entries
    app.config.html_use_index = app.config.html_use_index and any(entries.values())


def _finish(app: Sphinx, exception: Exception | None) -> None:
    if exception is not None or not site.is_built(app) or not Path(app.outdir).is_dir():
        return
    root = Path(app.outdir)
    not_found = root / "404.html"
    if not_found.is_file():
        _update(not_found, rooted(not_found.read_text(encoding="utf-8"), _root(app)))
    if not app.config.html_use_index:
        (root / "genindex.html").unlink(missing_ok=True)
    if app.config.root_doc != "index":
        _update(root / "index.html", _entrance(app))
    address = app.config.html_baseurl.rstrip("/")
    pages = [f"{address}/{app.builder.get_target_uri(name)}" for name in sorted(app.env.found_docs)]
    lines = "".join(f"<url><loc>{escape(page)}</loc></url>\n" for page in pages)
    sitemap = f'<?xml version="1.0" encoding="UTF-8"?>\n<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">\n{lines}</urlset>\n'
    _update(root / "sitemap.xml", sitemap if address else "")
    robots = f"User-agent: *\nAllow: /\n\nSitemap: {address}/sitemap.xml\n"
    _update(root / "robots.txt", robots if address and _root(app) == "/" else "")  # read at the host's root alone


def _entrance(app: Sphinx) -> str:
    """The page at the site's own address: the book begins in a folder below."""
    home, address = _home(app), app.config.html_baseurl.rstrip("/")
    return ENTRANCE.format(
        language=app.config.language or "en",
        home=home,
        title=escape(app.config.html_title or app.config.project),
        description=escape(app.env.metadata.get(app.config.root_doc, {}).get("description", "")),
        canonical=f'<link rel="canonical" href="{escape(address)}/{home}">\n' if address else "",
        icon=ICON,
    )


def _update(file: Path, text: str) -> None:
    """Write a file where its content changes; without content, take it away."""
    if not text:
        file.unlink(missing_ok=True)
    else:
        write_changed(file, text)


def setup(app: Sphinx) -> None:
    app.connect("html-collect-pages", _add_pages)
    app.connect("env-updated", _drop_empty_index)
    app.connect("build-finished", _finish, priority=400)  # before one is made up, and before files are swept
