"""The Chromium of the tests: without one they skip, or fail where it has to be there."""

import os

import pytest

from coursebook.printing import chromium


def executable() -> str:
    """The path of Chromium; skips the test, or fails it, where there is none."""
    try:
        return chromium.find()
    except FileNotFoundError as error:
        if os.environ.get("COURSEBOOK_BROWSER") == "required":
            pytest.fail(f"{error}, and COURSEBOOK_BROWSER=required", pytrace=False)
        pytest.skip(str(error))
