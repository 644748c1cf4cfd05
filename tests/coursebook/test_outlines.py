"""Figures are numbered from outlines of the pages as Sphinx numbers them from the pages."""

import pytest
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.environment.collectors.toctree import TocTreeCollector

INDEX = """
Book
====

.. toctree::
   :numbered:

   one
   two
"""
ONE = """
One
===

.. figure:: a.png
   :name: fig-top

   Straight in the page.

.. figure:: a.png

.. math:: a = b
   :label: eq-a

Part
----

.. admonition:: Careful

   .. table:: In a box

      == ==
      a  b
      == ==
      1  2
      == ==

   - .. code-block:: python
        :caption: In a list

        x = 1

.. toctree::

   below
"""
BELOW = """
Below
=====

.. figure:: a.png

   In a page under a page.
"""


@pytest.fixture
def build(tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    for name, text in {"index": INDEX, "one": ONE, "two": ONE.replace("One", "Two").split(".. toctree")[0], "below": BELOW}.items():
        (source / f"{name}.rst").write_text(text)
    (source / "a.png").write_bytes(b"")

    def build() -> Sphinx:
        settings = {"extensions": ["coursebook.mathematics.outlines"], "numfig": True}
        app = Sphinx(source, None, tmp_path / "html", tmp_path / "doctrees", "html", settings, status=None, warning=None)
        app.build()
        return app

    return build


def numbers(app):
    return {name: kinds for name, kinds in app.env.toc_fignumbers.items() if kinds}


def test_the_numbers_are_those_that_sphinx_finds_in_whole_pages(build):
    app = build()
    ours = numbers(app)
    TocTreeCollector().assign_figure_numbers(app.env)
    assert ours == numbers(app)
    assert {kind: list(by_id.values()) for kind, by_id in ours["two"].items()} == {
        "figure": [(2, 1)], "table": [(2, 1)], "code-block": [(2, 1)], "displaymath": [(2, 1)],
    }
    assert ours["below"]["figure"], "a page under a page is numbered, too"


def test_an_unchanged_page_is_not_loaded(build, monkeypatch):
    first = numbers(build())
    loaded = []
    original = BuildEnvironment.get_doctree
    monkeypatch.setattr(BuildEnvironment, "get_doctree", lambda env, name: loaded.append(name) or original(env, name))
    assert numbers(build()) == first
    assert set(loaded) <= {"index"}, "only a page that numbers others is loaded, for their sections"
