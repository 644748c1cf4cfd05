"""Print the built book into one PDF with Chromium: tagged, outlined, its pages numbered.

The pages are those of the built site, bound into one document (see ``binding``). Chromium
prints it twice: page numbers for the contents are only known after the first time.
"""

import argparse
import asyncio
import json
import os
import re
import tempfile
import time
from datetime import date
from html import escape
from importlib.metadata import version
from pathlib import Path

import yaml
from bs4 import BeautifulSoup
from playwright.async_api import Error, Page
from pygments.formatters import HtmlFormatter

from coursebook import node
from coursebook.command import ROOT, CommandError
from coursebook.printing import binding, chromium, printed_file

__all__ = ["add_arguments", "make", "run"]

NAME = "deep-learning.pdf"
WIDTH = 627  # of the text on paper, 166 mm, in CSS pixels: what is measured is what is printed
SECONDS = 300
SHOWN = ("numpy", "keras", "tensorflow")  # on the title page, where pages use them
SERIF = ("400", "400-italic", "600", "600-italic")
CODE = ("400", "400-italic", "600")

# What is still too wide for the paper becomes smaller: formulas with their numbers, tables.
FIT = """async () => {
  await document.fonts.ready;
  await Promise.all([...document.images].map(image => image.decode().catch(() => {})));
  const broken = [...document.images].filter(image => !image.naturalWidth).map(image => image.src);
  for (const box of document.querySelectorAll(".katex-display, table")) {
    const room = box.parentElement.clientWidth;
    const wide = box.getBoundingClientRect().width;
    if (wide > room) box.style.zoom = 0.99 * room / wide;
  }
  return broken;
}"""

FILL = """numbers => {
  for (const link of document.querySelectorAll(".contents a"))
    link.querySelector(".contents-page").textContent = numbers[decodeURIComponent(link.hash.slice(1))];
}"""


def _style() -> str:
    """Style of the document: code, formulas, what the extension's modules show, paper."""
    room = Path(__file__).parent
    packages = [
        node.package("katex") / "dist/katex.min.css",
        *(node.package("@fontsource/source-serif-4") / f"{cut}.css" for cut in SERIF),
        *(node.package("@fontsource/source-code-pro") / f"{cut}.css" for cut in CODE),
    ]
    # The document lies elsewhere, so the fonts get full addresses.
    sheets = [re.sub(r"url\((?:\./)?", f"url({path.parent.as_uri()}/", _read(path)) for path in packages]
    sheets.append(HtmlFormatter(style="a11y-high-contrast-light").get_style_defs(".highlight"))
    sheets += [_read(path) for path in sorted(room.with_name("static").glob("*.css")) if path.stem != "print"]
    return "\n".join([*sheets, _read(room / "pdf.css")])


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def _about(root: Path, site: Path) -> dict[str, str]:
    config = yaml.safe_load((root / "_config.yml").read_text(encoding="utf-8"))
    first = binding.first_page(root / "_toc.yml")
    soup = BeautifulSoup((site / f"{first}.html").read_text(encoding="utf-8"), "html.parser")
    described = soup.find("meta", attrs={"name": "description"})
    canonical = soup.find("link", rel="canonical")
    return {
        "title": config.get("title", ""),
        "author": config.get("author", ""),
        "language": soup.html.get("lang", "en"),
        "description": described["content"] if described else "",
        "address": canonical["href"].removesuffix(f"{first}.html") if canonical else "",
    }


async def _print(document: Path, executable: str, seconds: float) -> bytes:
    async with chromium.page(executable, WIDTH, seconds) as page:
        await page.emulate_media(media="print", color_scheme="light")
        await page.goto(document.as_uri())
        if broken := await page.evaluate(FIT):
            raise CommandError(f"these images of the site do not load: {', '.join(broken)}")
        printed, numbers = await _pdf(page), {}
        for _ in range(3):  # numbers in the contents could, in theory, move what follows
            before, numbers = numbers, printed_file.page_numbers(printed)
            if numbers == before:
                return printed
            await page.evaluate(FILL, numbers)
            printed = await _pdf(page)
        raise CommandError("the page numbers do not settle")


async def _pdf(page: Page) -> bytes:
    return await page.pdf(prefer_css_page_size=True, print_background=True, tagged=True, outline=True)


def make(root: Path, output: Path, executable: str, seconds: float = SECONDS) -> int:
    """Print the built book of a folder; returns the number of pages.

    Parameters
    ----------
    root
        The folder with ``_config.yml``, ``_toc.yml`` and ``_build/html``.
    output
        The PDF. It is replaced when the new one is whole, and not before.
    executable
        Chromium.
    seconds
        How long printing may take.

    Raises
    ------
    CommandError
        If the book is not built, or cannot be printed.
    """
    site = root / "_build/html"
    try:
        about = _about(root, site)
        found = binding.chapters(site, root / "_toc.yml", about["address"])
    except FileNotFoundError as error:
        raise CommandError(f"{error.filename} is missing: build the book first, with `make html`") from None
    except ValueError as error:
        raise CommandError(str(error)) from None

    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".printing-", dir=output.parent) as folder:
        document = Path(folder, "book.html")
        document.write_text(binding.bind(found, about, _lines(site, about), _style()), encoding="utf-8")
        try:
            printed = asyncio.run(asyncio.wait_for(_print(document, executable, seconds), seconds))
        except asyncio.TimeoutError:
            raise CommandError(f"printing took more than {seconds:g} s; --seconds allows more") from None
        except Error as error:
            raise CommandError(f"{executable} did not print the book: {_first_line(error)}") from None
        whole = Path(folder, "book.pdf")
        whole.write_bytes(printed_file.finish(printed, about, binding.headings(found)))
        pages = printed_file.check(whole)
        os.replace(whole, output)
    return pages


def _first_line(error: Error) -> str:
    lines = [line.strip() for line in error.message.splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__


def _lines(site: Path, about: dict[str, str]) -> list[str]:
    """What the title page says of this edition."""
    today = date.today()
    said = [f"Version {escape(version('dlcourse'))}, printed on {today.day} {today:%B %Y}."]
    manifest = site / "manifest.json"
    if manifest.is_file():
        book = json.loads(manifest.read_text(encoding="utf-8"))
        data, environment = book["data"], book["environment"]
        used = [f"{name} {environment['packages'][name]}" for name in SHOWN if environment["packages"].get(name)]
        said.append(escape(
            f"Its results were computed on the data set {data['name']} (SHA-256 {data['sha256'][:16]}…), "
            f"with {', '.join(['Python ' + environment['python'], *used])}."
        ))
    if about["address"]:
        said.append(f'<a href="{escape(about["address"])}">{escape(about["address"])}</a>')
    return said


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    parser.add_argument("--root", type=Path, default=ROOT, help="folder of the book (default: this one)")
    parser.add_argument("--output", type=Path, help=f"the PDF (default: _build/pdf/{NAME} in that folder)")
    parser.add_argument("--chromium", default="", help="path of Chromium (default: the one that is installed)")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="time limit (default: %(default)s)")


def run(arguments: argparse.Namespace) -> int:
    """Print the book; returns the exit code."""
    started = time.monotonic()
    try:
        executable = chromium.find(arguments.chromium)
    except FileNotFoundError as error:
        raise CommandError(str(error)) from None
    root = arguments.root.resolve()
    output = arguments.output or root / "_build/pdf" / NAME
    pages = make(root, output, executable, arguments.seconds)
    size = output.stat().st_size / 1e6
    print(f"{output}: {pages} pages, {size:.1f} MB, printed in {time.monotonic() - started:.0f} s")
    return 0
