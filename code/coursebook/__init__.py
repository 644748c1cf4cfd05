"""What publishes the course book: one Sphinx extension of small modules.

Each module does one thing and has its own ``setup``. This one only lists them.
"""

from sphinx.application import Sphinx

from coursebook import dataset, execution, implementation, page, problems

__all__ = ["setup"]


def setup(app: Sphinx) -> dict:
    """Add the modules to a Sphinx build (called by Sphinx)."""
    for module in (problems, dataset, execution, page, implementation):
        module.setup(app)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
