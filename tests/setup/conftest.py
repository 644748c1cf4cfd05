"""A tiny book, new or set up."""

import copy
import shutil

import pytest
from tiny_book import Book


@pytest.fixture
def book(tmp_path):
    """A tiny book that was never set up."""
    return Book(tmp_path)


@pytest.fixture(scope="session")
def template(tmp_path_factory):
    """A tiny book that is set up, and beside it a copy of all that is in it."""
    book = Book(tmp_path_factory.mktemp("ready"))
    done = book.make("setup")
    assert done.returncode == 0, done.stdout + done.stderr
    for folder in (book.folder, book.packages):
        shutil.copytree(folder, kept(folder), symlinks=True)
    return book


def kept(folder):
    """Where the copy of a folder of the template is."""
    return folder.with_name(f"{folder.name} kept")


@pytest.fixture
def ready(template):
    """A tiny book that is set up. A test may do with it what it likes: the next gets it anew."""
    book = copy.copy(template)
    book.environment = dict(template.environment)
    yield book
    for folder in (book.folder, template.folder, template.packages):
        shutil.rmtree(folder, ignore_errors=True)
    for folder in (template.folder, template.packages):
        shutil.copytree(kept(folder), folder, symlinks=True)
