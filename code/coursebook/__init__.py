"""What publishes the course book: one Sphinx extension of small modules.

A folder is a room with one purpose, a module in it does one thing and has its own ``setup``.
This one only lists them. Where the order of handlers matters it stands in the module, as a
priority.
"""

import hashlib
from importlib import import_module
from pathlib import Path

from sphinx.application import Sphinx
from sphinx.config import Config

__all__ = ["setup"]

MODULES = """
    problems one_at_a_time address dataset html_element
    execution.pages
    page.about page.alternative_text page.images page.head page.accessibility page.without_scripts
    mathematics.formulas mathematics.plain_formulas mathematics.line_breaks mathematics.outlines mathematics.numbering
    traceability.implementation traceability.lecture traceability.covers traceability.facts
    traceability.manifest traceability.index_pages
    traceability.equations traceability.equation_lines traceability.reference traceability.source_pages
    notebooks.export notebooks.bundle notebooks.launch
    assets.site_files assets.shared
""".split()


def _add_folders(app: Sphinx, config: Config) -> None:
    # New lists, for Sphinx shares its default ones between builds.
    folder = Path(__file__).parent
    config.html_static_path = [*config.html_static_path, str(folder / "static")]
    config.templates_path = [str(folder / "templates"), *config.templates_path]  # before the theme's


def _version() -> int:
    """Another number whenever this extension changes, be it a template: Sphinx then reads every page again."""
    digest, folder = hashlib.sha256(), Path(__file__).parent
    for path in sorted(folder.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            digest.update(f"{path.relative_to(folder).as_posix()}\n".encode() + path.read_bytes())
    return int.from_bytes(digest.digest()[:6], "big")


def setup(app: Sphinx) -> dict:
    """Add the modules to a Sphinx build (called by Sphinx)."""
    for name in MODULES:
        import_module(f"coursebook.{name}").setup(app)
    app.connect("config-inited", _add_folders)
    app.add_css_file("coursebook.css")
    return {"env_version": _version(), "parallel_read_safe": True, "parallel_write_safe": True}
