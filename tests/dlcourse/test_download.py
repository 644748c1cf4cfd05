"""Downloads, against real servers on loopback that fail as real ones do."""

import gzip
import hashlib
import multiprocessing
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time

import mnist_server as acts
import numpy as np
import pytest
from mnist_server import small_mnist, source_of

from dlcourse.data import DataError, DataUnavailable, load_mnist
from dlcourse.download import WrongContent, unpack
from dlcourse.mnist import MNIST

pytestmark = pytest.mark.usefixtures("no_data_folder")

IMAGES = "train-images-idx3-ubyte"
processes = multiprocessing.get_context("spawn")


def check_loaded(dataset, contents):
    images = np.frombuffer(contents[IMAGES], np.uint8, offset=16).reshape(-1, 28, 28)
    np.testing.assert_array_equal(dataset.train.x, images)
    np.testing.assert_array_equal(dataset.train.y, np.arange(len(images)) % 10)
    assert len(dataset.test) == len(dataset.test.x) == 10


def check_cache(cache, contents, partial=()):
    """Whatever has a final name is right; beside it there is nothing but ``partial``."""
    names = {path.name for path in cache.iterdir()} if cache.exists() else set()
    assert {name for name in names if not name.endswith(".gz")} == set(partial)
    for name in names - set(partial):
        assert unpack((cache / name).read_bytes()) == contents[name.removesuffix(".gz")]
    return names


def test_downloads_the_four_files_once(mirror, contents, tmp_path):
    source = source_of(contents, mirror.address)
    first = load_mnist(raw=True, source=source, cache=tmp_path)
    check_loaded(first, contents)
    assert first.provenance.origin == mirror.address
    assert check_cache(tmp_path, contents) == {f"{name}.gz" for name in contents}
    again = load_mnist(raw=True, source=source, cache=tmp_path)
    check_loaded(again, contents)
    assert again.provenance.origin == "the user's cache"
    assert len(mirror.requests) == 4


def test_fetches_only_what_the_cache_lacks(mirror, contents, tmp_path):
    source = source_of(contents, mirror.address)
    load_mnist(source=source, cache=tmp_path)
    (tmp_path / f"{IMAGES}.gz").unlink()
    mirror.requests.clear()
    check_loaded(load_mnist(raw=True, source=source, cache=tmp_path), contents)
    assert mirror.requests == [(f"{IMAGES}.gz", None)]


@pytest.mark.skipif(sys.platform != "linux", reason="XDG_CACHE_HOME moves the cache on Linux only")
def test_keeps_downloads_in_the_users_cache(mirror, contents, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    load_mnist(source=source_of(contents, mirror.address))
    assert len(check_cache(tmp_path / "dlcourse" / "mnist", contents)) == 4


def test_takes_files_that_the_server_unpacked(mirror, contents, tmp_path):
    mirror.bodies = {f"{name}.gz": content for name, content in contents.items()}
    source = source_of(contents, mirror.address)
    check_loaded(load_mnist(raw=True, source=source, cache=tmp_path), contents)
    check_loaded(load_mnist(raw=True, source=source, cache=tmp_path), contents)


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda packed: packed[:-9], "ended before"),
        (lambda packed: packed[:-8] + bytes(8), "CRC"),
        (lambda packed: packed[:10] + b"\xff" * 20, "invalid block type"),
    ],
)
def test_unpack_tells_damage(damage, reason):
    packed = gzip.compress(b"some text")
    assert unpack(packed) == b"some text"
    assert unpack(b"some text") == b"some text"
    with pytest.raises(WrongContent, match=reason):
        unpack(damage(packed))


# No mirror can be reached


def check_unavailable(source, cache, within):
    began = time.monotonic()
    with pytest.raises(DataUnavailable) as caught:
        load_mnist(source=source, cache=cache)
    assert time.monotonic() - began < within
    for expected in (f"{IMAGES}.gz", *source.mirrors, "DLCOURSE_DATA", "run this again"):
        assert expected in str(caught.value)
    return str(caught.value)


