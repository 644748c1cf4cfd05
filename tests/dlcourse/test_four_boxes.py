"""The README: its program is the lecture's four boxes and runs (S7), its links lead somewhere."""

import re
from pathlib import Path

README = Path(__file__).parents[2] / "README.md"


def test_what_the_readme_links_to_is_there():
    links = re.findall(r"\]\((?!https?:)([^)#]+)", README.read_text(encoding="utf-8"))
    assert links and [link for link in links if not (README.parent / link).exists()] == []


def test_the_readmes_program_runs_and_its_names_come_from_the_boxes(monkeypatch):
    monkeypatch.setenv("DLCOURSE_DATA", "embedded")
    (program,) = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    names = {}
    exec(program, names)
    boxes = {"load_digits": "data", "CrossEntropy": "losses", "Network": "network", "fit": "learning"}
    assert {name: names[name].__module__ for name in boxes} == {name: f"dlcourse.{box}" for name, box in boxes.items()}
    history = names["history"]
    assert history.loss[-1] < history.loss[0] and history.validation_accuracy[-1] > 0.7
