"""Edit the package's own code from a notebook: the cell magic ``%%implementation``.

A notebook of the book shows the source of a function, a class or a method in a cell::

    %%implementation dlcourse.network.Dense.forward
    def forward(self, x, training=False, rng=None):
        ...

Running it puts this version in the place of the package's own, in the running session
only. It is the object itself that changes: what was imported before, layers that exist
already, other modules, and the workers of :func:`dlcourse.evidence.repeat` all use the new
version. A cell that holds the original brings the original back.
"""

import __future__

import abc
import ast
import importlib
import linecache
import sys
from collections.abc import Mapping
from types import CodeType, FunctionType, ModuleType
from typing import Any

__all__ = ["become", "edit", "edits", "load_ipython_extension", "original"]

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef

_edits: dict[str, str] = {}  # what differs from the original now, in the order it was made
KEPT = {"__dict__", "__weakref__", "__module__", "__qualname__", "__doc__"}  # of a class, whatever its body says


def edits() -> dict[str, str]:
    """The sources of all that is edited now, by full name, in the order of editing."""
    return dict(_edits)


def edit(name: str, source: str) -> bool:
    """Put another version of a function, class or method in the place of the package's own.

    Parameters
    ----------
    name
        Such as ``dlcourse.network.Dense.forward``.
    source
        Its new definition, and nothing beside it; comments may stand anywhere.

    Returns
    -------
    bool
        Whether it differs from the original.

    Raises
    ------
    SyntaxError
        When the source is no Python.
    ValueError
        When there is nothing of that name, or the source does not define just that.
    """
    node = _definition(name, source)
    module, path = _locate(name)
    first = _find(_module_source(module), path, name)
    changed = _plain(node) != _plain(first)
    related = [other for other in _edits if f"{other}.".startswith(f"{name}.") or f"{name}.".startswith(f"{other}.")]
    if not changed and not related:
        return False  # the original, and it is in place
    if changed:
        filename = f"<implementation {name}>"
        lines = [f"# %%implementation {name}", *source.split("\n")]  # numbered as in the cell
        linecache.cache[filename] = (len(source), None, [f"{line}\n" for line in lines], filename)
        try:
            _replace(module, path, ast.increment_lineno(node, 1), filename)
        except BaseException:
            _replace(module, path, first, module.__file__)  # not half of one and half of the other
            raise
        finally:
            _forget(name)
    else:
        _replace(module, path, first, module.__file__)
        _forget(name)
    if changed or any(name.startswith(f"{other}.") for other in _edits):
        _edits[name] = source
    return changed


def _forget(name: str) -> None:
    """Drop the edits of a name and, where it is a class, of its parts: they were just replaced."""
    for other in [other for other in _edits if f"{other}.".startswith(f"{name}.")]:
        del _edits[other]


def become(wanted: Mapping[str, str]) -> None:
    """Make the edits of another process those of this one, and undo all others."""
    if list(wanted.items()) == list(_edits.items()):
        return
    while _edits:
        name = next(iter(_edits))
        edit(name, original(name))
        _forget(name)
    for name, source in wanted.items():
        edit(name, source)


def original(name: str) -> str:
    """The source of a function, class or method as the package's file has it."""
    module, path = _locate(name)
    text = _module_source(module)
    node = _find(text, path, name)
    first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
    lines = text.split("\n")[first - 1 : node.end_lineno]
    return "\n".join(line.removeprefix(" " * node.col_offset) for line in lines)


# --- what a name and a source mean -----------------------------------------------------------


def _locate(name: str) -> tuple[ModuleType, list[str]]:
    """The module of a full name, and the names inside it."""
    parts = name.split(".")
    for end in range(len(parts) - 1, 0, -1):
        try:
            module = importlib.import_module(".".join(parts[:end]))
        except ModuleNotFoundError as error:
            if not ".".join(parts[:end]).startswith(error.name or " "):
                raise  # the module is there, and something that it imports is not
            continue
        return module, parts[end:]
    raise ValueError(f"name must be in a module, such as dlcourse.network.Dense, got {name!r}")