def test_refused(refusing, contents, tmp_path):
    message = check_unavailable(source_of(contents, refusing, refusing), tmp_path, within=2)
    assert "refused" in message
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("status", [403, 404, 500, 503])
def test_answers_with_an_error(status, mirror, contents, tmp_path):
    mirror.act[f"{IMAGES}.gz"] = [acts.answer(status)]
    assert str(status) in check_unavailable(source_of(contents, mirror.address), tmp_path, within=2)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("act", [acts.stall_at_once, acts.drip_head])
def test_no_answer_in_time(act, mirror, contents, tmp_path):
    mirror.act[f"{IMAGES}.gz"] = [act]
    source = source_of(contents, mirror.address, timeout=0.3)
    assert "no answer in 0.3 s" in check_unavailable(source, tmp_path, within=2)


def test_packets_that_vanish(contents, tmp_path):
    with socket.socket() as full, socket.socket() as first, socket.socket() as second:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for waiting in (first, second):  # a full queue makes the system drop what else comes
            waiting.setblocking(False)
            waiting.connect_ex(full.getsockname())
        address = f"http://127.0.0.1:{full.getsockname()[1]}/"
        check_unavailable(source_of(contents, address, address, timeout=0.3), tmp_path, within=2)


def test_without_a_network_mnist_fails_within_seconds():
    assert MNIST.timeout * len(MNIST.mirrors) <= 10


# A mirror is reached, but what comes is not the file


def check_broken_off(mirror, contents, cache, timeout=5.0):
    source = source_of(contents, mirror.address, timeout=timeout)
    began = time.monotonic()
    with pytest.raises(DataError) as caught:
        load_mnist(source=source, cache=cache)
    assert time.monotonic() - began < 3
    assert not isinstance(caught.value, DataUnavailable)
    assert f"{mirror.address}{IMAGES}.gz: broke off after" in str(caught.value)
    assert "run this again: what has arrived is kept" in str(caught.value)
    part = f"{IMAGES}.gz.part"
    assert check_cache(cache, contents, [part]) == {part}
    body, kept = mirror.bodies[f"{IMAGES}.gz"], (cache / part).read_bytes()
    assert body.startswith(kept)
    return kept


def test_truncated(mirror, contents, tmp_path):
    mirror.act[f"{IMAGES}.gz"] = [acts.break_off]
    kept = check_broken_off(mirror, contents, tmp_path)
    assert len(kept) == len(mirror.bodies[f"{IMAGES}.gz"]) // 2


@pytest.mark.parametrize("act", [acts.stall_midway, acts.drip_body])
def test_too_slow(act, mirror, contents, tmp_path):
    mirror.act[f"{IMAGES}.gz"] = [act]
    check_broken_off(mirror, contents, tmp_path, timeout=0.3)


def test_slow_but_worth_waiting_for(mirror, tmp_path):
    contents = small_mnist(train=200)
    mirror.bodies = {f"{name}.gz": gzip.compress(content) for name, content in contents.items()}
    mirror.act[f"{IMAGES}.gz"] = [acts.slowly]
    began = time.monotonic()
    source = source_of(contents, mirror.address, timeout=0.4)
    check_loaded(load_mnist(raw=True, source=source, cache=tmp_path), contents)
    assert time.monotonic() - began > 0.4  # longer in all than the time limit of a piece


