"""The wheel that the site carries: one package, always the same bytes, built when it must."""

import zipfile
from pathlib import Path
from textwrap import dedent

import pytest

from coursebook.notebooks import wheel

PROJECT = """\
    [build-system]
    requires = ["setuptools"]
    build-backend = "setuptools.build_meta"

    [project]
    name = "dlcourse"
    version = "1.2"

    [project.optional-dependencies]
    keras = ["tensorflow"]

    [project.scripts]
    coursebook = "coursebook.cli:main"
    other = "coursebook:other"

    [tool.setuptools.packages.find]
    where = ["code"]
    """


@pytest.fixture
def project(tmp_path):
    root = tmp_path / "a project"
    for name, text in {
        "pyproject.toml": dedent(PROJECT),
        "code/dlcourse/__init__.py": "",
        "code/dlcourse/data.py": "X = 1\n",
        "code/dlcourse/__pycache__/data.cpython-311.pyc": "",
        "code/coursebook/__init__.py": "",
    }.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    return root


def test_it_holds_the_one_package(project, tmp_path):
    built = wheel.build(project, "dlcourse", tmp_path / "kept")
    assert built.name == "dlcourse-1.2-py3-none-any.whl"
    with zipfile.ZipFile(built) as archive:
        names = archive.namelist()
        metadata = archive.read("dlcourse-1.2.dist-info/METADATA").decode()
    assert {name.split("/")[0] for name in names} == {"dlcourse", "dlcourse-1.2.dist-info"}
    assert not [name for name in names if "pycache" in name or "entry_points" in name]
    assert 'Requires-Dist: tensorflow; extra == "keras"' in metadata
    assert sorted(path.name for path in project.iterdir()) == ["code", "pyproject.toml"], "nothing is left behind"


def test_the_same_files_give_the_same_bytes_and_are_built_once(project, tmp_path, monkeypatch):
    runs = []
    run = wheel._run
    monkeypatch.setattr(wheel, "_run", lambda *arguments: (runs.append(arguments), run(*arguments)))
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")  # somebody's own setting changes nothing
    first = wheel.build(project, "dlcourse", tmp_path / "kept")
    content = first.read_bytes()
    (project / "code/dlcourse/data.py").touch()
    (project / "code/coursebook/__init__.py").write_text("Y = 1\n", encoding="utf-8")
    assert wheel.build(project, "dlcourse", tmp_path / "kept") == first
    assert len(runs) == 1
    assert wheel.build(project, "dlcourse", tmp_path / "elsewhere").read_bytes() == content

    (project / "code/dlcourse/data.py").write_text("X = 2\n", encoding="utf-8")
    second = wheel.build(project, "dlcourse", tmp_path / "kept")
    assert (len(runs), second.read_bytes() == content) == (3, False)
    assert [path.name for path in (tmp_path / "kept").iterdir()] == [second.parent.name], "the old one is gone"


def test_a_project_that_does_not_build_says_why(project, tmp_path, monkeypatch):
    (project / "pyproject.toml").write_text("[project]\nname = 3\n", encoding="utf-8")
    with pytest.raises(wheel.WheelNotBuilt, match="the wheel for the notebooks was not built: .*must contain"):
        wheel.build(project, "dlcourse", tmp_path / "kept")
    assert list((tmp_path / "kept").iterdir()) == [], "nothing half-made stays"
    monkeypatch.setattr(wheel, "BUILD", "pass")
    with pytest.raises(wheel.WheelNotBuilt, match="it said nothing"):
        wheel.build(project, "dlcourse", tmp_path / "kept")


def test_our_own_wheel_has_every_module(tmp_path):
    root = Path(__file__).resolve().parents[2]
    built = wheel.build(root, "dlcourse", tmp_path / "kept")
    names = [name for name in zipfile.ZipFile(built).namelist() if name.startswith("dlcourse/")]
    assert set(names) == {path.relative_to(root / "code").as_posix() for path in root.glob("code/dlcourse/**/*.py")}
