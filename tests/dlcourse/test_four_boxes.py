"""The README's program is the lecture's four boxes, and it runs (S7)."""

import re
from pathlib import Path

README = Path(__file__).parents[2] / "README.md"


def test_the_readmes_program_runs_and_its_names_come_from_the_boxes(monkeypatch):
    monkeypatch.setenv("DLCOURSE_DATA", "embedded")
    (program,) = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    names = {}
    exec(program, names)
    boxes = {"load_digits": "data", "CrossEntropy": "losses", "Network": "network", "fit": "learning"}
    assert {name: names[name].__module__ for name in boxes} == {name: f"dlcourse.{box}" for name, box in boxes.items()}
    history = names["history"]
    assert history.loss[-1] < history.loss[0] and history.validation_accuracy[-1] > 0.7
