"""What the front matter of a page says, brought onto the page.

::

    ---
    file_format: mystnb
    description: One sentence for search engines and for people who share a link.
    lecture: [S2-S7, S36]
    corrections: [M4-M14]
    reading_time: 12
    ---

``description`` becomes the page's description, and no page is without; the others, where
they are given, one line under the title. Lecture items are S1 to S81 and corrections M1 to
M62, single or as a range; the reading time is in minutes.
"""

import re
from html import escape

from docutils import nodes
from sphinx.application import Sphinx

from coursebook import front_matter, problems

__all__ = ["insert_below_title", "items", "setup", "shown"]

LAST = {"S": 81, "M": 62}  # the lecture's inventory and its list of corrections

WORDS = (4, 50)  # of a description: a sentence that search engines and shared links show


def items(given: object, letter: str) -> list[int]:
    """Numbers of lecture items or corrections.

    Parameters
    ----------
    given
        A list, or a text with commas, of ``S7`` or ranges ``S2-S7``.
    letter
        ``S`` for lecture items, ``M`` for corrections.

    Returns
    -------
    list of int
        Ascending, each once.

    Raises
    ------
    ValueError
        If an entry is malformed or out of range.
    """
    entries = given.split(",") if isinstance(given, str) else given
    if not isinstance(entries, list):
        raise ValueError(f"expected a list such as [{letter}2-{letter}7, {letter}9], came {given!r}")
    numbers: set[int] = set()
    for entry in entries:
        match = re.fullmatch(rf"\s*{letter}(\d+)(?:\s*[-–]\s*{letter}?(\d+))?\s*", str(entry))
        if not match:
            raise ValueError(f"expected {letter}7 or {letter}2-{letter}7, came {str(entry)!r}")
        first, last = int(match[1]), int(match[2] or match[1])
        if not 1 <= first <= last <= LAST[letter]:
            raise ValueError(
                f"expected items from {letter}1 to {letter}{LAST[letter]} in ascending order, came {entry!r}"
            )
        numbers.update(range(first, last + 1))
    return sorted(numbers)


def shown(numbers: list[int], letter: str) -> str:
    """Numbers as one reads them: ``S2–S7, S36``."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ", ".join(
        f"{letter}{run[0]}" if len(run) == 1 else f"{letter}{run[0]}–{letter}{run[-1]}" for run in runs
    )


def _check_description(given: object) -> None:
    if given is None or given == "":
        raise ValueError("description: missing; expected a sentence that says what the page is about")
    if not isinstance(given, str):
        raise ValueError(f"description: expected a text, came {given!r}")
    if not WORDS[0] <= len(given.split()) <= WORDS[1]:
        raise ValueError(f"description: expected a sentence of {WORDS[0]} to {WORDS[1]} words, came {given!r}")


def _about(metadata: dict) -> str:
    """The line under the title, empty where the front matter gives nothing for it."""
    said = []
    if lecture := items(metadata.get("lecture", []), "S"):
        said.append(f"Covers {shown(lecture, 'S')} of the lecture")
    if corrections := items(metadata.get("corrections", []), "M"):
        said.append(f"mends {shown(corrections, 'M')}")
    line = ", ".join(said)
    minutes = metadata.get("reading_time")
    if minutes is not None:
        if type(minutes) is not int or minutes < 1:
            raise ValueError(f"reading_time: expected a whole number of minutes, came {minutes!r}")
        line += f"{' · ' if line else ''}{minutes} min read"
    return line[:1].upper() + line[1:]


def insert_below_title(doctree: nodes.document, *new: nodes.Node) -> None:
    """Put nodes between the page's title and what follows it."""
    section = next(doctree.findall(nodes.section), None)
    if section is None:
        doctree[0:0] = new  # a page without a title
    else:
        section[1:1] = new


def _read(app: Sphinx, docname: str, source: list[str]) -> None:
    app.env.temp_data["coursebook_front_matter"] = front_matter.read(source[0])


def _show(app: Sphinx, doctree: nodes.document) -> None:
    metadata = app.env.temp_data["coursebook_front_matter"]
    try:
        _check_description(metadata.get("description"))
        line = _about(metadata)
    except ValueError as error:
        problems.report(app.env, f"front matter: {error}", 1)
        return
    if line:
        insert_below_title(doctree, nodes.paragraph("", line, classes=["about-page"]))


def _describe(app: Sphinx, pagename: str, template: str, context: dict, doctree: object) -> None:
    description = app.env.metadata.get(pagename, {}).get("description", "")
    if description:
        text = escape(" ".join(str(description).split()))
        context["metatags"] = context.get("metatags", "") + f'<meta name="description" content="{text}" />\n'


def setup(app: Sphinx) -> None:
    app.connect("source-read", _read, priority=400)  # as the author wrote it
    app.connect("doctree-read", _show)
    app.connect("html-page-context", _describe)
