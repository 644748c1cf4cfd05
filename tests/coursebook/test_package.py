import pytest

from coursebook.package import Package

FILES = {
    "__init__.py": "",
    "alone.py": "import numpy as np\n",
    "base.py": "",
    "middle.py": "from . import base\n",
    "top.py": "def late():\n    from dlcourse.middle import thing\n",
    "ring_a.py": "import dlcourse.ring_b\n",
    "ring_b.py": "from .ring_a import x\n",
    "inner/__init__.py": "from .deep import y\n",
    "inner/deep.py": "from ..base import z\n",
    "broken.py": "def (\n",
}


@pytest.fixture
def package(tmp_path):
    for name, text in FILES.items():
        path = tmp_path / "dlcourse" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return Package(tmp_path / "dlcourse")


def test_files(package, tmp_path):
    assert package.files["dlcourse"] == tmp_path / "dlcourse/__init__.py"
    assert package.files["dlcourse.inner"] == tmp_path / "dlcourse/inner/__init__.py"
    assert package.files["dlcourse.inner.deep"] == tmp_path / "dlcourse/inner/deep.py"


@pytest.mark.parametrize(
    ("cell", "reached"),
    [
        ("import numpy, dlcourses", set()),
        ("x = 'dlcourse.base'", set()),
        ("import dlcourse", {""}),
        ("from dlcourse import alone", {"", "alone"}),
        ("from dlcourse.alone import f as g", {"", "alone"}),
        ("import dlcourse.alone as a", {"", "alone"}),
        ("if x:\n    from dlcourse.top import late", {"", "top", "middle", "base"}),
        ("import dlcourse.ring_a", {"", "ring_a", "ring_b"}),
        ("from dlcourse.inner.deep import y", {"", "inner", "inner.deep", "base"}),
    ],
)
def test_reach(package, cell, reached):
    assert package.reach([cell]) == {f"dlcourse.{name}".rstrip(".") for name in reached}


def test_cells_add_up(package):
    assert package.reach(["import dlcourse.alone", "import dlcourse.base"]) == {
        "dlcourse", "dlcourse.alone", "dlcourse.base",
    }


@pytest.mark.parametrize("cell", ["%timeit 1", "import dlcourse.broken"])
def test_what_cannot_be_parsed_reaches_everything(package, cell):
    assert package.reach([cell]) == set(package.files)


def test_locate(package):
    assert package.locate("dlcourse.top.late") == ("dlcourse.top", ["late"])
    assert package.locate("dlcourse.inner.deep") == ("dlcourse.inner.deep", [])
    with pytest.raises(ValueError, match="'numpy.exp' is not in the package 'dlcourse'"):
        package.locate("numpy.exp")
