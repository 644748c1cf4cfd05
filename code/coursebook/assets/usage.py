"""What pages and scripts use: tags, classes, ids, attributes, and words that could be one.

Pages are read once: what was found is kept beside the size and time of the file.
"""

import re
from dataclasses import asdict, dataclass, field

__all__ = ["Usage", "of_page", "of_script", "reduced", "variables"]

TAG = re.compile(r"<[a-zA-Z](?:[^>\"']|\"[^\"]*\"|'[^']*')*>")
ATTRIBUTE = re.compile(r"([^\s\"'<>/=]+)(?:\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s\"'>]+)))?")
SCRIPT = re.compile(r"<script\b[^>]*>(.*?)</script>", re.DOTALL)
STRING = re.compile(r"\"((?:[^\"\\\n]|\\.)*)\"|'((?:[^'\\\n]|\\.)*)'|`((?:[^`\\]|\\.)*)`")
VARIABLE = re.compile(r"var\(\s*(--[\w-]+)")
FILE = re.compile(r"(_(?:static|images)/[^\"'?#)\s]+)")
# Attributes whose values are text or addresses: no style sheet asks for them.
TEXTS = {"alt", "aria-label", "content", "d", "for", "href", "placeholder", "src", "style", "title", "value"}


@dataclass
class Usage:
    """What is used, as sets of names."""

    tags: set[str] = field(default_factory=set)
    classes: set[str] = field(default_factory=set)
    ids: set[str] = field(default_factory=set)
    attributes: set[str] = field(default_factory=set)
    values: set[str] = field(default_factory=set)
    words: set[str] = field(default_factory=set)  # what scripts may set as any of the former
    variables: set[str] = field(default_factory=set)  # custom properties, read outside of style sheets
    files: set[str] = field(default_factory=set)  # in _static and _images

    def __or__(self, other: "Usage") -> "Usage":
        return Usage(**{name: values | getattr(other, name) for name, values in vars(self).items()})

    def __ior__(self, other: "Usage") -> "Usage":
        for name, values in vars(other).items():
            getattr(self, name).update(values)
        return self

    def to_json(self) -> dict[str, list[str]]:
        return {name: sorted(values) for name, values in asdict(self).items()}

    @classmethod
    def from_json(cls, stored: dict[str, list[str]]) -> "Usage":
        return cls(**{name: set(values) for name, values in stored.items()})


def of_page(html: str) -> Usage:
    """What the markup of a page uses, and its scripts in it."""
    used = Usage(files=set(FILE.findall(html)), variables=set(VARIABLE.findall(html)))
    for script in SCRIPT.findall(html):
        used |= of_script(script)
    # Most tags come often, as the spans of code do.
    for text in set(TAG.findall(SCRIPT.sub("", html))):
        tag, *attributes = ATTRIBUTE.finditer(text, 1)
        used.tags.add(tag[1].lower())
        for attribute in attributes:
            name, value = attribute[1].lower(), attribute[2] or attribute[3] or attribute[4] or ""
            used.attributes.add(name)
            if name == "class":
                used.classes.update(value.split())
            elif name == "id":
                used.ids.update(value.split())
            if name not in TEXTS and name != "id":
                used.values.update(value.split())
    return used


def of_script(source: str) -> Usage:
    """Each word in a string of the script: it may be a class that is set, or a tag that is made."""
    used = Usage(files=set(FILE.findall(source)), variables=set(VARIABLE.findall(source)))
    for found in STRING.finditer(source):
        text = found[1] or found[2] or found[3] or ""
        used.words.update(re.findall(r"[\w-]+", text))
    # A template may hold strings, and a minified script hides some between two others.
    used.words.update(re.findall(r"[\w-]*[a-zA-Z]-[\w-]+", source))
    return used


def variables(css: str) -> list[str]:
    """The custom properties that a style sheet reads."""
    return sorted(set(VARIABLE.findall(css)))


def reduced(used: Usage, css: str) -> dict[str, list[str]]:
    """The part of it that a style sheet asks for, in a fixed order.

    It changes only when the trimmed style sheet may change; a new link or a new anchor
    leaves it as it is.
    """
    named = set(re.findall(r"[\w-]+", css))
    wanted = {value for pair in re.findall(r"\[[\w-]+[~|^$*]?=(?:\"([^\"]*)\"|([^\]\s]*))", css) for value in pair if value}
    kept = {
        name: {word for word in getattr(used, name) if word in named or not re.fullmatch(r"[\w-]+", word)}
        for name in ("tags", "classes", "ids", "attributes", "words")
    }
    kept["values"] = {value for value in used.values if any(text in value for text in wanted)}
    kept["variables"] = used.variables
    return {name: sorted(values) for name, values in kept.items()}
