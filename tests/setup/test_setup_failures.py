"""Each way to fail ends with one line that says what to do, and with a log."""

import os
import re
import shutil
import socket
import subprocess

import pytest
from tiny_book import lines


def failure(book, done):
    """The one line, after the log that it names was looked at."""
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    (line,) = lines(done.stderr)
    assert line.startswith("set-up: ")
    log = re.search(r"Log: (\S+)$", line).group(1)
    assert not os.path.isabs(log)
    return line, (book.folder / log).read_text("utf-8")


@pytest.fixture
def closed_port():
    """A port of this machine at which nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]  # bound, so nobody else gets it, but it does not listen


def test_no_route(book, closed_port):
    del book.environment["PIP_NO_INDEX"], book.environment["PIP_FIND_LINKS"]
    line, log = failure(book, book.make("html", PIP_INDEX_URL=f"http://127.0.0.1:{closed_port}/"))
    assert "no route to the package index (Connection refused)" in line
    assert "HTTPS_PROXY" in line and "PIP_INDEX_URL" in line
    assert "Retrying" in log


# From here on the environment stands, and what fails is a change of the lock: pip does the same.


@pytest.fixture
def changed(ready):
    ready.lock_package("1.1")
    return ready


def test_no_route_through_the_proxy(changed, closed_port):
    del changed.environment["PIP_NO_INDEX"], changed.environment["PIP_FIND_LINKS"]
    settings = {"PIP_INDEX_URL": "https://index.invalid/simple", "https_proxy": f"http://127.0.0.1:{closed_port}"}
    line, log = failure(changed, changed.make("setup", **settings))
    assert "no route to the package index (" in line
    assert "ProxyError" in log


def test_unknown_host(changed):
    """A name that by its standard never resolves (RFC 2606)."""
    del changed.environment["PIP_NO_INDEX"], changed.environment["PIP_FIND_LINKS"]
    line, _ = failure(changed, changed.make("setup", PIP_INDEX_URL="https://index.invalid/simple", PIP_TIMEOUT="2"))
    assert "no route to the package index (" in line


def test_index_without_the_package(changed):
    (changed.packages / "speck-1.1-py3-none-any.whl").unlink()
    line, log = failure(changed, changed.make("setup"))
    assert re.search(r"the package index has no speck==1\.1 for Python 3\.\d+ on \w+", line)
    assert "No matching distribution" in log


def test_package_that_is_not_the_locked_one(changed):
    lock = changed.folder / "requirements.txt"
    lock.write_text(re.sub("sha256:.{8}", "sha256:" + "0" * 8, lock.read_text()))
    line, log = failure(changed, changed.make("setup"))
    assert "is not the one that requirements.txt names" in line
    assert "DO NOT MATCH" in log
    assert changed.ask("import speck; print(speck.version)") == "1.0"


def test_build_of_our_own_package_fails(changed):
    """What has no line of its own is told by pip's last error."""
    (changed.folder / "tiny_backend.py").write_text("raise RuntimeError('the backend is broken')\n")
    line, log = failure(changed, changed.make("setup"))
    assert "a step failed (" in line
    assert "the backend is broken" in log


@pytest.mark.parametrize(
    "said, told",
    [
        ("npm error code ECONNREFUSED", "no route to the package index of npm (ECONNREFUSED)"),
        ("npm error code ENOTFOUND", "within reach (npm_config_registry)"),
        ("npm error code EINTEGRITY", "not the one that package-lock.json names"),
        ("npm error Missing: katex from lock file", "a step failed (npm error Missing: katex from lock file)"),
    ],
)
def test_npm_fails(changed, said, told):
    """The words are npm's own, as it said them when its registry was away and when a package was another one."""
    changed.lock_npm("1", npm=f"sys.exit('some notice\\n{said}')", packages="1.1")
    for _ in range(2):  # not taken for done on the second run
        line, log = failure(changed, changed.make("setup"))
        assert told in line
        assert said in log


def in_own_namespace(script, *arguments):
    """Run a shell script in a mount namespace of its own."""
    return subprocess.run(
        ["unshare", "-rm", "sh", "-ec", script, "sh", *map(str, arguments)], capture_output=True, text=True, timeout=120
    )


@pytest.fixture
def mounts():
    if not shutil.which("unshare") or in_own_namespace("mount -t tmpfs tmpfs /mnt").returncode:
        pytest.skip("needs unshare, and the right to mount in a namespace of one's own")


@pytest.mark.parametrize(
    "size, step",
    [("1m", "pip's own files"), ("40m", "the package")],
    ids=["making the environment", "unpacking a package"],
)
def test_full_disk(book, mounts, size, step, tmp_path):
    """The book on a disk of the given size; the package alone is larger than either."""
    book.lock_package("1.0", **{"ballast.bin": bytes(60_000_000)})
    book.environment["PATH"] += os.pathsep + os.environ["PATH"]
    kept = tmp_path / "kept"
    kept.mkdir()
    settings = [f"{name}={value}" for name, value in book.environment.items()]
    done = in_own_namespace(
        'book=$1; kept=$2; size=$3; shift 3; cp -a "$book" "$kept/before"\n'
        'mount -t tmpfs -o size=$size tmpfs "$book"; cp -a "$kept/before/." "$book"; cd "$book"\n'
        'code=0; env -i "$@" make setup || code=$?\n'
        'cp -a .venv/set-up.log "$kept" || true; du -sk .venv | cut -f1; exit $code',
        book.folder, kept, size, *settings,
    )
    assert done.returncode != 0
    (line,) = lines(done.stderr)
    assert re.search(r"^set-up: the disk is full \(\d+ MB free in this folder", line), line
    assert "Make room, 5 GB in all; then run the same command again. Log: .venv/set-up.log" in line
    assert "No space left" in (kept / "set-up.log").read_text()
    assert int(done.stdout.split()[-1]) < 100, "what was half made is gone"


def test_read_only_folder(ready, mounts):
    """A book on a medium that cannot be written; the lock has changed, so there is something to do."""
    ready.lock_package("1.1")
    ready.environment["PATH"] += os.pathsep + os.environ["PATH"]
    settings = [f"{name}={value}" for name, value in ready.environment.items()]
    done = in_own_namespace(
        'book=$1; shift; mount --bind "$book" "$book"; mount -o remount,ro,bind "$book"\n'
        'cd "$book"; env -i "$@" make setup',
        ready.folder, *settings,
    )
    assert done.returncode != 0
    (line,) = lines(done.stderr)
    assert "set-up: cannot write in " in line and "(Read-only file system)" in line
    assert "Copy the book to a folder of your own and run it there" in line
