"""What the tests of the data share: a small MNIST and mirrors that serve it."""

import contextlib
import socket

import pytest
from mnist_server import Mirror, small_mnist


@pytest.fixture
def no_data_folder(monkeypatch):
    """An environment that names no data and no proxy."""
    monkeypatch.delenv("DLCOURSE_DATA", raising=False)
    monkeypatch.setenv("no_proxy", "*")


@pytest.fixture(scope="session")
def contents():
    return small_mnist()


@pytest.fixture
def mirror(contents):
    with contextlib.closing(Mirror(contents)) as server:
        yield server


@pytest.fixture
def other_mirror(contents):
    with contextlib.closing(Mirror(contents)) as server:
        yield server


@pytest.fixture
def refusing():
    """The address of a port at which nobody listens, and nobody else can."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}/"
