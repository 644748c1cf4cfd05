"""The set-up is done once; what has changed or was left half done is done again."""

import os
import re
import shutil
import signal
import socket
import subprocess
import threading
import time
from contextlib import contextmanager

import pytest

STAMP = ".venv/set-up.stamp"
slow = pytest.mark.slow


def files(book):
    return {path: path.lstat().st_mtime_ns for path in (book.folder / ".venv").rglob("*")}


def test_both_packages_are_there(ready):
    assert ready.works()


def test_second_run_does_nothing(ready):
    before = files(ready)
    times = []
    for _ in range(5):
        started = time.perf_counter()
        done = ready.make("setup", PATH=os.environ["PATH"])
        times.append(time.perf_counter() - started)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert files(ready) == before
    assert min(times) < 0.2, times


def test_settings_of_other_work_do_not_matter(ready, tmp_path):
    (tmp_path / "hashlib.py").write_text("raise RuntimeError('not the right hashlib')\n")
    done = ready.make("setup", PYTHONPATH=str(tmp_path), PYTHONHOME="/nowhere")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_settings_of_pip_that_lead_elsewhere(ready, tmp_path):
    elsewhere = str(tmp_path / "elsewhere")
    ready.lock_package("1.2")
    done = ready.make("setup", PIP_TARGET=elsewhere, PIP_USER="1", PIP_REQUIRE_HASHES="1", PIP_PREFIX=elsewhere)
    assert done.returncode == 0, done.stderr
    assert ready.works() and not os.path.exists(elsewhere)


def test_changed_lock_goes_over_the_old_packages(ready):
    created = (ready.folder / ".venv/pyvenv.cfg").stat().st_mtime_ns
    ready.lock_package("1.1")
    done = ready.make("setup")
    assert done.returncode == 0 and done.stdout.startswith("Updating .venv")
    assert ready.ask("import speck; print(speck.version)") == "1.1"
    assert (ready.folder / ".venv/pyvenv.cfg").stat().st_mtime_ns == created
    assert ready.make("setup").stdout == ""


def test_npm_packages_follow_their_lock(ready):
    ready.lock_npm("1", packages="1.1")
    assert ready.make("setup").returncode == 0
    assert (ready.folder / "node_modules").is_dir()
    assert ready.make("setup").stdout == ""
    ready.lock_npm("2", npm="shutil.rmtree('node_modules')", packages="1.2")
    done = ready.make("setup")
    assert done.returncode == 0 and done.stdout.startswith("Updating .venv")
    assert not (ready.folder / "node_modules").exists()


def test_changed_lock_that_cannot_be_had_leaves_the_old_packages(ready):
    old = (ready.folder / "requirements.txt").read_text()
    (ready.folder / "requirements.txt").write_text(old.replace("1.0", "2.0"))
    assert ready.make("setup").returncode != 0
    assert ready.make("setup").returncode != 0, "and it isn't forgotten"
    (ready.folder / "requirements.txt").write_text(old)
    done = ready.make("setup")
    assert (done.returncode, done.stdout) == (0, "") and ready.works()


def test_moved_folder(ready):
    ready.folder = ready.folder.rename(ready.folder.with_name("moved"))
    done = ready.make("setup")
    assert done.returncode == 0 and done.stdout.startswith("Setting up .venv")
    assert ready.works()


@slow
def test_copied_folder(ready, book):
    shutil.rmtree(book.folder)
    shutil.copytree(ready.folder, book.folder, symlinks=True)
    done = book.make("setup", PIP_FIND_LINKS=str(ready.packages))
    assert done.returncode == 0 and done.stdout.startswith("Setting up .venv")
    assert book.works()


@slow
def test_python_that_is_gone(ready):
    """A system upgrade takes away the Python that the environment points to."""
    (ready.folder / ".venv/bin/python").unlink()
    (ready.folder / ".venv/bin/python").symlink_to("/no/such/python")
    assert ready.make("setup").returncode == 0
    assert ready.works()


def test_progress_on_a_terminal(ready):
    """One line that is written over and over; elsewhere it does not appear."""
    ready.lock_package("1.1")
    reading, writing = os.openpty()
    with os.fdopen(reading, "rb", 0) as terminal:
        done = subprocess.run(["make", "setup"], cwd=ready.folder, env=ready.environment, stdout=writing)
        said = terminal.read(100_000).decode()
        os.close(writing)
    assert done.returncode == 0
    updating, progress, _ = said.split("\r\n")
    assert updating.startswith("Updating .venv")
    assert progress.startswith("\r   0 s  starting  ") and progress.count("\r") > 2
    assert re.search(r"\rReady after \d+ s\.$", progress)


@contextmanager
def stalling_server():
    """An address that takes a request and does not answer until the end."""
    asked = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def take():
            held = []
            try:
                while True:
                    held.append(server.accept()[0])
                    asked.set()
            except OSError:  # closed: the test is over
                pass

        threading.Thread(target=take, daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}/", asked


@pytest.mark.parametrize("how", ["INT", "KILL", pytest.param("TERM", marks=slow), pytest.param("HUP", marks=slow)])
def test_interrupted_set_up_is_mended(ready, how):
    ready.lock_package("1.2")
    with stalling_server() as (address, asked):
        running = ready.start("setup", PIP_FIND_LINKS=address)
        assert asked.wait(60)
        os.killpg(running.pid, getattr(signal, "SIG" + how))
        _, said = running.communicate(timeout=30)
    assert running.returncode != 0
    if how != "KILL":
        assert "set-up: interrupted. The same command begins it again" in said
    assert not (ready.folder / STAMP).exists()
    # As where it was killed while unpacking: pip alone would take the rest for the whole package.
    next((ready.folder / ".venv").glob("lib/*/site-packages/speck.py")).unlink()
    ready.lock_package("1.0")
    done = ready.make("setup")
    assert done.returncode == 0, done.stderr
    assert ready.works()


def processes():
    if not os.path.isdir("/proc"):
        pytest.skip("needs /proc to find one process of a group")
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def is_bootstrap(pid, group):
    try:
        with open(f"/proc/{pid}/cmdline") as file:
            return os.getpgid(pid) == group and file.read().split("\0")[1:2] == ["bootstrap.py"]
    except OSError:  # it has ended meanwhile
        return False


@slow
def test_killed_set_up_whose_pip_lives_on(book):
    """The next one waits for that pip, and does not build beneath it."""
    with stalling_server() as (address, asked):
        running = book.start("setup", PIP_FIND_LINKS=address)
        assert asked.wait(60)
        bootstrap = [pid for pid in processes() if is_bootstrap(pid, running.pid)]
        assert bootstrap
        for pid in bootstrap:
            os.kill(pid, signal.SIGKILL)
        second = book.start("setup")
        assert "waiting for it" in second.stdout.readline()
    # The server is gone, the first pip fails, and the second set-up goes on.
    out, errors = second.communicate(timeout=60)
    assert second.returncode == 0, out + errors
    running.communicate(timeout=30)
    assert book.works()


def test_two_at_once(book):
    first = book.start("setup")
    assert first.stdout.readline().startswith("Setting up")
    second = book.start("setup")
    out, errors = second.communicate(timeout=60)
    assert first.wait(60) == 0 and second.returncode == 0, errors
    assert out == "Another set-up is at work in this folder: waiting for it.\n"
    assert book.works()
    first.communicate()
