"""What publishes the course book: one Sphinx extension of small modules.

Each module does one thing and has its own ``setup``. This one only lists them, by what they
are for. Where the order matters (a handler that has to come first) it stands in the module, as
a priority.
"""

import hashlib
from importlib import import_module
from pathlib import Path

from sphinx.application import Sphinx
from sphinx.config import Config

__all__ = ["setup"]

MODULES = """
    problems address
    dataset execution
    page implementation html_element
    mathematics plain_formulas line_breaks numbering
    lecture covers facts manifest index_pages
    equations equation_lines reference source_pages
    notebooks bundle launch
    alternative_text images head site_files accessibility without_scripts assets
""".split()


def _add_static_files(app: Sphinx, config: Config) -> None:
    config.html_static_path.append(str(Path(__file__).with_name("static")))


def _version() -> int:
    """Another number whenever this extension changes: Sphinx then reads every page again."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.rglob("*.py")):
        digest.update(path.read_bytes())
    return int.from_bytes(digest.digest()[:6], "big")


def setup(app: Sphinx) -> dict:
    """Add the modules to a Sphinx build (called by Sphinx)."""
    for name in MODULES:
        import_module(f"coursebook.{name}").setup(app)
    app.connect("config-inited", _add_static_files)
    app.add_css_file("coursebook.css")
    return {"env_version": _version(), "parallel_read_safe": True, "parallel_write_safe": True}
