"""The listing of the manifest's fields, made from its schema."""

import json

from docutils import nodes

from coursebook.html_element import element, link, make
from coursebook.traceability.listing import Book, section
from coursebook.traceability.manifest import NAME, SCHEMA

__all__ = ["fields"]


def fields(book: Book) -> list[nodes.Node]:
    """Each field of the manifest, as its schema describes it."""
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    files = make("p", link(NAME, book.file(NAME)), " · ", link(SCHEMA.name, book.file(SCHEMA.name)))
    parts = [section("The whole", "manifest-whole", _fields(schema))]
    for name, part in schema["$defs"].items():
        parts.append(section(name.capitalize(), f"manifest-{name}", make("p", part["description"]), _fields(part)))
    return [files, *parts]


def _fields(schema: dict) -> element:
    entries: list[element] = []
    for name, field in schema["properties"].items():
        kind = make("span", *_type(field), classes="index-note")
        entries += [make("dt", make("code", name), " ", kind), make("dd", field["description"])]
    return make("dl", *entries, classes="facts")


def _type(field: dict) -> list[nodes.Node | str]:
    if "$ref" in field:
        name = field["$ref"].rpartition("/")[2]
        return [nodes.reference("", name, internal=True, refid=f"manifest-{name}")]
    if "const" in field:
        return [json.dumps(field["const"])]
    kind = field.get("type", "any value")
    if kind == "array":
        return ["list, each ", *_type(field["items"])]
    return [" or ".join(kind) if isinstance(kind, list) else kind]
