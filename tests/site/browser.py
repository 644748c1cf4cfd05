"""The built site in Debian's Chromium: a server for it, one browser a session, four views.

Where Chromium is absent the tests skip and say so; with ``COURSEBOOK_BROWSER=required``, as
in ``.ci/run``, its absence is a failure.
"""

import gzip
import re
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path

import pytest
from installed_chromium import executable

from coursebook.printing import chromium as installed

SIZES = {"laptop": {"width": 1280, "height": 800}, "phone": {"width": 390, "height": 844}}
TEXT = {"text/html", "text/css", "text/javascript", "application/json", "image/svg+xml"}


class Handler(SimpleHTTPRequestHandler):
    """Files as a usual host serves them: text compressed, no listing of folders, no log."""

    extensions_map = SimpleHTTPRequestHandler.extensions_map | {
        ".js": "text/javascript",
        ".mjs": "text/javascript",
        ".woff2": "font/woff2",
        ".ipynb": "application/x-ipynb+json",
        ".svg": "image/svg+xml",
    }

    def send_head(self):
        path = Path(self.translate_path(self.path))
        if path.is_dir():
            if not self.path.split("?")[0].endswith("/"):
                return super().send_head()  # it redirects to the address with a slash
            path /= "index.html"
        status = 200
        if not path.is_file():
            status, path = 404, Path(self.directory, "404.html")
            if not path.is_file():
                self.send_error(404)
                return None
        kind = self.guess_type(str(path))
        body = path.read_bytes()
        self.send_response(status)
        self.send_header("Content-Type", f"{kind}; charset=utf-8" if kind in TEXT else kind)
        if kind in TEXT and "gzip" in self.headers.get("Accept-Encoding", ""):
            body = gzip.compress(body, 6)
            self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        return BytesIO(body)

    def list_directory(self, path):
        self.send_error(404)

    def log_message(self, format, *args):
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        """A browser that leaves a page drops its connections: no word about that."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


@contextmanager
def serve(folder: Path) -> Iterator[str]:
    """Serve a folder on this machine; gives the address, without a slash at its end."""
    server = Server(("127.0.0.1", 0), partial(Handler, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class Notes:
    """What the console and the network said of a page."""

    def __init__(self, page) -> None:
        self.complaints: list[str] = []
        self.requests: list[str] = []
        page.on("console", self._hear)
        page.on("pageerror", lambda error: self.complaints.append(f"error: {error.stack}"))
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("requestfailed", lambda request: self.complaints.append(f"not loaded: {request.url}"))

    def _hear(self, message) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(f"{message.type}: {message.text} ({message.location.get('url', '')})")


def hold(site: Path) -> dict[str, str]:
    """The page that only leads on, held so that it can be looked at."""
    source = (site / "index.html").read_text(encoding="utf-8")
    return {"body": re.sub(r'<meta http-equiv="refresh"[^>]*>', "", source), "content_type": "text/html"}


@dataclass
class Tab:
    """A tab of the browser, which remembers what the console and the network said."""

    page: object
    root: str
    site: Path

    def __post_init__(self) -> None:
        self._notes = Notes(self.page)
        self.complaints, self.requests = self._notes.complaints, self._notes.requests

    def open(self, address: str) -> object:
        """Go to a page of the site, and forget what the one before said.

        A page that only leads on is held, so that it can be looked at.
        """
        self.page.goto("about:blank")
        self.complaints.clear()
        self.requests.clear()
        url = f"{self.root}/{address}"
        if address == "index.html":
            self.page.route(url, lambda route: route.fulfill(**hold(self.site)))
        self.page.goto(url, wait_until="load")
        return self.page


@dataclass
class Reader:
    """Opens tabs as a reader with some theme, screen and habits has them."""

    browser: object
    root: str
    site: Path

    @contextmanager
    def tab(self, size: str = "laptop", theme: str = "light", **options) -> Iterator[Tab]:
        """A tab of its own: nothing is remembered from another."""
        root = options.pop("root", self.root)
        phone = {"has_touch": True, "is_mobile": True} if size == "phone" else {}
        context = self.browser.new_context(
            viewport=SIZES[size], color_scheme=theme, **(phone | options)
        )
        context.set_default_timeout(5000)
        try:
            yield Tab(context.new_page(), root, self.site)
        finally:
            context.close()


@pytest.fixture(scope="session")
def chromium() -> Iterator[object]:
    path = executable()
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=installed.ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def reader(chromium, site) -> Iterator[Reader]:
    """Opens pages of the site from a server on this machine."""
    with serve(site) as root:
        yield Reader(chromium, root, site)


# Without --slow each size and each theme is seen once.
VIEWS = [
    pytest.param(*view, marks=marks, id="-".join(view))
    for view, marks in [
        (("laptop", "light"), ()),
        (("phone", "dark"), ()),
        (("laptop", "dark"), pytest.mark.slow),
        (("phone", "light"), pytest.mark.slow),
    ]
]
