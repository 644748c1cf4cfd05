"""The site as a web host serves it: compressed, with a time to keep files, and its 404 page."""

import gzip
import mimetypes
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import unquote, urlsplit

import brotli

__all__ = ["serve"]

TEXTS = ("text/", "application/javascript", "application/json", "image/svg+xml")
mimetypes.add_type("font/woff2", ".woff2")
mimetypes.add_type("image/webp", ".webp")


@lru_cache(maxsize=512)
def _compressed(data: bytes, encoding: str) -> bytes:
    return brotli.compress(data, quality=5) if encoding == "br" else gzip.compress(data, 6)


@contextmanager
def serve(site: Path, prefix: str = "") -> Iterator[str]:
    """Serve a folder on this machine while the context lasts; gives its address.

    Parameters
    ----------
    site
        The folder.
    prefix
        The path below which it is found, such as ``/book``; what lies outside does not exist.
    """

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            path = unquote(urlsplit(self.path).path)
            inside = path.startswith(f"{prefix}/")
            file = (site / path.removeprefix(prefix).lstrip("/")).resolve()
            if file.is_dir():
                file /= "index.html"
            found = inside and file.is_relative_to(site.resolve()) and file.is_file()
            if not found:
                file = site / "404.html"
            data = file.read_bytes() if file.is_file() else b"not found"
            kind = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
            self.send_response(200 if found else 404)
            self.send_header("Content-Type", f"{kind}; charset=utf-8" if kind.startswith("text/") else kind)
            self.send_header("Cache-Control", "max-age=600" if kind == "text/html" else "max-age=31536000")
            accepted = self.headers.get("Accept-Encoding", "")
            encoding = next((name for name in ("br", "gzip") if name in accepted), "")
            if encoding and kind.startswith(TEXTS):
                data = _compressed(data, encoding)
                self.send_header("Content-Encoding", encoding)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}{prefix}"
        finally:
            server.shutdown()
