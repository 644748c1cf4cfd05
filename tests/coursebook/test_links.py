"""Links out of a small book, asked at a server on this machine."""

import contextlib
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from coursebook import links
from coursebook.__main__ import main
from coursebook.links import Link

FRONT = "---\ndescription: A page with links out of the book.\n---\n"
HANGS = 3  # seconds; the book waits for one


class Answers(BaseHTTPRequestHandler):
    asked: list[str] = []

    def do_HEAD(self):
        self.asked.append(self.path)
        if self.path == "/hangs":
            time.sleep(HANGS)
        code, target = {"/moved": (301, "/good"), "/elsewhere": (302, "/good"), "/gone": (404, "")}.get(
            self.path, (200, "")
        )
        body = b'<p id="here">' if code == 200 else b""
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.send_response(code)
            if target:
                self.send_header("Location", target)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

    do_GET = do_HEAD

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    Answers.asked.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def test_what_does_not_answer_is_named_with_page_and_line(book, server, capsys):
    book.replace("_config.yml", "linkcheck_timeout: 15", "linkcheck_timeout: 1")
    book.replace("_config.yml", "linkcheck_retries: 2", "linkcheck_retries: 1")
    # Two addresses of one page of the server, and three kinds of link.
    book.page("page", f"""\
        ---
        file_format: mystnb
        ---
        # A page

        [Good]({server}/good), {server}, [here]({server}/good#here), [within](index.md).

        [Moved]({server}/moved) and [elsewhere]({server}/elsewhere).

        [Gone]({server}/gone) and
        [no anchor]({server}/other#there).

        [It hangs]({server}/hangs).

        ```{{code-cell}} python
        print("page", file=open("runs.txt", "a"))
        ```
        """)
    assert book.build(strict=True).status == 0
    assert book.runs() == ["page"]
    source = (book.root / "book/page.md").read_text().splitlines()

    def line(start):
        return next(i for i, text in enumerate(source, 1) if text.startswith(start))

    capsys.readouterr()
    assert main(["links", "--root", str(book.root)]) == 1
    lines = capsys.readouterr().out.splitlines()[1:]
    assert lines[0] == f"book/page.md:{line('[Moved]')}: {server}/moved has moved to {server}/good"
    assert lines[1].startswith(f"book/page.md:{line('[Gone]')}: {server}/gone is broken: 404 Client Error")
    assert lines[2].startswith(f"book/page.md:{line('[no anchor]')}: {server}/other#there is broken: Anchor 'there' not found")
    assert lines[3].startswith(f"book/page.md:{line('[It hangs]')}: {server}/hangs is broken: ")
    assert "timed out" in lines[3]
    assert lines[4:] == ["7 links out of the book: 3 broken, 1 moved for good"]
    assert Answers.asked.count("/gone") <= 2, "asked once by HEAD, then by GET"
    assert book.runs() == [], "nothing runs for that"

    book.page("page", f"{FRONT}# A page\n\n[Good]({server}/good) and [moved]({server}/moved).\n")
    assert book.build(strict=True).status == 0
    assert main(["links", "--root", str(book.root)]) == 0
    said = book.build()
    assert "0 added, 0 changed, 0 removed" in said.output, "and the book stays built"


def test_a_machine_without_network_gets_one_line(book, server, capsys):
    closed = "http://127.0.0.1:9"
    book.page("page", f"{FRONT}# A page\n\n[One]({closed}/one), [two]({closed}/two), [three](http://localhost:9/three).\n")
    assert book.build(strict=True).status == 0
    capsys.readouterr()
    assert main(["links", "--root", str(book.root)]) == 1
    said = capsys.readouterr()
    assert said.err == (
        "coursebook links: none of 2 hosts answered (127.0.0.1:9, localhost:9): "
        "this machine seems to be without network, and nothing was checked\n"
    )
    assert "/one" not in said.out


def test_a_book_that_is_not_built_is_said_to_be_so(tmp_path, capsys):
    assert main(["links", "--root", str(tmp_path)]) == 1
    assert "build the book first" in capsys.readouterr().err


def test_a_book_without_links_is_in_order():
    assert links.report([]) == (0, "0 links out of the book: 0 broken, 0 moved for good")


@pytest.mark.parametrize(
    ("status", "code", "info", "answered"),
    [
        ("working", 0, "", True),
        ("redirected", 302, "https://example.org/x", True),
        ("broken", 0, "404 Client Error: Not Found for url: …", True),
        ("broken", 0, "503 Server Error", True),
        ("broken", 0, "Anchor 'x' not found", True),
        ("broken", 0, "HTTPSConnectionPool(host='x', port=443): Max retries exceeded", False),
        ("timeout", 0, "Read timed out", False),
    ],
)
def test_an_answer_is_told_from_silence(status, code, info, answered):
    assert Link("book/page.md", 3, "https://example.org", status, code, info).answered is answered
