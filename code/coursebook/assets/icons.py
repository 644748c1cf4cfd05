"""Icon fonts cut to the icons that a style sheet shows, and carried inside it.

Font Awesome's files hold 2,000 icons; a page shows a dozen. As a style sheet names each
icon by its character, the trimmed sheet says which ones are left.
"""

import base64
import io
import logging
import re
from pathlib import Path

from fontTools import subset
from fontTools.ttLib import TTFont

__all__ = ["embed"]

logging.getLogger("fontTools").setLevel(logging.WARNING)  # it tells of each table

FACE = re.compile(r"@font-face\{[^}]*\}")
# Characters of the area for private use, as style sheets write them
ESCAPED = re.compile(r"\\([ef][0-9a-f]{3})\b", re.IGNORECASE)
LITERAL = re.compile("[\ue000-\uf8ff]")
REGULAR = re.compile(r"\.(?:far|fa-regular)\b")


def embed(css: str, folder: Path) -> str:
    """Replace each icon font of a style sheet by what is shown of it.

    Parameters
    ----------
    css
        A minified style sheet. Addresses in it are relative to ``folder``.
    folder
        Where the style sheet lies.

    Returns
    -------
    str
        The style sheet with the fonts in it. A font without an icon that is shown is left out.
    """
    shown = {int(code, 16) for code in ESCAPED.findall(css)} | {ord(icon) for icon in LITERAL.findall(css)}

    def replace(face: re.Match[str]) -> str:
        address = re.search(r"url\([\"']?([^\"')]*fontawesome[^\"')]*\.woff2)", face[0])
        if not address:
            return face[0]
        outline = "font-weight:400" in face[0] and "Brands" not in face[0]
        if outline and not REGULAR.search(css):
            return ""
        font = cut(folder / address[1], shown)
        if not font:
            return ""
        data = base64.b64encode(font).decode("ascii")
        return re.sub(r"src:[^}]*", f'src:url(data:font/woff2;base64,{data}) format("woff2")', face[0])

    return FACE.sub(replace, css)


def cut(file: Path, characters: set[int]) -> bytes:
    """The font with these characters alone, as WOFF2; empty where it has none of them."""
    with TTFont(file) as font:
        kept = characters & set(font.getBestCmap())
        if not kept:
            return b""
        options = subset.Options()
        options.layout_features = []  # ligatures by name, which no style sheet needs
        options.name_IDs = [0, 1, 2, 13]  # who made it, what it is called, its licence
        subsetter = subset.Subsetter(options)
        subsetter.populate(unicodes=kept)
        subsetter.subset(font)
        font.flavor = "woff2"
        written = io.BytesIO()
        font.save(written)
    return written.getvalue()
