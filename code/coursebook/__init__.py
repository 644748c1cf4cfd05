"""What publishes the course book: one Sphinx extension of small modules.

Each module does one thing and has its own ``setup``. This one only lists them.
"""

from pathlib import Path

from sphinx.application import Sphinx
from sphinx.config import Config

from coursebook import (
    covers,
    dataset,
    execution,
    facts,
    html_element,
    implementation,
    index_pages,
    lecture,
    manifest,
    page,
    problems,
)

__all__ = ["setup"]


def _add_static_files(app: Sphinx, config: Config) -> None:
    # A new list: the old one may be Sphinx's own default, which a second build in this process would find longer.
    config.html_static_path = [*config.html_static_path, str(Path(__file__).with_name("static"))]


def setup(app: Sphinx) -> dict:
    """Add the modules to a Sphinx build (called by Sphinx)."""
    for module in (
        problems, dataset, execution, page, implementation, html_element, lecture, covers, facts, manifest, index_pages,
    ):
        module.setup(app)
    app.connect("config-inited", _add_static_files)
    app.add_css_file("coursebook.css")
    return {"parallel_read_safe": True, "parallel_write_safe": True}
