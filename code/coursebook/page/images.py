"""Images as light as they can be without a loss that one sees, and in their place before they are loaded.

A figure is written as PNG, which the notebooks keep. Pages show it as lossless WebP where
that is smaller; for figures it is a third of the size. One that is heavy all the same, as a
photograph is, is shown as WebP of good quality. Each image has its width and height,
so that the text doesn't move when it comes, and all but a page's first are loaded when
the reader gets near.
"""

import hashlib
import os
import re
from html import escape, unescape
from pathlib import Path
from urllib.parse import quote, unquote

from PIL import Image
from sphinx.application import Sphinx

from coursebook import site
from coursebook.files import write_changed

__all__ = ["prepare", "setup"]

IMG = re.compile(r"<img\b(?:[^>\"']|\"[^\"]*\"|'[^']*')*>")
ATTRIBUTE = re.compile(r"([^\s\"'<>/=]+)(?:\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s\"'>]+)))?")
WIDTH = re.compile(r"(?:^|;)\s*width:\s*(\d+(?:\.\d+)?)px")


HEAVY = 60_000  # bytes without a loss, from which on a picture may lose what nobody sees
QUALITY = 80  # of 100


def light(file: Path, cache: Path) -> Path:
    """The file as WebP where that is smaller, else the file itself.

    What was made once is kept in ``cache``, under the hash of the content and of these settings.
    """
    data = file.read_bytes()
    name = hashlib.sha256(data + f"{HEAVY} {QUALITY}".encode()).hexdigest()[:32]
    made, none = cache / f"{name}.webp", cache / f"{name}.none"
    if none.exists():
        return file
    if not made.exists():
        cache.mkdir(parents=True, exist_ok=True)
        unfinished = cache / f".{name}.{os.getpid()}"
        with Image.open(file) as image:
            if getattr(image, "is_animated", False) or image.mode not in ("1", "L", "LA", "P", "RGB", "RGBA"):
                none.touch()
                return file
            has_alpha = image.mode in ("LA", "RGBA") or "transparency" in image.info
            image = image.convert("RGBA" if has_alpha else "RGB")
            if has_alpha and image.getextrema()[3] == (255, 255):
                image = image.convert("RGB")  # Matplotlib writes an alpha channel that says nothing
            image.save(unfinished, "WEBP", lossless=True, quality=80, method=4, exact=True)
            if unfinished.stat().st_size > HEAVY:
                image.save(unfinished, "WEBP", quality=QUALITY, method=4)
        if unfinished.stat().st_size >= len(data):
            unfinished.unlink()
            none.touch()
            return file
        os.replace(unfinished, made)
    return made


def prepare(tag: str, size: tuple[int, int] | None, source: str | None, first: bool) -> str:
    """An image's tag with its size, and with how to load it.

    Parameters
    ----------
    tag
        ``<img …>``. What it says already stays.
    size
        The image's width and height in pixels, None where it isn't known.
    source
        The address to show it from, None for the one that it has.
    first
        Whether it is the first of its page, which doesn't wait.
    """
    given = {}
    for found in list(ATTRIBUTE.finditer(tag, 1))[1:]:
        given[found[1].lower()] = unescape(found[2] or found[3] or found[4] or "")
    if source:
        given["src"] = source
    if size and not given.keys() & {"width", "height"}:
        width, height = size
        if shown := WIDTH.search(given.get("style", "")):
            width, height = float(shown[1]), height * float(shown[1]) / width
        given |= {"width": str(round(width)), "height": str(max(1, round(height)))}
    given.setdefault("decoding", "async")
    if not first:
        given.setdefault("loading", "lazy")
    return "<img " + " ".join(f'{name}="{escape(value)}"' for name, value in given.items()) + ">"


def _prepare_page(app: Sphinx, pagename: str, template: str, context: dict, doctree: object) -> None:
    body = context.get("body")
    if not site.is_built(app) or not body or "<img" not in body:
        return
    originals = {name: Path(app.srcdir, uri) for uri, name in app.builder.images.items()}
    folder = Path(app.outdir, app.builder.imagedir)
    cache = Path(app.doctreedir, "assets", "images")
    seen, lighter = 0, {}

    def replace(tag: re.Match[str]) -> str:
        nonlocal seen
        seen += 1
        address = re.search(r'\ssrc="([^":]*_images/)([^"/]+)"', tag[0])
        original = originals.get(unquote(address[2])) if address else None
        if original is None or not original.is_file() or original.suffix.lower() == ".svg":
            return prepare(tag[0], None, None, seen == 1)
        with Image.open(original) as image:
            size = image.size
        source = None
        if original.suffix.lower() == ".png" and (file := light(original, cache)) != original:
            name = unquote(address[2]).rpartition(".")[0] + ".webp"
            write_changed(folder / name, file.read_bytes())
            source = address[1] + quote(name)
            lighter[address[1] + address[2]] = source
        return prepare(tag[0], size, source, seen == 1)

    body = IMG.sub(replace, body)
    for old, new in lighter.items():
        body = body.replace(f'href="{old}"', f'href="{new}"')  # a figure links to itself in full size
    context["body"] = body


def setup(app: Sphinx) -> None:
    app.connect("html-page-context", _prepare_page, priority=600)
