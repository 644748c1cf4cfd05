"""Addresses of the site and its repository: from the file, from the environment, and wrong ones."""

import re

import pytest
from bs4 import BeautifulSoup
from hypothesis import given
from hypothesis import strategies as st

from coursebook import address


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("https://example.org", "https://example.org"),
        (" https://example.org/a-book/ ", "https://example.org/a-book"),
        ("https://example.org:8443/x", "https://example.org:8443/x"),
        ("http://127.0.0.1:8000/", "http://127.0.0.1:8000"),
        ("http://localhost/book", "http://localhost/book"),
        ("http://[::1]:80/book", "http://[::1]:80/book"),
    ],
)
def test_an_address_is_taken(given, expected):
    assert address.checked(given, "here") == expected


@pytest.mark.parametrize(
    "given",
    [
        "example.org", "http://example.org", "https://", "https:///path", "ftp://example.org", "//example.org",
        "https://example.org/?q", "https://example.org/#x", "https://user:word@example.org", "https://example.org/a b",
        'https://example.org/"onload', "https://example.org:port/", "javascript:alert(1)", "https://[::1", "git@host:x/y",
    ],
)
def test_another_thing_is_named_with_its_source(given):
    with pytest.raises(ValueError, match=re.escape(f"came {given.strip()!r}")) as error:
        address.checked(given, "COURSEBOOK_ADDRESS")
    assert str(error.value).startswith("COURSEBOOK_ADDRESS: expected an address such as https://")


@given(st.text())
def test_whatever_comes_is_refused_or_safe_in_an_attribute(text):
    try:
        taken = address.checked(text, "here")
    except ValueError:
        return
    assert re.fullmatch(r"https?://[^\s\"'<>?#@\\]+[^/]", taken)


def canonical(book):
    link = BeautifulSoup(book.html("index"), "html.parser").find("link", rel="canonical")
    return link["href"] if link else None


def test_the_environment_comes_before_the_file(book, monkeypatch):
    for name in (address.ADDRESS, address.REPOSITORY, address.BRANCH):
        monkeypatch.delenv(name, raising=False)
    assert book.build(strict=True).status == 0
    assert canonical(book) is None

    book.replace("_config.yml", "latex:\n", "html: {baseurl: 'https://example.org/file'}\n\nlatex:\n")
    assert book.build(strict=True).status == 0
    assert canonical(book) == "https://example.org/file/book/index.html"

    monkeypatch.setenv(address.ADDRESS, "https://example.org/environment/")
    monkeypatch.setenv(address.REPOSITORY, "https://github.com/example/book.git")
    monkeypatch.setenv(address.BRANCH, "trunk")
    seen = []
    monkeypatch.setattr("sphinx.application.Sphinx.build", lambda app, *_: seen.append(app.config))
    assert book.build(strict=True).status == 0
    assert seen[0].html_baseurl == "https://example.org/environment/"
    assert seen[0].html_theme_options["repository_url"] == "https://github.com/example/book"
    assert seen[0].html_theme_options["repository_branch"] == "trunk"


def test_a_wrong_address_stops_the_build_with_one_line(book, monkeypatch):
    monkeypatch.setenv(address.ADDRESS, "http://example.org")
    result = book.build()
    assert result.status == (
        "COURSEBOOK_ADDRESS: expected an address such as https://example.org/book, came 'http://example.org'"
    )
    monkeypatch.setenv(address.ADDRESS, "")
    book.replace("_config.yml", 'url: ""', "url: github.com/example")
    assert book.build().status.startswith("_config.yml: repository: url: expected an address")
