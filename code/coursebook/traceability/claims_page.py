"""The listing of all claims."""

from docutils import nodes

from coursebook.html_element import element, make
from coursebook.traceability.listing import Book, counted, section

__all__ = ["claims"]


def claims(book: Book) -> list[nodes.Node]:
    """Every claim, by page, with its evidence; each leads to its line."""
    told = [page for page in book.manifest["pages"] if page["claims"]]
    total = sum(len(page["claims"]) for page in told)
    if book.problems:
        said = f"{counted(total, 'claim')} came before the failure."
    else:
        said = f"{counted(total, 'claim')} on {counted(len(told), 'page')}: all of them hold in this build."
    shown = book.notice() + [make("p", make("strong", said))]
    for page in told:
        entries = make("ul", *(_claim(book, page, claim) for claim in page["claims"]), classes="claim-list")
        count = make("p", f"{counted(len(page['claims']), 'claim')}.", classes="index-note")
        shown.append(section(book.link(page), book.anchor(page), count, entries))
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