def _module_source(module: ModuleType) -> str:
    loader = getattr(module.__spec__, "loader", None)
    text = loader.get_source(module.__name__) if hasattr(loader, "get_source") else None
    if text is None:
        raise ValueError(f"{module.__name__} has no source in Python")
    return text


def _find(text: str, path: list[str], name: str) -> Definition:
    """The definition that a name has in the source of its module."""
    node: Any = ast.parse(text)
    for part in path:
        found = [child for child in node.body if isinstance(child, Definition) and child.name == part]
        if not found:
            raise ValueError(f"name must be a function, class or method of the package, got {name!r}")
        node = found[-1]  # the last definition of a name counts
    return node


def _definition(name: str, source: str) -> Definition:
    wanted = name.rpartition(".")[2]
    body = ast.parse(source, f"<implementation {name}>").body
    if len(body) != 1 or not isinstance(body[0], Definition) or body[0].name != wanted:
        got = ", ".join(getattr(node, "name", type(node).__name__) for node in body) or "nothing"
        raise ValueError(f"the cell must define {wanted}, and nothing else beside it, got {got}")
    return body[0]


def _plain(node: Definition) -> str:
    """A definition without layout, comments and docstrings, to compare it."""
    node = ast.parse(ast.unparse(node)).body[0]
    for inner in ast.walk(node):
        if isinstance(inner, Definition) and ast.get_docstring(inner, clean=False) is not None:
            inner.body = inner.body[1:] or [ast.Expr(ast.Constant(...))]
    return ast.dump(node)


# --- putting it in place -----------------------------------------------------------------------


class _Body:
    """Stands as the metaclass of a class statement: runs its body, and makes no class.

    What the body defines belongs to a class that exists already: names are looked up there
    first where ``inside`` says so, and ``super()`` finds it.
    """

    def __init__(self, real: type, inside: bool) -> None:
        self.real, self.inside = real, inside

    def __prepare__(self, name: str, bases: tuple, **keywords: Any) -> dict:
        return dict(vars(self.real)) if self.inside else {}

    def __call__(self, name: str, bases: tuple, namespace: dict, **keywords: Any) -> tuple[tuple, dict]:
        if cell := namespace.pop("__classcell__", None):
            cell.cell_contents = self.real
        return bases, namespace


def _replace(module: ModuleType, path: list[str], node: Definition, filename: str) -> None:
    owner = module
    for part in path[:-1]:
        owner = getattr(owner, part)
    if isinstance(node, ast.ClassDef):
        _replace_class(module, getattr(owner, path[-1]), node, filename)
    elif isinstance(owner, type):
        wrapper = ast.ClassDef(owner.__name__, [], [], [node], [])
        _, namespace = _run_body(module, owner, wrapper, filename, inside=True)
        new = namespace[path[-1]]
        for function in _functions(new):
            function.__qualname__ = f"{owner.__qualname__}.{path[-1]}"
        _put(owner, path[-1], new)
    else:
        found: dict[str, Any] = {}
        tree = ast.fix_missing_locations(ast.Module([node], []))
        exec(_compiled(tree, module, filename), vars(module), found)
        _put(owner, path[-1], found[path[-1]])


def _run_body(module: ModuleType, real: type, node: ast.ClassDef, filename: str, inside: bool) -> tuple[tuple, dict]:
    """Run the body of a class statement in its module."""
    keywords = [keyword for keyword in node.keywords if keyword.arg != "metaclass"]
    keywords.append(ast.keyword("metaclass", ast.Name("_body", ast.Load())))
    bare = ast.ClassDef(node.name, node.bases, keywords, node.body, [])
    if hasattr(node, "type_params"):
        bare.type_params = node.type_params
    tree = ast.fix_missing_locations(ast.Module([ast.copy_location(bare, node.body[0])], []))
    found: dict[str, Any] = {"_body": _Body(real, inside)}
    exec(_compiled(tree, module, filename), vars(module), found)
    return found[node.name]


