"""What the lecture contains, and what is wrong in it: one file, ``book/course/lecture.yml``.

It has a title for each item, and the place that is to treat it, a page or a folder of
pages. As soon as that place is in the table of contents, an item that no page covers fails
the build.
"""

from collections.abc import Iterable

import yaml
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

from coursebook.page.about import LAST

__all__ = ["LETTERS", "missing", "of_book", "parse", "setup"]

LETTERS = {"S": "lecture", "M": "corrections"}  # and the key in the front matter


def of_book(env: BuildEnvironment) -> dict[str, dict]:
    """What :func:`parse` gave for the page that shows it, by that page's name; empty without one."""
    if not hasattr(env, "coursebook_lecture"):
        env.coursebook_lecture = {}
    return env.coursebook_lecture


def parse(text: str) -> dict[str, dict[str, dict]]:
    """What ``lecture.yml`` says.

    Returns
    -------
    dict
        Under ``places`` the title of each place, under ``lecture`` and ``corrections`` for
        each item a dictionary with its ``title`` and its ``place``.

    Raises
    ------
    ValueError
        If the file is no YAML, an item is missing or malformed, or names an unknown place.
    """
    try:
        read = yaml.load(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except yaml.YAMLError as error:
        raise ValueError(f"expected YAML: {' '.join(str(error).split())}") from None
    keys = ["places", *LETTERS.values()]
    if not isinstance(read, dict) or list(read) != keys or not all(isinstance(part, dict) for part in read.values()):
        raise ValueError(f"expected the mappings {', '.join(keys)}, came {_shape(read)}")
    for letter, key in LETTERS.items():
        expected = [f"{letter}{number}" for number in range(1, LAST[letter] + 1)]
        if list(read[key]) != expected:
            wrong = [name for name in expected if name not in read[key]] or list(read[key])
            look = ", ".join(map(str, wrong[:3]))
            raise ValueError(f"{key}: expected {expected[0]} to {expected[-1]} in their order; look at {look}")
        for name, item in read[key].items():
            if not isinstance(item, dict) or set(item) != {"title", "place"}:
                raise ValueError(f"{name}: expected a title and a place, came {item!r}")
            if not isinstance(item["title"], str) or not item["title"].strip():
                raise ValueError(f"{name}: expected a title in words, came {item['title']!r}")
            if item["place"] not in list(read["places"]):  # it may be of any kind
                places = ", ".join(read["places"])
                raise ValueError(f"{name}: expected one of the places {places}, came {item['place']!r}")
    return read


def _shape(read: object) -> str:
    return ", ".join(map(str, read)) if isinstance(read, dict) else type(read).__name__


def missing(lecture: dict[str, dict[str, dict]], covered: set[str], pages: Iterable[str]) -> list[str]:
    """Items that should be covered by now: their place has a page, and no page treats them.

    Parameters
    ----------
    lecture
        What :func:`parse` returns.
    covered
        The items that the pages cover.
    pages
        The names of all pages in the table of contents.
    """
    pages = list(pages)
    due = {place for place in lecture["places"] if any(f"{page}/".startswith(f"{place}/") for page in pages)}
    return [
        name
        for key in LETTERS.values()
        for name, item in lecture[key].items()
        if name not in covered and item["place"] in due
    ]


def _forget(app: Sphinx, env: BuildEnvironment, docname: str) -> None:
    of_book(env).pop(docname, None)


def _merge(app: Sphinx, env: BuildEnvironment, docnames: list[str], other: BuildEnvironment) -> None:
    of_book(env).update({name: found for name, found in of_book(other).items() if name in docnames})


def setup(app: Sphinx) -> None:
    app.connect("env-purge-doc", _forget)
    app.connect("env-merge-info", _merge)
