"""What the index pages show of the manifest."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from docutils import nodes

from coursebook.html_element import element, link, make
from coursebook.manifest import NAME, SCHEMA

__all__ = ["LISTINGS", "Book", "duration"]

FAILED = "This build has failed."


@dataclass
class Book:
    """The manifest, and how an index page finds the others."""

    manifest: dict
    address: Callable[[str], str]  # of a page, from the one that shows it
    file: Callable[[str], str]  # of a file at the root of the site
    problems: list[str]  # pages that failed

    def __post_init__(self) -> None:
        self.pages = {page["name"]: page for page in self.manifest["pages"]}

    @staticmethod
    def anchor(page: dict) -> str:
        """Where an index page tells of a page."""
        return nodes.make_id(f"of-{page['name']}")

    def link(self, page: dict, anchor: str | None = None, text: str | None = None) -> nodes.reference:
        """A link to a page, or to a place on it."""
        return link(text or page["title"], self.address(page["name"]) + (f"#{anchor}" if anchor else ""))

    def notice(self) -> list[nodes.Node]:
        """A warning, where the build has failed: then what is listed is not the whole truth."""
        if not self.problems:
            return []
        failed = [self.link(self.pages[name]) if name in self.pages else nodes.Text(name) for name in self.problems]
        text = nodes.paragraph("", "What stands below is neither complete nor checked. Look at: ")
        for i, node in enumerate(failed):
            text += [nodes.Text(", "), node] if i else [node]
        return [nodes.admonition("", nodes.title("", FAILED), text, classes=["error", "failed-build"])]


def _counted(n: int, one: str, many: str = "") -> str:
    return f"{n:,} {one if n == 1 else many or one + 's'}"


def duration(seconds: float | None) -> str:
    """A time as one says it: 2.3 s, 48 s, 3 min 21 s."""
    if seconds is None:
        return "–"
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def _section(title: nodes.Node | str, anchor: str, *children: nodes.Node) -> nodes.section:
    heading = nodes.title("", "", nodes.Text(title) if isinstance(title, str) else title)
    return nodes.section("", heading, *children, ids=[anchor])


def _table(caption: str, heads: list[str], rows: list[element], foot: element | None = None, classes: str = "") -> element:
    head = make("thead", make("tr", *(make("th", head, scope="col") for head in heads)))
    parts = [make("caption", caption), head, make("tbody", *rows)] + ([make("tfoot", foot)] if foot else [])
    return make("table", *parts, classes=f"index-table {classes}")


def _row(head: element, *cells: nodes.Node | str, anchor: str = "") -> element:
    return make("tr", head, *(cell if isinstance(cell, element) and cell["tag"] == "td" else make("td", cell) for cell in cells), anchor=anchor)


def _head(*children: nodes.Node | str) -> element:
    return make("th", *children, scope="row")


# --- claims


def claims(book: Book) -> list[nodes.Node]:
    """Every claim, by page, with its evidence; each leads to its line."""
    told = [page for page in book.manifest["pages"] if page["claims"]]
    total = sum(len(page["claims"]) for page in told)
    if book.problems:
        said = f"{_counted(total, 'claim')} came before the failure."
    else:
        said = f"{_counted(total, 'claim')} on {_counted(len(told), 'page')}: all of them hold in this build."
    shown = book.notice() + [make("p", make("strong", said))]
    for page in told:
        entries = make("ul", *(_claim(book, page, claim) for claim in page["claims"]), classes="claim-list")
        count = make("p", f"{_counted(len(page['claims']), 'claim')}.", classes="index-note")
        shown.append(_section(book.link(page), book.anchor(page), count, entries))
    return shown


def _claim(book: Book, page: dict, claim: dict) -> element:
    return make(
        "li",
        make("span", "✓", classes="claim-sign", role="img", aria_label="Checked:"),
        make(
            "div",
            make("span", book.link(page, claim["anchor"], claim["text"]), classes="claim-words"),
            make("span", claim["evidence"], classes="claim-figures"),
        ),
    )


# --- status


def status(book: Book) -> list[nodes.Node]:
    """What each page took and showed, the data and the versions, and every recorded result."""
    shown = book.manifest["pages"]
    ran = [page for page in shown if page["seconds"] is not None]
    total = sum(page["seconds"] for page in ran)
    runs = f"{len(ran)} of them {'runs' if len(ran) == 1 else 'run'} code"
    said = f"The book has {_counted(len(shown), 'page')}. {runs}: {duration(total)} in all, one after another."
    foot = make(
        "tr",
        _head("The whole book"),
        *(make("td", text) for text in (
            duration(total),
            *(f"{sum(len(page[key]) for page in shown):,}" for key in ("results", "claims")),
        )),
    )
    pages = _table(
        "What each page with code took to run, what it rests on, and what it showed",
        ["Page", "Time", "Results", "Claims"],
        [
            _row(
                _head(book.link(page), *_rests_on(page)),
                duration(page["seconds"]),
                *(f"{len(page[key]):,}" for key in ("results", "claims")),
                anchor=book.anchor(page),
            )
            for page in ran
        ],
        foot,
        "figures",
    )
    return [
        *book.notice(),
        make("p", said),
        pages,
        _section("The data", "the-data", _data(book.manifest["data"])),
        _section("The environment", "the-environment", *_environment(book.manifest["environment"], book.manifest["book"])),
        _section(
            "The results",
            "the-results",
            make("p", "Each number that the sentences of the book take from a computation, by page. What follows a ± is a standard deviation."),
            *(_results(page) for page in shown if page["results"]),
        ),
    ]


def _rests_on(page: dict) -> list[element]:
    rests = [text for text in (page["data"], ", ".join(page["packages"])) if text]
    return [make("span", " · ".join(rests), classes="index-note")] if rests else []


def _data(data: dict) -> element:
    told = {"Name": data["name"], "Origin": data["origin"], "Size": f"{data['size']:,} bytes", "SHA-256 of the whole": data["sha256"]}
    told |= {f"SHA-256 of {name}": checksum for name, checksum in data["files"].items()}
    entries = [
        make(tag, text, classes="checksum" if tag == "dd" and "SHA" in name else "")
        for name, value in told.items()
        for tag, text in (("dt", name), ("dd", value))
    ]
    return make("dl", *entries, classes="facts")


def _environment(environment: dict, book: dict) -> list[nodes.Node]:
    versions = {"Python": environment["python"], **environment["packages"], "this book": book["version"]}
    rows = [_row(_head(name), version) for name, version in versions.items() if version]
    where = f"Built on {environment['platform']} with {_counted(environment['cores'], 'core')}."
    return [make("p", where), _table("The versions that this build used", ["Package", "Version"], rows)]


def _results(page: dict) -> element:
    rows = [_row(_head(make("code", result["name"])), result["text"], _seeds(result)) for result in page["results"]]
    count = _counted(len(page["results"]), "result")
    return make(
        "details",
        make("summary", f"{page['title']}: {count}"),
        _table(f"Recorded on “{page['title']}”", ["Name", "Value", "Runs"], rows),
        classes="index-fold",
    )


def _seeds(result: dict) -> str:
    seeds = result.get("seeds")
    return f"{len(seeds)}, seeds {', '.join(map(str, seeds))}" if seeds else "–"


# --- from the slides to the book


def slides(book: Book) -> list[nodes.Node]:
    """Every item of the lecture and every correction, with the sections that treat it."""
    lecture, corrections = book.manifest["lecture"], book.manifest["corrections"]
    return [
        *book.notice(),
        make("p", make("strong", f"{_share(lecture, 'lecture items')} and {_share(corrections, 'corrections')} are covered so far.")),
        _section(
            "The lecture, item by item",
            "lecture-items",
            _table("Where the book treats each item of the lecture", ["Item", "What it is, and where"], [_item(book, i) for i in lecture], classes="items"),
        ),
        _section(
            "What the book corrects",
            "corrections",
            make("p", "The lecture’s slips, ambiguities and dated habits, one a line. The section behind a link shows each one at work, and mends it."),
            _table("Where the book mends each slip of the lecture", ["No.", "What it is, and where"], [_item(book, i) for i in corrections], classes="items"),
        ),
    ]


def _share(listed: list[dict], what: str) -> str:
    return f"{sum(bool(item['covered']) for item in listed)} of {len(listed)} {what}"


def _item(book: Book, item: dict) -> element:
    if item["covered"]:
        where = make("span", *_separated(_places(book, item)), classes="index-where")
    else:
        where = make("span", f"Not yet; planned for: {item['place_title']}", classes="index-where not-yet")
    return _row(_head(item["item"]), make("td", make("span", item["title"], classes="index-title"), where), anchor=item["item"])


def _places(book: Book, item: dict) -> Iterator[nodes.Node]:
    for place in item["covered"]:
        page = book.pages[place["page"]]
        section = next((s for s in page["sections"] if s["anchor"] == place["anchor"]), None)
        if section and section["level"] > 1:
            yield book.link(page, place["anchor"], f"{section['title']} ({page['title']})")
        else:
            yield book.link(page)


def _separated(links: Iterator[nodes.Node]) -> list[nodes.Node | str]:
    found: list[nodes.Node | str] = []
    for node in links:
        found += [" · ", node] if found else [node]
    return found


# --- the manifest itself


def fields(book: Book) -> list[nodes.Node]:
    """Each field of the manifest, as its schema describes it."""
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    files = make("p", link(NAME, book.file(NAME)), " · ", link(SCHEMA.name, book.file(SCHEMA.name)))
    parts = [_section("The whole", "manifest-whole", _fields(schema))]
    for name, part in schema["$defs"].items():
        parts.append(_section(name.capitalize(), f"manifest-{name}", make("p", part["description"]), _fields(part)))
    return [files, *parts]


def _fields(schema: dict) -> element:
    entries: list[element] = []
    for name, field in schema["properties"].items():
        entries += [make("dt", make("code", name), " ", make("span", *_type(field), classes="index-note")), make("dd", field["description"])]
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


LISTINGS: dict[str, Callable[[Book], list[nodes.Node]]] = {
    "claims": claims,
    "status": status,
    "slides": slides,
    "manifest-fields": fields,
}
