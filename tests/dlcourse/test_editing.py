"""Edits of the package's code from a notebook: what changes, for whom, and the way back.

The package under edit is made in the test; the book's own implementations get a round trip.
"""

import importlib
import re
import subprocess
import sys
import traceback
from pathlib import Path
from textwrap import dedent
from types import CodeType

import joblib
import numpy as np
import pytest

from dlcourse import editing, network, optimization
from dlcourse.evidence import ExperimentFailed, repeat
from dlcourse.network import Dense, Network, ReLU

ROOT = Path(__file__).resolve().parents[2]
SHOWN = sorted({
    name
    for page in ROOT.glob("book/**/*.md")
    for block in re.findall(r":::\{implementation\}(.*?):::", page.read_text(encoding="utf-8"), re.DOTALL)
    for name in block.split()
})  # fmt: skip

ROOM = '''
"""A module to edit."""
import functools
from abc import ABC, abstractmethod
from dataclasses import dataclass, field

FACTOR = 2
CALLS = []
REGISTRY = {}


def double(x, times=1):
    """Say what it does."""
    return FACTOR * x * times


TABLE = {"double": double}


def logged(function):
    @functools.wraps(function)
    def wrapper(*args):
        CALLS.append(function.__name__)
        return function(*args)
    return wrapper


@logged
def triple(x):
    return 3 * x


@functools.cache
def slow(x):
    return x + 1


class Base:
    def __init_subclass__(cls):
        REGISTRY[cls.__name__] = cls

    def name(self):
        return "base"


class Child(Base):
    """A child."""

    scale = 10
    def name(self):
        """Its name."""
        return "child of " + super().name()

    @property
    def size(self):
        return self.scale

    @size.setter
    def size(self, value):
        self.scale = value

    @staticmethod
    def sum(a, b=FACTOR):
        return a + b

    @classmethod
    def make(cls):
        return cls()

    def call(self, x):
        return x + self.__hidden()

    __call__ = call

    def __hidden(self):
        return 1


@dataclass
class Setting(Base):
    """A setting."""

    rate: float = 0.1
    names: list = field(default_factory=list)

    def __post_init__(self):
        self.rate = float(self.rate)

    def apply(self, x):
        return self.rate * x


@dataclass(frozen=True)
class Fixed:
    x: int = 1


class Abstract(ABC):
    @abstractmethod
    def work(self): ...


class Slotted:
    __slots__ = ("x",)
'''


