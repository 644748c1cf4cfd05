"""What every test shares: the option --slow, and a word on the data that the tests use."""

import os
from pathlib import Path

import hypothesis
import pytest

# How long an example takes says how busy the machine is, not whether the code is right.
hypothesis.settings.register_profile("shared machine", deadline=None)
hypothesis.settings.load_profile("shared machine")


def pytest_addoption(parser):
    parser.addoption("--slow", action="store_true", help="run the tests marked slow, too")


def pytest_report_header():
    named = os.environ.get("DLCOURSE_DATA", "")
    if named and Path(named).is_dir():
        return f"data: the real MNIST, too, from DLCOURSE_DATA={named}"
    return f"data: the embedded digits; DLCOURSE_DATA {f'is {named}' if named else 'is not set'}"


def pytest_collection_modifyitems(config, items):
    if config.getoption("--slow"):
        return
    for item in items:
        if "slow" in item.keywords:
            item.add_marker(pytest.mark.skip(reason="slow: run with --slow"))
