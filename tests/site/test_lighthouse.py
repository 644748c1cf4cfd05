"""Lighthouse on its phone profile: a slow processor and a slow network, as it simulates them."""

import json
import os
import subprocess

import pytest
from installed_chromium import executable

from coursebook import node
from coursebook.printing.chromium import ARGUMENTS

LEAST = {"performance": 0.95, "accessibility": 1, "best-practices": 1, "seo": 1}
RUNS = 5  # at most
# A page of each kind. All of them were seen to score alike; a run takes ten seconds and more.
PAGES = ["book/index", "book/labs/mnist", "book/labs/deep", "book/course/claims", "book/reference/network"]
FLAGS = " ".join(["--headless=new", *ARGUMENTS])


def _run(url: str, report) -> dict:
    """One report of Lighthouse."""
    command = [node.executable(), str(node.package("lighthouse") / "cli/index.js"), url, "--quiet"]
    command += ["--output=json", f"--output-path={report}", f"--only-categories={','.join(LEAST)}"]
    done = subprocess.run(
        [*command, f"--chrome-flags={FLAGS}"],
        env=os.environ | {"CHROME_PATH": executable()}, capture_output=True, text=True, timeout=180,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(report.read_text(encoding="utf-8"))


def _scores(report: dict) -> dict[str, float]:
    return {name: report["categories"][name]["score"] for name in LEAST}


def _lost(report: dict) -> list[str]:
    """The audits that cost points, for the message of a failure."""
    weights = {
        entry["id"]: entry["weight"] for category in report["categories"].values() for entry in category["auditRefs"]
    }
    return [
        f"{name}: {audit['score']} {audit.get('displayValue', '')} {audit['title']}"
        for name, audit in report["audits"].items()
        if weights.get(name) and audit["score"] is not None and audit["score"] < 1
    ]


@pytest.mark.slow
@pytest.mark.parametrize("name", PAGES)
def test_lighthouse(reader, name, tmp_path, capsys):
    """Other work on the machine makes a run slower, never faster: so the best of a few counts.

    It is for the performance alone. All else must hold in each run.
    """
    best = 0.0
    for run in range(RUNS):
        report = _run(f"{reader.root}/{name}.html", tmp_path / f"{run}.json")
        scores = _scores(report)
        with capsys.disabled():
            speed = report["environment"]["benchmarkIndex"]
            print(f"\n{name}: " + ", ".join(f"{100 * score:.0f}" for score in scores.values()), f"(machine {speed:.0f})", end="")
        lower = {key for key in LEAST if key != "performance" and scores[key] < LEAST[key]}
        assert not lower, _lost(report)
        best = max(best, scores["performance"])
        if best >= LEAST["performance"]:
            return
    pytest.fail(f"performance {100 * best:.0f} at best of {RUNS} runs: {_lost(report)}")
