"""Check the links that lead out of the book: does what they name still answer?

Sphinx asks each address once (its ``linkcheck`` builder; ``_config.yml`` says how patiently),
on the pages as they were read: nothing runs. This module says in few lines what came out.
Links inside the book are checked by every build.
"""

import argparse
import contextlib
import io
import json
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from jupyter_book.sphinx import build_sphinx

from coursebook.command import ROOT, CommandError

__all__ = ["Link", "add_arguments", "ask", "report", "run"]

MOVED = {301, 308}


@dataclass(frozen=True)
class Link:
    """An address, the first place that names it, and how it answered."""

    page: str
    line: int
    address: str
    status: str
    code: int
    info: str

    @property
    def host(self) -> str:
        return urlsplit(self.address).netloc

    @property
    def broken(self) -> bool:
        return self.status in {"broken", "timeout"}

    @property
    def answered(self) -> bool:
        """Whether anything came back, be it that there is no such page."""
        return not self.broken or bool(self.code) or self.info[:3].isdigit() or "Anchor" in self.info

    @property
    def place(self) -> str:
        return f"{self.page}:{self.line}" if self.line else self.page


def ask(root: Path) -> list[Link]:
    """Ask every address that a built book names, in the order of pages and lines.

    Raises
    ------
    CommandError
        If the book cannot be read.
    """
    folder = root / "_build/links"
    output = io.StringIO()
    with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
        try:
            status = build_sphinx(
                str(root),
                str(folder),
                builder="linkcheck",
                noconfig=True,
                path_config=str(root / "_config.yml"),
                confoverrides={"external_toc_path": str(root / "_toc.yml"), "latex_individualpages": False},
            )
        except SystemExit as stop:
            status = stop
    if not isinstance(status, int):  # 0, or 1 where links are broken
        raise CommandError(f"the book cannot be read: {status}\n{output.getvalue()[-2000:]}")
    lines = (folder / "output.json").read_text(encoding="utf-8").splitlines()
    links = [
        Link(
            item["filename"],
            _line(root / item["filename"], item["uri"], item["lineno"]),
            item["uri"],
            item["status"],
            item["code"],
            " ".join(item["info"].split()),
        )
        for item in map(json.loads, lines)
        if urlsplit(item["uri"]).scheme in {"http", "https"}
    ]
    return sorted(links, key=lambda link: (link.page, link.line, link.address))


def _line(page: Path, address: str, near: int) -> int:
    """The line that names an address: Sphinx's is that of a paragraph, and one off in pages with cells."""
    lines = page.read_text(encoding="utf-8").splitlines()
    named = [i for i, text in enumerate(lines, 1) if address in text]
    return min(named, key=lambda line: abs(line - near), default=near)


def report(links: list[Link]) -> tuple[int, str]:
    """The exit code, and what to tell.

    Raises
    ------
    CommandError
        If no host answered at all: then it is this machine that is cut off.
    """
    hosts = sorted({link.host for link in links if link.status != "ignored"})
    if hosts and not any(link.answered for link in links if link.status != "ignored"):
        raise CommandError(
            f"none of {len(hosts)} host{'s' * (len(hosts) > 1)} answered ({', '.join(hosts[:3])}"
            f"{', …' if len(hosts) > 3 else ''}): this machine seems to be without network, and nothing was checked"
        )
    broken = [link for link in links if link.broken]
    moved = [link for link in links if link.status == "redirected" and link.code in MOVED]
    lines = [f"{link.place}: {link.address} has moved to {link.info}" for link in moved]
    lines += [f"{link.place}: {link.address} is broken: {link.info}" for link in broken]
    lines.append(f"{len(links)} links out of the book: {len(broken)} broken, {len(moved)} moved for good")
    return int(bool(broken)), "\n".join(lines)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    parser.add_argument("--root", type=Path, default=ROOT, help="folder of the book (default: this one)")


def run(arguments: argparse.Namespace) -> int:
    """Check the links; returns the exit code."""
    root = arguments.root.resolve()
    if not (root / "_build/html").is_dir():
        raise CommandError(f"{root / '_build/html'} is missing: build the book first, with `make html`")
    print("asking every address that the book names; a slow one takes half a minute", flush=True)
    code, said = report(ask(root))
    print(said)
    return code