@pytest.fixture
def room(tmp_path, monkeypatch):
    """A module ``editroom`` that nobody has edited; afterwards nothing is edited."""
    (tmp_path / "editroom.py").write_text(ROOM, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    sys.modules.pop("editroom", None)
    importlib.invalidate_caches()
    yield importlib.import_module("editroom")
    editing.become({})
    sys.modules.pop("editroom", None)


@pytest.fixture(autouse=True)
def unedited():
    yield
    editing.become({})


def edit(name: str, source: str) -> bool:
    return editing.edit(name, dedent(source).strip())


def test_a_function_changes_for_all_who_hold_it(room):
    held, in_table = room.double, room.TABLE["double"]
    assert edit("editroom.double", "def double(x, times=2):\n    return FACTOR * x + times")
    assert held is room.double is in_table
    assert held(5) == 12, "names of the module, and the new default"
    assert edit("editroom.double", editing.original("editroom.double")) is False
    assert (held(5), held(5, times=2), held.__doc__) == (10, 20, "Say what it does.")
    assert editing.edits() == {}


def test_decorators_are_applied(room):
    held, cached = room.triple, room.slow
    room.held_elsewhere = cached
    assert edit("editroom.triple", "@logged\ndef triple(x):\n    return 30 * x")
    assert held(1) == 30
    assert room.CALLS == ["triple"]
    assert cached(1) == 2
    assert edit("editroom.slow", "@functools.cache\ndef slow(x):\n    return x + 100")
    assert room.slow(1) == room.held_elsewhere(1) == 101, "an object that cannot change is replaced"
    assert room.slow.cache_info().misses == 1
    assert edit("editroom.triple", "def triple(x):\n    return 0")
    assert (room.triple(1), room.CALLS) == (0, ["triple"]), "without its decorator"


def test_methods_change_for_instances_that_exist(room):
    child = room.Child()
    bound = child.name
    assert edit("editroom.Child.name", "def name(self):\n    return 'edited ' + super().name()")
    assert child.name() == bound() == "edited base"
    assert room.Child.name.__qualname__ == "Child.name"
    assert edit("editroom.Child.call", "def call(self, x):\n    return x + 10 * self.__hidden()")
    assert child.call(1) == child(1) == 11, "its second name too, and a private name of the class"
    assert edit("editroom.Child.sum", "@staticmethod\ndef sum(a, b=FACTOR):\n    return a - b")
    assert child.sum(5) == room.Child.sum(5) == 3
    assert edit("editroom.Child.make", "@classmethod\ndef make(cls):\n    return cls, cls.scale")
    assert child.make() == (room.Child, 10)
    assert edit("editroom.Child.size", "@size.setter\ndef size(self, value):\n    self.scale = 2 * value")
    child.size = 4
    assert child.size == 8
    # super() where there was none, so that the function cannot change in place
    assert edit("editroom.Child.call", "def call(self, x):\n    return super().name() * x")
    assert child.call(2) == child(2) == "basebase"


def test_a_class_stays_the_same_object(room):
    setting, child = room.Setting(2), room.Child()
    known = dict(room.REGISTRY)
    assert edit("editroom.Setting", """
        @dataclass
        class Setting(Base):
            rate: float = 0.5
            extra: int = 3

            def apply(self, x):
                return super().name(), self.extra * x
    """)
    assert room.REGISTRY == known
    assert repr(room.Setting()) == "Setting(rate=0.5, extra=3)"
    assert room.Setting("a").rate == "a", "__post_init__ is gone"
    assert setting.apply(2) == ("base", 6)
    assert isinstance(setting, room.Setting)
    assert room.Setting() == room.Setting()
    assert edit("editroom.Setting", editing.original("editroom.Setting")) is False
    assert repr(room.Setting(1)) == "Setting(rate=1.0, names=[])"
    assert setting.apply(2) == 4.0
    assert not hasattr(room.Setting, "extra")

    assert edit("editroom.Child", "class Child(Base):\n    def name(self):\n        return 'new ' + super().name()")
    assert child.name() == "new base"
    assert not hasattr(child, "size")
    edit("editroom.Child", editing.original("editroom.Child"))
    assert (child.name(), child.size, room.Child.__doc__) == ("child of base", 10, "A child.")

    assert edit("editroom.Fixed", "@dataclass(frozen=True)\nclass Fixed:\n    x: int = 7")
    assert {room.Fixed(): 1}[room.Fixed(7)] == 1, "its hash was made anew"
    assert edit("editroom.Fixed", "class Fixed:\n    def __eq__(self, other):\n        return True")
    with pytest.raises(TypeError, match="unhashable"):
        hash(room.Fixed())

    with pytest.raises(TypeError):
        room.Abstract()
    assert edit("editroom.Abstract", "class Abstract(ABC):\n    def work(self): ...")
    room.Abstract()


def test_an_edited_class_and_an_edited_method(room):
    child = room.Child()
    edit("editroom.Child.name", "def name(self):\n    return 'a'")
    edit("editroom.Child", "class Child(Base):\n    def name(self):\n        return 'b'")
    assert (child.name(), list(editing.edits())) == ("b", ["editroom.Child"])
    edit("editroom.Child.name", editing.original("editroom.Child.name"))
    assert child.name() == "child of base", "the original method in the edited class"
    assert list(editing.edits()) == ["editroom.Child", "editroom.Child.name"]
    wanted = editing.edits()
    editing.become({})
    assert (child.name(), child.size, editing.edits()) == ("child of base", 10, {})
    editing.become(wanted)
    assert (child.name(), hasattr(child, "size")) == ("child of base", False)
    edit("editroom.Child", editing.original("editroom.Child"))
    assert (child.size, editing.edits()) == (10, {})


@pytest.mark.parametrize(("name", "source", "message"), [
    ("editroom.double", "def other(x): ...", "must define double, and nothing else beside it, got other"),
    ("editroom.double", "import math\ndef double(x): ...", "got Import, double"),
    ("editroom.double", "# nothing", "got nothing"),
    ("editroom.Child.name", "name = 3", "must define name.* got Assign"),
    ("editroom.nothing", "def nothing(): ...", "of the package, got 'editroom.nothing'"),
    ("editroom.Child.nothing", "def nothing(): ...", "'editroom.Child.nothing'"),
    ("nowhere.f", "def f(): ...", "got 'nowhere.f'"),
    ("math.sqrt", "def sqrt(x): ...", "math has no source in Python"),
    ("editroom.Slotted", "class Slotted:\n    y = 1", "slots"),
    ("editroom.Child", "class Child:\n    pass", "must keep its bases, Base, got none"),
    ("editroom.Fixed", "@dataclass(slots=True)\nclass Fixed:\n    x: int = 2", "makes another class"),
])  # fmt: skip
def test_what_is_no_implementation_is_refused(room, name, source, message):
    with pytest.raises(ValueError, match=message):
        editing.edit(name, source)
    assert editing.edits() == {}
    assert (room.double(1), room.Child().name(), room.Fixed()) == (2, "child of base", room.Fixed(1))


def test_a_broken_edit_leaves_the_original(room):
    with pytest.raises(SyntaxError):
        editing.edit("editroom.double", "def double(x:\n    return x")
    edit("editroom.Setting.apply", "def apply(self, x):\n    return 0")
    for source in (
        "@dataclass\nclass Setting(Base):\n    rate: float = unknown",
        "@dataclass\nclass Setting(Base):\n    rate: float = 0.1\n    other: int",
    ):
        with pytest.raises((NameError, TypeError)):
            editing.edit("editroom.Setting", source)
        assert room.Setting(3).apply(1) == 3.0
        assert editing.edits() == {}


def test_an_error_shows_the_lines_of_the_cell(room):
    edit("editroom.double", "def double(x):\n    wrong = x\n    return wrong + 'text'  # here")
    try:
        room.double(1)
    except TypeError:
        shown = traceback.format_exc()
    assert 'File "<implementation editroom.double>", line 4, in double' in shown, "the magic is line 1"
    assert "return wrong + 'text'  # here" in shown


def test_annotations_from_the_future_stay_text(room, tmp_path):
    (tmp_path / "futureroom.py").write_text(
        "from __future__ import annotations\ndef f(x: Undefined) -> Later: return 1\n", encoding="utf-8"
    )
    module = importlib.import_module("futureroom")
    edit("futureroom.f", "def f(x: Undefined) -> Later: return 2")
    assert (module.f(0), module.f.__annotations__["return"]) == (2, "Later")


# --- the book's own ------------------------------------------------------------------------------


def test_the_book_shows_implementations():
    assert len(SHOWN) >= 9


def state(name: str) -> tuple:
    """All that a function, class or method consists of."""
    value = importlib.import_module(".".join(name.split(".")[:2]))
    for part in name.split(".")[2:]:
        value = vars(value)[part]

    def compiled(code):
        # Not the instructions: those for `np.exp` depend on whether `import np` was compiled along.
        constants = [compiled(each) if isinstance(each, CodeType) else each for each in code.co_consts]
        return constants, code.co_names, code.co_varnames, code.co_firstlineno, code.co_filename

    def described(item, depth=0):
        item = item.fget if isinstance(item, property) else item
        if hasattr(item, "__code__"):
            return (compiled(item.__code__), item.__defaults__, item.__doc__, str(item.__annotations__), item.__qualname__,
                    item.__module__)  # fmt: skip
        if isinstance(item, type) and depth == 0:
            return sorted((key, described(part, 1)) for key, part in vars(item).items() if key not in ("__dict__", "__weakref__"))
        return re.sub(r" at 0x\w+", "", repr(item))

    return described(value)


@pytest.mark.parametrize("name", SHOWN)
def test_unedited_cells_leave_everything_as_it_is(name):
    from coursebook.traceability.implementation import source_of

    module = next(ROOT.glob(f"code/{'/'.join(name.split('.')[:2])}.py"))
    shown = source_of(module.read_text(encoding="utf-8"), name.split(".")[2:])
    before = state(name)
    assert editing.edit(name, f"# A comment.\n{shown}\n") is False
    assert state(name) == before
    # Edited, and back by the cell as the page shows it: the docstring too.
    if re.match(r"(@.*\n)*def ", shown):
        changed = re.sub(r"^(def .*?:)\n", r"\1\n    raise ZeroDivisionError\n", shown, count=1, flags=re.DOTALL | re.MULTILINE)
    else:
        changed = f"{shown}\n    added = 1"
    assert editing.edit(name, changed) is True
    assert state(name) != before
    assert editing.edit(name, shown) is False
    assert state(name) == before


DOUBLED = """\
def forward(self, x, training=False, rng=None):
    self.x = x
    return 2 * (product(x, self.weights) + self.biases)"""


def test_results_change_in_a_network_that_exists():
    x = np.ones((2, 4), np.float32)
    chain = Network(Dense(4, 3), ReLU(), rng=np.random.default_rng(0))
    before = chain(x)
    editing.edit("dlcourse.network.Dense.forward", DOUBLED)
    assert np.allclose(chain(x), 2 * before)
    zeros = "def glorot_uniform(rng, shape):\n    return np.zeros(shape)"
    editing.edit("dlcourse.network.glorot_uniform", zeros)
    assert not Dense(4, 3).initialize(np.random.default_rng(0)).weights.any(), "a default argument"
    editing.become({})
    assert np.array_equal(chain(x), before)


def test_an_optimizer_changes_and_still_checks_its_settings():
    rule = optimization.RMSProp()
    source = editing.original("dlcourse.optimization.RMSProp").replace("parameter -=", "parameter +=")
    editing.edit("dlcourse.optimization.RMSProp", source)
    array, gradient = np.ones((1, 1)), np.ones((1, 1))
    rule.step([array], [gradient], rule.start([array]))
    assert array.item() > 1
    with pytest.raises(ValueError, match="decay"):
        optimization.RMSProp(decay=2)
    assert isinstance(rule, optimization.Optimizer)
    assert type(rule) is optimization.RMSProp


def total(seed):
    """An experiment: what one layer of ones gives."""
    layer = network.Dense(2, 1).initialize(np.random.default_rng(seed))
    layer.weights[:] = 1
    return float(layer.forward(np.full((1, 2), seed + 1.0, np.float32)).item())


@pytest.mark.parametrize("backend", ["loky", "threading", "sequential"])
def test_edits_reach_the_workers_of_repeat(backend):
    with joblib.parallel_config(backend):
        assert repeat(total, seeds=2, workers=2).values.tolist() == [2, 4]
        editing.edit("dlcourse.network.Dense.forward", DOUBLED)
        assert repeat(total, seeds=2, workers=2).values.tolist() == [4, 8]
        # The same workers again, with another edit, and with none.
        editing.edit("dlcourse.network.Dense.forward", DOUBLED.replace("2 *", "3 *"))
        assert repeat(total, seeds=2, workers=2).values.tolist() == [6, 12]
        editing.edit("dlcourse.network.Dense.forward", DOUBLED.replace("2 * (", "unknown * ("))
        with pytest.raises(ExperimentFailed, match="name 'unknown' is not defined"):
            repeat(total, seeds=2, workers=2)
        editing.edit("dlcourse.network.Dense.forward", editing.original("dlcourse.network.Dense.forward"))
        assert repeat(total, seeds=2, workers=2).values.tolist() == [2, 4]


# --- the magic -----------------------------------------------------------------------------------


@pytest.fixture
def shell(room):
    from IPython.core.interactiveshell import InteractiveShell

    shell = InteractiveShell()
    shell.run_line_magic("load_ext", "dlcourse.editing")
    yield shell
    InteractiveShell.clear_instance()


def test_the_magic(shell, room, capsys):
    def run(cell):
        result = shell.run_cell(cell)
        return result.success, capsys.readouterr()

    original = "%%implementation editroom.double\n# A comment.\ndef double(x, times=1):\n    return FACTOR * x * times\n"
    assert run(original)[0]
    assert capsys.readouterr().out == "", "nothing happened, and nothing is said"
    success, said = run(original.replace("FACTOR", "100"))
    assert (success, said.out) == (True, "editroom.double is now your version.\n")
    assert room.double(1) == 100
    assert "double" not in shell.user_ns
    success, said = run(original)
    assert (success, said.out) == (True, "editroom.double is the package's own again.\n")
    success, said = run("%%implementation editroom.double\nx = 1")
    assert not success
    expected = "the cell must define double, and nothing else beside it, got Assign"
    assert said.err == f"UsageError: %%implementation editroom.double: {expected}\n"


def test_editing_is_cheap_to_import():
    code = "import sys; import dlcourse.editing; print(sorted({'IPython', 'numpy', 'inspect'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
