"""The file that Chromium prints: read for its page numbers, completed, and read again.

Chromium tags and outlines what it prints. It does not say who wrote it, knows of no
formulas, and joins the lines of a long heading.
"""

import logging
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pikepdf
from pypdf import PdfReader, PdfWriter
from pypdf.generic import DictionaryObject, NameObject, TextStringObject

from coursebook.command import CommandError
from coursebook.printing import printable

__all__ = ["check", "finish", "page_numbers"]

logging.getLogger("pypdf").setLevel(logging.ERROR)  # it warns of a count in Chromium's files that is none of ours


def page_numbers(printed: bytes) -> dict[str, int]:
    """The page of each target of a link inside the document."""
    reader = PdfReader(BytesIO(printed))
    return {
        name.removeprefix("/"): reader.get_destination_page_number(target) + 1
        for name, target in reader.named_destinations.items()
    }


def finish(printed: bytes, about: dict[str, str], headings: list[str]) -> bytes:
    """Add what Chromium leaves out: who wrote it, what it is about, how it opens.

    And mend what it does to headings: those of two lines lose a space in the outline.
    """
    writer = PdfWriter(clone_from=BytesIO(printed))
    writer.pdf_header = "%PDF-1.7"
    writer.add_metadata({
        "/Title": about["title"],
        "/Author": about["author"],
        "/Subject": about["description"],
        "/Creator": "coursebook",
    })
    writer.create_viewer_preferences().display_doctitle = True
    writer.page_mode = "/UseOutlines"
    root = writer.root_object
    structure = root["/StructTreeRoot"]
    # Chromium uses names of PDF 2.0 without saying so; readers of 1.7 would skip the words.
    structure[NameObject("/RoleMap")] = DictionaryObject({
        NameObject(name): NameObject("/Span") for name in ("/Em", "/Strong")
    })
    for element in _elements(structure):
        text = str(element.get("/Alt", ""))
        if text.startswith(printable.FORMULA):  # Chromium knows of no formulas
            element[NameObject("/S")] = NameObject("/Formula")
            element[NameObject("/Alt")] = TextStringObject(text.removeprefix(printable.FORMULA))
    entries = list(_entries(root.get("/Outlines")))
    found = [str(entry["/Title"]) for entry in entries]
    if list(map(_letters, found)) != list(map(_letters, headings)):
        raise CommandError(f"Chromium's outline is {found}, expected {headings}")
    for entry, heading in zip(entries, headings, strict=True):
        entry[NameObject("/Title")] = TextStringObject(heading)
    return _packed(writer)


def _packed(writer: PdfWriter) -> bytes:
    """The file, its objects in compressed streams: the tags of formulas alone are three quarters of it else."""
    loose, packed = BytesIO(), BytesIO()
    writer.write(loose)
    with pikepdf.open(loose) as pdf:
        pdf.save(packed, object_stream_mode=pikepdf.ObjectStreamMode.generate)
    return packed.getvalue()


def _entries(parent: DictionaryObject | None) -> Iterator[DictionaryObject]:
    """The entries of an outline, from the top down."""
    entry = parent.get("/First") if parent is not None else None
    while entry is not None:
        entry = entry.get_object()
        yield entry
        yield from _entries(entry)
        entry = entry.get("/Next")


def _elements(parent: DictionaryObject) -> Iterator[DictionaryObject]:
    """The elements of the structure below one."""
    waiting = [parent]
    while waiting:
        children = waiting.pop().get("/K", [])
        for child in children if isinstance(children, list) else [children]:
            child = child.get_object()
            if isinstance(child, DictionaryObject) and "/S" in child:
                yield child
                waiting.append(child)


def _letters(text: str) -> str:
    return "".join(text.split())


def check(path: Path) -> int:
    """Read a printed book again, all of it; returns the number of its pages."""
    reader = PdfReader(path)
    root = reader.trailer["/Root"]
    if not (root.get("/MarkInfo", {}).get("/Marked") and "/StructTreeRoot" in root and root.get("/Lang")):
        raise CommandError("Chromium printed no tagged PDF with a language; version 131 or later is needed")
    if empty := [number for number, page in enumerate(reader.pages, 1) if not page.extract_text().strip()]:
        raise CommandError(f"pages without a word: {empty}")
    return len(reader.pages)