def test_the_last_piece_late(mirror, contents, tmp_path):
    def in_three(handler, body):
        acts.head(handler, len(body))
        acts.drip(handler, body, piece=len(body) // 2 - 1, pause=0.3)

    mirror.act["t10k-labels-idx1-ubyte.gz"] = [in_three]
    source = source_of(contents, mirror.address, timeout=0.5)
    check_loaded(load_mnist(raw=True, source=source, cache=tmp_path), contents)


def test_a_server_that_does_not_hang_up(mirror, contents, tmp_path):
    def linger(handler, body):
        acts.serve(handler, body)
        handler.mirror.closing.wait(30)

    mirror.act[f"{IMAGES}.gz"] = [linger]
    began = time.monotonic()
    check_loaded(load_mnist(raw=True, source=source_of(contents, mirror.address), cache=tmp_path), contents)
    assert time.monotonic() - began < 3


def test_truncated_without_a_length(mirror, contents, tmp_path):
    def unannounced(handler, body):
        handler.send_response(200)
        handler.end_headers()
        handler.wfile.write(body[: len(body) // 2])

    mirror.act[f"{IMAGES}.gz"] = [unannounced]
    with pytest.raises(DataError, match=f"{IMAGES}.gz: damaged gzip data.*ended"):
        load_mnist(source=source_of(contents, mirror.address), cache=tmp_path)
    assert check_cache(tmp_path, contents) == set()


def damaged(body):
    middle = len(body) // 2
    return body[:middle] + bytes([body[middle] ^ 0xFF]) + body[middle + 1 :]


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        (lambda body: b"<html>Please log in</html>", "SHA-256"),
        (lambda body: gzip.compress(small_mnist(seed=1)[IMAGES]), "SHA-256"),
        (damaged, "damaged gzip|SHA-256"),
    ],
    ids=["log-in page", "other images", "one byte changed"],
)
def test_wrong_content(wrong, reason, mirror, other_mirror, contents, tmp_path):
    name = f"{IMAGES}.gz"
    mirror.act[name] = [acts.replace_by(wrong(mirror.bodies[name]))]
    with pytest.raises(DataError, match=f"{name}: .*({reason})") as caught:
        load_mnist(source=source_of(contents, mirror.address), cache=tmp_path)
    assert not isinstance(caught.value, DataUnavailable)
    assert check_cache(tmp_path, contents) == set()

    mirror.act[name] = [acts.replace_by(wrong(mirror.bodies[name]))]
    source = source_of(contents, mirror.address, other_mirror.address)
    dataset = load_mnist(raw=True, source=source, cache=tmp_path)
    check_loaded(dataset, contents)
    assert dataset.provenance.origin == other_mirror.address


# The first mirror is down, the second up


def test_first_mirror_refuses(refusing, mirror, contents, tmp_path):
    dataset = load_mnist(raw=True, source=source_of(contents, refusing, mirror.address), cache=tmp_path)
    check_loaded(dataset, contents)
    assert dataset.provenance.origin == mirror.address


@pytest.mark.parametrize(
    ("act", "asked_next"),
    [
        (acts.answer(404), "None"),
        (acts.stall_at_once, "None"),
        (acts.stall_midway, r"bytes=\d+-"),  # what the first mirror sent is not asked for again
        (acts.break_off, r"bytes=\d+-"),
        (acts.drip_body, r"bytes=\d+-"),
    ],
)
def test_first_mirror_fails(act, asked_next, mirror, other_mirror, contents, tmp_path):
    mirror.act[f"{IMAGES}.gz"] = [act]
    source = source_of(contents, mirror.address, other_mirror.address, timeout=1.0)
    check_loaded(load_mnist(raw=True, source=source, cache=tmp_path), contents)
    assert len(check_cache(tmp_path, contents)) == 4
    assert len(mirror.requests) == 1  # the other files are not kept waiting for it
    (asked,) = other_mirror.asked(IMAGES)
    assert re.fullmatch(asked_next, str(asked))


# Interrupted, and resumed by a second call


def interrupt(mirror, contents, cache):
    """Leave the first half of the training images in the cache; return its length."""
    mirror.act[f"{IMAGES}.gz"] = [acts.break_off]
    half = len(check_broken_off(mirror, contents, cache))
    mirror.requests.clear()
    return half


@pytest.mark.parametrize("act", [acts.serve, acts.ignore_range])
def test_resumed_by_a_second_call(act, mirror, contents, tmp_path):
    half = interrupt(mirror, contents, tmp_path)
    mirror.act[f"{IMAGES}.gz"] = [act]
    check_loaded(load_mnist(raw=True, source=source_of(contents, mirror.address), cache=tmp_path), contents)
    assert mirror.asked(IMAGES) == [f"bytes={half}-"]
    assert len(check_cache(tmp_path, contents)) == 4


def test_interrupted_twice(mirror, contents, tmp_path):
    half = interrupt(mirror, contents, tmp_path)

    def a_little_more(handler, body):
        acts.head(handler, len(body) - half, 206)
        handler.wfile.write(body[half : half + 100])

    mirror.act[f"{IMAGES}.gz"] = [a_little_more]
    assert len(check_broken_off(mirror, contents, tmp_path)) == half + 100
    check_loaded(load_mnist(raw=True, source=source_of(contents, mirror.address), cache=tmp_path), contents)
    assert mirror.asked(IMAGES) == [f"bytes={half}-", f"bytes={half + 100}-"]


@pytest.mark.parametrize("length", [1000, 1_000_000], ids=["of another file", "longer than the file"])
def test_a_part_that_does_not_fit_is_fetched_afresh_once(length, mirror, contents, tmp_path):
    (tmp_path / f"{IMAGES}.gz.part").write_bytes(b"\x1f\x8b" + bytes(length - 2))
    source = source_of(contents, mirror.address)
    check_loaded(load_mnist(raw=True, source=source, cache=tmp_path), contents)
    assert mirror.asked(IMAGES) == [f"bytes={length}-", None]
    assert len(check_cache(tmp_path, contents)) == 4


def test_a_part_that_does_not_fit_is_dropped_when_the_file_is_wrong_too(mirror, contents, tmp_path):
    (tmp_path / f"{IMAGES}.gz.part").write_bytes(b"\x1f\x8b" + bytes(998))
    mirror.act[f"{IMAGES}.gz"] = [acts.serve, acts.replace_by(b"<html>")]
    with pytest.raises(DataError, match="SHA-256"):
        load_mnist(source=source_of(contents, mirror.address), cache=tmp_path)
    assert check_cache(tmp_path, contents) == set()


# Several processes


def load_elsewhere(source, cache, results):
    """What a process of its own runs."""
    dataset = load_mnist(raw=True, source=source, cache=cache)
    results.put(hashlib.sha256(dataset.train.x.tobytes()).hexdigest())


def start(source, cache):
    results = processes.SimpleQueue()
    process = processes.Process(target=load_elsewhere, args=(source, cache, results))
    process.start()
    return process, results


def test_two_processes_at_once(mirror, contents, tmp_path):
    meeting = threading.Barrier(2)

    def together(handler, body):
        meeting.wait(30)
        acts.serve(handler, body)

    for name in contents:
        mirror.act[f"{name}.gz"] = [together, together]
    source = source_of(contents, mirror.address, timeout=30)
    expected = hashlib.sha256(contents[IMAGES][16:]).hexdigest()
    pair = [start(source, tmp_path) for _ in range(2)]
    for process, results in pair:
        process.join(60)
        assert process.exitcode == 0
        assert results.get() == expected
    assert len(mirror.requests) == 8  # they did meet at every file
    assert len(check_cache(tmp_path, contents)) == 4


def wait_for(condition):
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.mark.skipif(sys.platform == "win32", reason="no such signal")
def test_interrupted_from_the_keyboard(mirror, contents, tmp_path):
    sent = threading.Event()

    def half_and_wait(handler, body):
        acts.break_off(handler, body)
        sent.set()
        handler.mirror.closing.wait(30)

    mirror.act[f"{IMAGES}.gz"] = [half_and_wait]
    source = source_of(contents, mirror.address, timeout=30)
    process, _ = start(source, tmp_path)
    assert sent.wait(30)
    time.sleep(0.3)  # for the bytes to be read
    os.kill(process.pid, signal.SIGINT)
    process.join(30)
    assert process.exitcode == 1
    part = f"{IMAGES}.gz.part"
    assert check_cache(tmp_path, contents, [part]) == {part}
    check_loaded(load_mnist(raw=True, source=source, cache=tmp_path), contents)
    assert mirror.asked(IMAGES)[1:] == [f"bytes={len(mirror.bodies[f'{IMAGES}.gz']) // 2}-"]


def test_killed_while_another_waits_for_the_same(mirror, tmp_path):
    contents = small_mnist(train=1500)
    mirror.bodies = {f"{name}.gz": gzip.compress(content) for name, content in contents.items()}
    mirror.act[f"{IMAGES}.gz"] = [acts.slowly]
    source = source_of(contents, mirror.address, timeout=0.5)
    process, _ = start(source, tmp_path)
    part = tmp_path / f"{IMAGES}.gz.part"
    wait_for(part.exists)
    process.kill()
    process.join(30)
    kept = part.stat().st_size
    assert kept > 0
    check_loaded(load_mnist(raw=True, source=source, cache=tmp_path), contents)
    assert mirror.asked(IMAGES) == [None, f"bytes={kept}-"]
    assert {path.name for path in tmp_path.glob("*.gz")} == {f"{name}.gz" for name in contents}


# A cache that cannot be written


def check_not_kept(mirror, contents, cache):
    source = source_of(contents, mirror.address)
    with pytest.warns(UserWarning, match="cannot be kept in .* downloaded again") as caught:
        dataset = load_mnist(raw=True, source=source, cache=cache)
    check_loaded(dataset, contents)
    assert len(caught) == 1
    assert caught[0].filename == __file__
    assert "DLCOURSE_DATA" in str(caught[0].message)


def test_cache_below_a_regular_file(mirror, contents, tmp_path):
    (tmp_path / "file").write_text("in the way")
    check_not_kept(mirror, contents, tmp_path / "file" / "dlcourse")
    mirror.act[f"{IMAGES}.gz"] = [acts.break_off]
    with pytest.raises(DataError, match="broke off"):
        load_mnist(source=source_of(contents, mirror.address), cache=tmp_path / "file" / "dlcourse")


def test_cache_without_permission_to_write(mirror, contents, tmp_path):
    tmp_path.chmod(0o500)
    try:
        if os.access(tmp_path, os.W_OK):
            pytest.skip("permissions do not bind this user")
        check_not_kept(mirror, contents, tmp_path)
    finally:
        tmp_path.chmod(0o700)


# In a mount namespace of its own: a file system with options $0 at the folder $1, for a command.
MOUNT = 'mount -t tmpfs -o "$0" none "$1" && shift && exec "$@"'
MOUNTED = ["unshare", "--map-root-user", "--mount", "sh", "-c", MOUNT]


def can_mount(folder):
    command = [*MOUNTED, "ro", folder, "true"]
    return shutil.which("unshare") and subprocess.run(command, capture_output=True).returncode == 0


@pytest.mark.parametrize(
    ("options", "reason"), [("ro", "Read-only file system"), ("size=16k", "No space left")], ids=["read-only", "full"]
)
def test_cache_on_a_file_system_that_takes_nothing(options, reason, mirror, contents, tmp_path):
    if not can_mount(tmp_path):
        pytest.skip("no file system can be mounted here")
    program = (
        "import sys; from pathlib import Path; from mnist_server import small_mnist, source_of;"
        "from dlcourse.data import load_mnist;"
        "folder = Path(sys.argv[1]);"
        "print(load_mnist(source=source_of(small_mnist(), sys.argv[2]), cache=folder));"
        "print(sorted(path.name for path in folder.iterdir()))"
    )
    ended = subprocess.run(
        [*MOUNTED, options, tmp_path, sys.executable, "-c", program, tmp_path, mirror.address],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert ended.returncode == 0, ended.stderr
    *described, left = ended.stdout.splitlines()
    assert described[0] == "MNIST: 36 training, 4 validation, 10 test images of 28×28"
    assert f"{IMAGES}.gz" not in left
    assert ".tmp" not in left
    assert ended.stderr.count("UserWarning") == 1
    assert reason in ended.stderr
