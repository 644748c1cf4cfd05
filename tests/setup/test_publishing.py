"""The settings that PUBLISHING.md gives for nginx and Apache, tried as they stand there."""

import re
import shutil
import socket
import subprocess
import time
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "PUBLISHING.md").read_text(encoding="utf-8")


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", TEXT, re.DOTALL)


def nginx(folder, port):
    above, server = blocks("nginx")
    temporary = "".join(
        f"{name}_temp_path {folder}/{name};\n" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    return ["nginx", "-p", folder, "-c", f"{folder}/server.conf", "-e", "stderr"], f"""
        daemon off; pid {folder}/pid; error_log stderr; {"user root;" if folder.owner() == "root" else ""}
        events {{}}
        http {{
            include /etc/nginx/mime.types; access_log off; {temporary} {above}
            server {{ listen 127.0.0.1:{port}; {server} }}
        }}"""


def apache(folder, port):
    modules = "".join(
        f"LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so\n"
        for name in ("mpm_event", "authz_core", "alias", "deflate", "dir", "filter", "headers", "mime")
    )
    return ["apache2", "-d", folder, "-f", f"{folder}/server.conf", "-DFOREGROUND"], f"""
{modules}
ServerName localhost
Listen 127.0.0.1:{port}
PidFile {folder}/pid
ErrorLog {folder}/log
TypesConfig /etc/mime.types
{blocks("apache")[0]}"""


@pytest.fixture(params=[nginx, apache], ids=["nginx", "apache"])
def address(request, tmp_path):
    program = {"nginx": "nginx", "apache": "apache2"}[request.param.__name__]
    if not shutil.which(program):
        pytest.skip(f"{program} is not installed")
    site = tmp_path / "site"
    for name, text in {
        "index.html": "<p>first" + " words" * 500, "404.html": "no such page", "book/page.html": "<p>ü",
        "_static/book.css": "p {}" * 500, "_images/a.png": "PNG", "notebooks.zip": "PK" * 1000,
    }.items():
        (site / name).parent.mkdir(parents=True, exist_ok=True)
        (site / name).write_text(text, encoding="utf-8")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command, text = request.param(tmp_path, port)
    assert "/srv/deep-learning" in text
    (tmp_path / "server.conf").write_text(text.replace("/srv/deep-learning", str(site)), encoding="utf-8")
    process = subprocess.Popen([str(part) for part in command], stderr=subprocess.PIPE, text=True)
    try:
        deadline = time.monotonic() + 20
        while True:
            assert process.poll() is None, process.stderr.read()
            assert time.monotonic() < deadline
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.communicate(timeout=20)


def ask(address):
    try:
        with urlopen(Request(address, headers={"Accept-Encoding": "gzip"}), timeout=10) as answer:
            return answer.status, answer.headers, answer.read(), answer.url
    except HTTPError as error:
        return error.code, error.headers, error.read(), error.url


def test_the_settings_do_what_is_said_of_them(address):
    book = f"{address}/deep-learning"
    status, headers, body, landed = ask(book)
    assert (status, landed) == (200, f"{book}/")
    assert headers["Content-Encoding"] == "gzip" and len(body) < 500
    assert "Accept-Encoding" in headers["Vary"]
    assert headers["Cache-Control"] == "no-cache"
    assert headers["Content-Type"].lower() == "text/html; charset=utf-8"
    assert headers["X-Content-Type-Options"] == "nosniff"

    assert ask(f"{book}/_static/book.css")[1]["Cache-Control"] == "no-cache", "without its fingerprint"
    status, headers, *_ = ask(f"{book}/_static/book.css?v=1a2b")
    assert headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert headers["Content-Encoding"] == "gzip"
    assert "immutable" in ask(f"{book}/_images/a.png")[1]["Cache-Control"]
    assert ask(f"{book}/notebooks.zip")[1]["Content-Encoding"] is None
    assert ask(f"{book}/book/page.html")[2].decode() == "<p>ü"

    status, headers, body, _ = ask(f"{book}/book/no/such.html")
    assert status == 404 and b"no such page" in body
    assert ask(f"{book}/book/")[0] in (403, 404), "a folder is not listed"