def _compiled(tree: ast.Module, module: ModuleType, filename: str) -> CodeType:
    """Code as the module's own would be compiled, with what it imports from ``__future__``."""
    features = [value for value in vars(module).values() if isinstance(value, __future__._Feature)]
    return compile(tree, filename, "exec", sum({feature.compiler_flag for feature in features}), dont_inherit=True)


def _replace_class(module: ModuleType, real: type, node: ast.ClassDef, filename: str) -> None:
    """Give a class another body. Its instances, and all who know it, keep knowing it."""
    if type(real) not in (type, abc.ABCMeta) or "__slots__" in vars(real):
        raise ValueError(f"{real.__name__} has a metaclass or slots, and cannot be changed while it is in use")
    bases, namespace = _run_body(module, real, node, filename, inside=False)
    decorators = [
        eval(compile(ast.fix_missing_locations(ast.Expression(decorator)), filename, "eval"), vars(module))
        for decorator in node.decorator_list
    ]
    if (bases or (object,)) != real.__bases__:
        raise ValueError(
            f"{real.__name__} must keep its bases, {', '.join(base.__name__ for base in real.__bases__)}, "
            f"got {', '.join(base.__name__ for base in bases) or 'none'}"
        )
    for key in set(vars(real)) - set(namespace) - KEPT:
        if not key.startswith("_abc_"):
            delattr(real, key)
    for key, value in namespace.items():
        if key not in ("__module__", "__qualname__"):
            setattr(real, key, value)
            if hasattr(type(value), "__set_name__"):
                type(value).__set_name__(value, real, key)
    if "__eq__" in namespace and "__hash__" not in namespace:
        real.__hash__ = None  # as a class statement would
    for decorate in reversed(decorators):
        if decorate(real) is not real:
            raise ValueError(f"a decorator of {real.__name__} makes another class, which cannot take its place")
    if isinstance(real, abc.ABCMeta):
        abc.update_abstractmethods(real)


def _put(owner: Any, name: str, new: Any) -> None:
    """Change an attribute, in the object itself where that can be done, else wherever it is known."""
    old = vars(owner)[name]
    if _in_place(old, new):
        return
    spaces = [owner, *(module for module in list(sys.modules.values()) if isinstance(module, ModuleType))]
    for space in spaces:
        for key, value in list(vars(space).items()):
            if value is old:
                setattr(space, key, new)


def _in_place(old: Any, new: Any) -> bool:
    """Give a function the code of another. Whoever holds it then runs the new code."""
    if not (type(old) is type(new) is FunctionType) or old.__code__.co_freevars != new.__code__.co_freevars:
        return False
    old.__code__ = new.__code__
    for attribute in ("__defaults__", "__kwdefaults__", "__annotations__", "__doc__"):
        setattr(old, attribute, getattr(new, attribute))
    old.__dict__.clear()
    old.__dict__.update(new.__dict__)
    for mine, other in zip(old.__closure__ or (), new.__closure__ or ()):
        mine.cell_contents = other.cell_contents
    return True


def _functions(value: Any) -> list[FunctionType]:
    """The functions in a function, a property, a static or a class method."""
    parts = [value, *(getattr(value, name, None) for name in ("__func__", "fget", "fset", "fdel"))]
    return [part for part in parts if isinstance(part, FunctionType)]


# --- in a notebook --------------------------------------------------------------------------------


def load_ipython_extension(shell: Any) -> None:
    """Give a notebook the magic ``%%implementation`` (called by ``%load_ext dlcourse.editing``)."""
    shell.register_magic_function(_implementation, magic_kind="cell", magic_name="implementation")


def _implementation(line: str, cell: str) -> None:
    """``%%implementation NAME``: the cell's definition takes the place of the package's own."""
    from IPython.core.error import UsageError

    name = line.strip()
    was = name in _edits
    try:
        changed = edit(name, cell)
    except ValueError as error:
        raise UsageError(f"%%implementation {name}: {error}") from None  # shown as one line
    if changed:
        print(f"{name} is now your version.")
    elif was:
        print(f"{name} is the package's own again.")
