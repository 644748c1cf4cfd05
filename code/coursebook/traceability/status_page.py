"""The listing of what each page took and showed, on which data and versions."""

from docutils import nodes

from coursebook.html_element import element, make
from coursebook.traceability.listing import (
    Book,
    counted,
    duration,
    head,
    row,
    section,
    table,
)

__all__ = ["status"]


def status(book: Book) -> list[nodes.Node]:
    """What each page took and showed, the data and the versions, and every recorded result."""
    shown = book.manifest["pages"]
    ran = [page for page in shown if page["seconds"] is not None]
    total = sum(page["seconds"] for page in ran)
    runs = f"{len(ran)} of them {'runs' if len(ran) == 1 else 'run'} code"
    said = f"The book has {counted(len(shown), 'page')}. {runs}: {duration(total)} in all, one after another."
    foot = make(
        "tr",
        head("The whole book"),
        *(make("td", text) for text in (
            duration(total),
            *(f"{sum(len(page[key]) for page in shown):,}" for key in ("results", "claims")),
        )),
    )
    pages = table(
        "What each page with code took to run, what it rests on, and what it showed",
        ["Page", "Time", "Results", "Claims"],
        [
            row(
                head(book.link(page), *_rests_on(page)),
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
        section("The data", "the-data", _data(book.manifest["data"])),
        section("The environment", "the-environment", *_environment(book.manifest)),
        section(
            "The results",
            "the-results",
            make(
                "p",
                "Each number that the sentences of the book take from a computation, by page. "
                "What follows a ± is a standard deviation.",
            ),
            *(_results(page) for page in shown if page["results"]),
        ),
    ]


def _rests_on(page: dict) -> list[element]:
    rests = [text for text in (page["data"], ", ".join(page["packages"])) if text]
    return [make("span", " · ".join(rests), classes="index-note")] if rests else []


def _data(data: dict) -> element:
    told = {"Name": data["name"], "Origin": data["origin"], "Size": f"{data['size']:,} bytes"}
    told |= {"SHA-256 of the whole": data["sha256"]}
    told |= {f"SHA-256 of {name}": checksum for name, checksum in data["files"].items()}
    entries = [
        make(tag, text, classes="checksum" if tag == "dd" and "SHA" in name else "")
        for name, value in told.items()
        for tag, text in (("dt", name), ("dd", value))
    ]
    return make("dl", *entries, classes="facts")


def _environment(manifest: dict) -> list[nodes.Node]:
    environment = manifest["environment"]
    versions = {"Python": environment["python"], **environment["packages"], "this book": manifest["book"]["version"]}
    rows = [row(head(name), version) for name, version in versions.items() if version]
    where = f"Built on {environment['platform']} with {counted(environment['cores'], 'core')}."
    return [make("p", where), table("The versions that this build used", ["Package", "Version"], rows)]


def _results(page: dict) -> element:
    rows = [row(head(make("code", result["name"])), result["text"], _seeds(result)) for result in page["results"]]
    count = counted(len(page["results"]), "result")
    return make(
        "details",
        make("summary", f"{page['title']}: {count}"),
        table(f"Recorded on “{page['title']}”", ["Name", "Value", "Runs"], rows),
        classes="index-fold",
    )


def _seeds(result: dict) -> str:
    seeds = result.get("seeds")
    return f"{len(seeds)}, seeds {', '.join(map(str, seeds))}" if seeds else "–"
