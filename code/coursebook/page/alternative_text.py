"""Every image says in words what it shows: one that does not fails the build.

The words come from the Markdown, ``![Two curves that cross](plot.svg)``, from ``:alt:`` of a
figure, and for what a cell draws from its metadata, ``mystnb: image: alt``. An image that only
decorates says so with the class ``decorative`` and has no words: ``![](wave.svg){.decorative}``,
``:class: decorative`` or ``mystnb: image: classes: decorative``. An SVG that a cell draws into the page
as ``<svg role="img">`` has them in ``aria-label``. Docutils would put the file's
name in place of missing words, and that is read aloud.
"""

import re
from html.parser import HTMLParser

from docutils import nodes
from sphinx.application import Sphinx

from coursebook import problems

__all__ = ["complaint", "setup"]

DECORATIVE = "decorative"
WORDS = 3  # at least: "Loss curves" names a figure and says nothing of what is seen


def complaint(text: str | None, source: str, decorative: bool = False) -> str | None:
    """What is wrong with an image's alternative text; None when it will do.

    Parameters
    ----------
    text
        The alternative text, None where there is none.
    source
        The image's path or address.
    decorative
        Whether the image is declared as decoration.
    """
    text = " ".join((text or "").split())
    if decorative:
        return f"a decorative image has no alternative text, came {text!r}" if text else None
    if not text:
        return "no alternative text; say in a sentence what the image shows"
    name = source.rsplit("/", 1)[-1]
    is_path = re.fullmatch(r"\S*[/\\]\S*|\S+\.(?:png|jpe?g|gif|svg|webp|avif|pdf)", text, re.IGNORECASE)
    if is_path or text in (source, name, name.rsplit(".", 1)[0]):
        return f"the alternative text is the name of a file, {text!r}; say in a sentence what the image shows"
    if re.match(r"<Figure size|Figure\(\d", text):
        return f"the alternative text is Matplotlib's, {text!r}; say in a sentence what the image shows"
    if len(text.split()) < WORDS:
        return f"the alternative text {text!r} is too short; expected {WORDS} words or more that say what is seen"
    return None


class _Images(HTMLParser):
    """The images in a piece of HTML."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[dict[str, str | None]] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = dict(attributes)
        if tag == "img":
            self.found.append(given)
        elif tag == "svg" and given.get("role") == "img":  # a drawing in the page has a label instead
            self.found.append({"src": "drawing", "alt": given.get("aria-label")})


def _line(node: nodes.Node | None) -> int | None:
    while node is not None and not node.line:  # MyST-NB gives outputs the line 0
        node = node.parent
    return node and node.line


def _shown(source: str) -> str:
    """An image's name; a figure of a cell has a long one that nobody gave it."""
    if source.startswith("data:"):
        return "image"
    name = source.rsplit("/", 1)[-1]
    return "figure of a cell" if re.fullmatch(r"[0-9a-f]{32,}\.\w+", name) else f"image {name}"


def _check(app: Sphinx, doctree: nodes.document) -> None:
    for image in doctree.findall(nodes.image):
        decorative = DECORATIVE in image["classes"]
        source = image.get("original_uri", image["uri"])
        if message := complaint(image.get("alt"), source, decorative):
            problems.report(app.env, f"{_shown(source)}: {message}", _line(image))
        elif decorative:
            image["alt"] = ""  # or Docutils writes the file's name
    for raw in doctree.findall(nodes.raw):
        if "html" not in raw.get("format", "").split():
            continue
        images = _Images()
        images.feed(raw.astext())
        for attributes in images.found:
            source = attributes.get("src") or ""
            decorative = DECORATIVE in (attributes.get("class") or "").split() and "alt" in attributes
            if message := complaint(attributes.get("alt"), source, decorative):
                problems.report(app.env, f"{_shown(source)}: {message}", _line(raw))


def setup(app: Sphinx) -> None:
    app.connect("doctree-read", _check)
