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
    shutil.copytree(book.folder, book.folder.with_name("kept"), symlinks=True)
    return book


@pytest.fixture
def ready(template):
    """A tiny book that is set up. A test may do with it what it likes: the next gets it anew."""
    book = copy.copy(template)
    book.environment = dict(template.environment)
    yield book
    for folder in (book.folder, template.folder):
        shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(template.folder.with_name("kept"), template.folder, symlinks=True)
