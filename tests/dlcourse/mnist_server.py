"""A small MNIST of noise, and a mirror on loopback that fails in the ways mirrors fail."""

import contextlib
import gzip
import hashlib
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np

from dlcourse.download import File, Source
from dlcourse.mnist import MNIST


def idx(array, magic=None):
    """The bytes of an IDX file, written from the description of the format."""
    magic = 0x0800 + array.ndim if magic is None else magic
    sizes = b"".join(size.to_bytes(4, "big") for size in array.shape)
    return magic.to_bytes(4, "big") + sizes + array.astype(np.uint8).tobytes()


def small_mnist(train=40, test=10, seed=0):
    """The decompressed content of the four files, by name: noise, so that gzip keeps its size."""
    rng = np.random.default_rng(seed)
    contents = []
    for count in (train, test):
        contents.append(idx(rng.integers(0, 256, (count, 28, 28))))
        contents.append(idx(np.arange(count) % 10))
    return dict(zip([file.name for file in MNIST.files], contents, strict=True))


def source_of(contents, *mirrors, timeout=5.0):
    """A source whose checksums are those of ``contents``."""
    files = tuple(
        File(file.name, hashlib.sha256(contents[file.name]).hexdigest(), file.dimensions) for file in MNIST.files
    )
    return Source("MNIST", files, mirrors, timeout)


class Mirror:
    """An HTTP server that serves ``contents`` as .gz files.

    ``act`` maps a file name to what the next requests for it meet: a list of functions of
    the handler and the body, used up one a request; after them the file is served well.
    ``requests`` lists (name, Range header or None) as they came.
    """

    def __init__(self, contents):
        self.bodies = {f"{name}.gz": gzip.compress(content, mtime=0) for name, content in contents.items()}
        self.act = {}
        self.requests = []
        self.closing = threading.Event()  # ends what would stall for ever
        mirror = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                name = self.path.rsplit("/", 1)[-1]
                mirror.requests.append((name, self.headers["Range"]))
                acts = mirror.act.get(name, [])
                act = acts.pop(0) if acts else serve
                self.mirror = mirror
                with contextlib.suppress(ConnectionError):  # a client may give up
                    act(self, mirror.bodies[name])

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.block_on_close = False
        self.address = f"http://127.0.0.1:{self.server.server_address[1]}/mnist/"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True)
        self.thread.start()

    def asked(self, name):
        """The Range headers with which ``name`` was asked for."""
        return [header for asked, header in self.requests if asked == f"{name}.gz"]

    def close(self):
        self.closing.set()
        self.server.shutdown()
        self.server.server_close()


def serve(handler, body):
    """Serve well: the whole, or the part that a Range header asks for."""
    header = handler.headers["Range"]
    start = int(header.removeprefix("bytes=").removesuffix("-")) if header else 0
    if header and start >= len(body):
        handler.send_error(416)
        return
    head(handler, len(body) - start, 206 if header else 200)
    handler.wfile.write(body[start:])


def ignore_range(handler, body):
    """Serve the whole, whatever was asked for."""
    head(handler, len(body))
    handler.wfile.write(body)


def answer(status):
    return lambda handler, body: handler.send_error(status)


def replace_by(other):
    """Serve other bytes, as a portal that wants a log-in does."""
    return lambda handler, body: serve(handler, other)


def break_off(handler, body):
    """Promise the whole, send the first half, and close the connection."""
    head(handler, len(body))
    handler.wfile.write(body[: len(body) // 2])


def stall_at_once(handler, body):
    """Take the request, and answer nothing."""
    handler.mirror.closing.wait(30)


def stall_midway(handler, body):
    """Send the first half, then nothing more, with the connection open."""
    break_off(handler, body)
    handler.wfile.flush()
    handler.mirror.closing.wait(30)


def drip_head(handler, body):
    """A status line, then a header that never ends: each byte comes in time."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    drip(handler, b"x" * 10_000, piece=1, pause=0.02)


def drip_body(handler, body):
    """A body that comes byte by byte: each in time, the whole never."""
    head(handler, len(body))
    drip(handler, body, piece=1, pause=0.02)


def slowly(handler, body):
    """A slow line that is worth waiting for: 20 kB ten times a second."""
    header = handler.headers["Range"]
    start = int(header.removeprefix("bytes=").removesuffix("-")) if header else 0
    head(handler, len(body) - start, 206 if header else 200)
    drip(handler, body[start:], piece=20_000, pause=0.1)


def drip(handler, data, piece, pause):
    end = time.monotonic() + 10
    for start in range(0, len(data), piece):
        if handler.mirror.closing.is_set() or time.monotonic() > end:
            return
        handler.wfile.write(data[start : start + piece])
        time.sleep(pause)


def head(handler, length, status=200):
    handler.send_response(status)
    handler.send_header("Content-Length", str(length))
    handler.end_headers()
