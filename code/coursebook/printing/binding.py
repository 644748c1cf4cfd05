"""The pages of the built site, bound into one document that prints well.

The site is the master: formulas, numbers, figures and links are as published, and no page
is read or run a second time. What folds is opened, what clicks is taken out, and links
between pages become links inside the document.
"""

import posixpath
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from pathlib import Path
from urllib.parse import unquote, urldefrag, urlsplit

from bs4 import BeautifulSoup, Tag
from sphinx_external_toc.parsing import parse_toc_yaml

from coursebook.printing import printable

__all__ = ["Chapter", "bind", "chapters", "first_page", "headings"]

CONTENTS = "Contents"
REFERRING = ("aria-controls", "aria-describedby", "aria-labelledby", "for", "headers")


@dataclass
class Chapter:
    """A page of the table of contents, and the caption of the part that it opens, if any."""

    name: str
    part: str
    article: Tag

    @property
    def title(self) -> str:
        return printable.text(self.article.find("h1"))

    @property
    def headings(self) -> list[str]:
        return [printable.text(heading) for heading in self.article.find_all(printable.HEADING)]

    @property
    def sections(self) -> list[tuple[str, str]]:
        """Address inside the document and title, for each section of the first level."""
        found = [heading.find_parent(id=True) for heading in self.article.find_all("h2")]
        return [(section["id"], printable.text(section.find("h2"))) for section in found if section]


def _listed(toc: Path) -> Iterator[tuple[str, str]]:
    """Pages in the order of the table of contents, each with the part that it opens."""
    site = parse_toc_yaml(toc)

    def below(name: str) -> Iterator[tuple[str, str]]:
        for tree in site[name].subtrees:
            part = tree.caption or ""
            for item in tree.items:
                if isinstance(item, str) and item in site:
                    yield item, part
                    part = ""
                    yield from below(item)

    yield site.root.docname, ""
    yield from below(site.root.docname)


def first_page(toc: Path) -> str:
    """Name of the page that opens the book."""
    return parse_toc_yaml(toc).root.docname


def chapters(site: Path, toc: Path, address: str = "") -> list[Chapter]:
    """The pages of a built site, ready to be bound.

    Parameters
    ----------
    site
        The folder of the built site.
    toc
        ``_toc.yml``, which gives the order.
    address
        The site's address. With it, links to files of the site that are no pages (a
        notebook, say) lead there; without it their text stays, and no link.

    Raises
    ------
    FileNotFoundError
        If a page is missing from the site.
    ValueError
        If a page has no article, or no title.
    """
    found = []
    for name, part in _listed(toc):
        text = (site / f"{name}.html").read_text(encoding="utf-8")
        article = BeautifulSoup(text, "html.parser").select_one("article.bd-article")
        if article is None or article.find("h1") is None:
            raise ValueError(f"{name}.html is no page of the book: it has no {'title' if article else 'article'}")
        printable.prepare(article)
        found.append(Chapter(name, part, article))

    ids = {chapter.name: {element["id"] for element in chapter.article.find_all(id=True)} for chapter in found}
    for chapter in found:
        for element in chapter.article.find_all(id=True):
            element["id"] = f"{chapter.name}/{element['id']}"
        for attribute in REFERRING:
            for element in chapter.article.find_all(attrs={attribute: True}):
                given = element[attribute]
                names = given if isinstance(given, list) else given.split()
                element[attribute] = " ".join(f"{chapter.name}/{name}" for name in names)
        for link in chapter.article.find_all("a", href=True):
            _lead(link, chapter.name, ids, address)
        for image in chapter.article.find_all("img", src=True):
            if not urlsplit(image["src"]).scheme:
                path = posixpath.join(posixpath.dirname(chapter.name), unquote(image["src"]))
                image["src"] = (site / path).resolve().as_uri()
            image.attrs.pop("loading", None)  # all of them, now
    return found


def _lead(link: Tag, page: str, ids: dict[str, set[str]], address: str) -> None:
    """Bring a link of a page into the document, or take it out where it would lead nowhere."""
    target = link["href"]
    if address and target.startswith(address):
        target = "/" + target.removeprefix(address).lstrip("/")
    if urlsplit(target).scheme or target.startswith("//"):
        return
    path, fragment = urldefrag(target)
    path, fragment = unquote(path), unquote(fragment)
    if path.startswith("/"):
        path = path.lstrip("/")
    else:
        path = posixpath.normpath(posixpath.join(posixpath.dirname(page), path)) if path else f"{page}.html"
    name = path.removesuffix(".html")
    if name in ids:
        link["href"] = f"#{name}/{fragment}" if fragment in ids[name] else f"#{name}"
    elif address and not link.find("img"):
        link["href"] = f"{address.rstrip('/')}/{path}{f'#{fragment}' if fragment else ''}"
    else:
        link.unwrap()


def headings(found: list[Chapter]) -> list[str]:
    """The headings of the bound document, in their order."""
    return [CONTENTS, *(heading for chapter in found for heading in chapter.headings)]


def bind(found: list[Chapter], about: dict[str, str], lines: list[str], style: str) -> str:
    """One HTML document: a title page, the contents, and the chapters.

    Parameters
    ----------
    found
        What ``chapters`` gives.
    about
        ``title``, ``author``, ``language`` and ``description``; they become the
        document's metadata too.
    lines
        What the title page says below the author, a paragraph each, as HTML.
    style
        The style sheet. Each chapter gets a running title beside it.

    Returns
    -------
    str
        In the contents an empty ``<span class="contents-page">`` waits for each page number.
    """
    style += "".join(
        f"@page chapter-{i} {{ @top-left {{ content: {_css_string(chapter.title)} }} }}\n"
        for i, chapter in enumerate(found)
    )
    title, author = escape(about["title"]), escape(about["author"])
    contents, body = [], []
    for i, chapter in enumerate(found):
        if chapter.part:
            contents.append(f'<li class="contents-part">{escape(chapter.part)}</li>')
        sections = "".join(f"<li>{_entry(*section)}</li>" for section in chapter.sections)
        below = f"<ul>{sections}</ul>" if sections else ""
        contents.append(f'<li class="contents-chapter">{_entry(chapter.name, chapter.title)}{below}</li>')
        body.append(
            f'<section class="chapter bd-article" id="{escape(chapter.name)}" style="page: chapter-{i}">'
            f"{chapter.article.decode_contents()}</section>"
        )
    return "\n".join([
        f'<!DOCTYPE html>\n<html lang="{escape(about["language"])}">\n<head>\n<meta charset="utf-8">',
        f'<title>{title}</title>\n<meta name="author" content="{author}">',
        f'<meta name="description" content="{escape(about["description"])}">',
        f"<style>\n{style}</style>\n</head>\n<body>",
        f'<div class="title-page"><p class="book-title">{title}</p><p class="book-author">{author}</p>',
        *(f"<p>{line}</p>" for line in lines),
        '</div>\n<section class="contents"><h1>' + CONTENTS + '</h1>\n<ul>',
        *contents,
        "</ul></section>",
        *body,
        "</body>\n</html>\n",
    ])


def _entry(target: str, title: str) -> str:
    # The dots between title and page are drawn by the style sheet.
    return (
        f'<a href="#{escape(target)}"><span class="contents-title">{escape(title)}</span>'
        '<span class="contents-dots"></span><span class="contents-page"></span></a>'
    )


def _css_string(text: str) -> str:
    quoted = "".join(f"\\{ord(letter):x} " if letter in "\"\\<\n" else letter for letter in text)
    return f'"{quoted}"'
