"""Style sheets merged into one, and trimmed to what pages use.

Trimming starts Node (see ``trim.mjs``). It is done once for each set of style sheets and of
used names; the result is kept.
"""

import hashlib
import json
import posixpath
import re
import subprocess
from pathlib import Path

from coursebook import node
from coursebook.assets import icons, usage
from coursebook.assets.usage import Usage
from coursebook.files import write_whole

__all__ = ["merge", "trim"]

TRIMMER = Path(__file__).with_name("trim.mjs")
CODE = (TRIMMER, Path(icons.__file__), Path(__file__))
IMPORT = re.compile(r"@import\s+(?:url\()?[\"']([^\"']+)[\"']\)?\s*;")
URL = re.compile(r"url\(\s*([\"']?)(?!data:|#|\w+:)([^\"')]+)\1\s*\)")


def merge(folder: Path, sheets: dict[str, str]) -> str:
    """One style sheet from many, in their order.

    Parameters
    ----------
    folder
        Addresses in the result are relative to it.
    sheets
        The files, relative to ``folder``, with the medium that each is for (empty for all).
        What a file imports is put in the place of the import.
    """
    seen: set[str] = set()
    texts = []
    for name, media in sheets.items():
        css = _read(folder, posixpath.normpath(name), seen)
        texts.append(f"@media {media} {{\n{css}\n}}" if media else css)
    return "\n".join(texts)


def _read(folder: Path, name: str, seen: set[str]) -> str:
    if name in seen:
        return ""
    seen.add(name)
    css = (folder / name).read_text(encoding="utf-8-sig")
    base = posixpath.dirname(name)

    def address(found: re.Match[str]) -> str:
        return f"url({posixpath.normpath(posixpath.join(base, found[2]))})"

    def imported(found: re.Match[str]) -> str:
        return _read(folder, posixpath.normpath(posixpath.join(base, found[1])), seen)

    css = re.sub(r'@charset "[^"]*";|/\*# sourceMappingURL=.*?\*/', "", css)
    return IMPORT.sub(imported, URL.sub(address, css))


def trim(css: str, used: Usage, folder: Path, cache: Path) -> str:
    """A style sheet without the rules that nothing uses, with its icons in it.

    Parameters
    ----------
    css
        The style sheet, its addresses relative to ``folder``.
    used
        What all pages and scripts use.
    cache
        A folder for results.
    """
    asked = usage.reduced(used, css)
    inputs = hashlib.sha256(json.dumps([css, asked]).encode("utf-8"))
    for file in CODE:
        inputs.update(file.read_bytes())
    stored = cache / f"{inputs.hexdigest()[:32]}.css"
    if not stored.is_file():
        write_whole(stored, icons.embed(_purge(css, asked), folder))
    return stored.read_text(encoding="utf-8")


def _purge(css: str, asked: dict[str, list[str]]) -> str:
    node.package("purgecss")
    words, variables = asked["words"], asked["variables"]
    given = json.dumps({"css": css, "used": asked, "words": words, "variables": variables})
    done = subprocess.run(
        [node.executable(), str(TRIMMER)], input=given, capture_output=True, text=True, encoding="utf-8"
    )
    if done.returncode:
        raise RuntimeError(f"the style sheets could not be trimmed:\n{done.stderr.strip()}")
    return done.stdout


