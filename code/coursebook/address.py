"""Where the site and its repository are: from ``_config.yml``, or from the environment.

::

    html: {baseurl: "https://example.org/deep-learning/"}
    repository: {url: "https://github.com/example/deep-learning", branch: main}

A workflow that publishes knows both and edits no file: ``COURSEBOOK_ADDRESS``,
``COURSEBOOK_REPOSITORY`` and ``COURSEBOOK_BRANCH`` come before what the file says. Both
addresses may stay empty; the book then shows what needs none.
"""

import os
from urllib.parse import urlsplit

from sphinx.application import Sphinx
from sphinx.config import Config

__all__ = ["checked", "setup"]

ADDRESS = "COURSEBOOK_ADDRESS"
REPOSITORY = "COURSEBOOK_REPOSITORY"
BRANCH = "COURSEBOOK_BRANCH"
LOCAL = {"localhost", "127.0.0.1", "[::1]"}  # for a trial on this machine


def checked(text: str, source: str) -> str:
    """An address as given, without white space around it and without a slash at its end.

    Parameters
    ----------
    text
        An ``https`` address; ``http`` will do on this machine alone.
    source
        Where it was given, for the message.

    Raises
    ------
    ValueError
        If it is something else, or has a user's name, a query or a fragment.
    """
    text = text.strip()
    try:
        parts = urlsplit(text)
        host = parts.netloc.rpartition(":")[0] if parts.port else parts.netloc
    except ValueError:  # a port that is no number, a bracket left open
        parts, host = urlsplit(""), ""
    allowed = parts.scheme == "https" or (parts.scheme == "http" and host in LOCAL)
    plain = not set(text) & set(" \t\n<>\"'?#@\\")
    if not (allowed and plain and parts.hostname):
        raise ValueError(f"{source}: expected an address such as https://example.org/book, came {text!r}")
    return text.rstrip("/")


def _given(variable: str, said: str, name: str) -> str:
    """An address from the environment or, where that has none, from the configuration."""
    for text, source in ((os.environ.get(variable, ""), variable), (said, f"_config.yml: {name}")):
        if text.strip():
            return checked(text, source)
    return ""


def _settle(app: Sphinx, config: Config) -> None:
    options = config.html_theme_options
    try:
        address = _given(ADDRESS, config.html_baseurl, "html: baseurl")
        repository = _given(REPOSITORY, options.get("repository_url") or "", "repository: url")
    except ValueError as error:
        raise SystemExit(str(error)) from None
    config.html_baseurl = f"{address}/" if address else ""
    options["repository_url"] = repository.removesuffix(".git")
    if branch := os.environ.get(BRANCH, "").strip():
        options["repository_branch"] = branch


def setup(app: Sphinx) -> None:
    app.connect("config-inited", _settle, priority=100)  # before those who use them
