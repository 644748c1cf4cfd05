"""The data set that a build rests on: decided once, the same for every page.

Pages load MNIST where it can be had and the embedded digits elsewhere. Were each page to
decide for itself, a network that comes and goes would give a book of two minds. So the
build decides before it reads the first page, tells the kernels through ``DLCOURSE_DATA``,
and says at the top of every page when the numbers are not MNIST's.
"""

import os
import warnings
from pathlib import Path

from dlcourse import data, mnist
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.util import logging

from coursebook.page.about import insert_below_title

__all__ = ["setup"]

logger = logging.getLogger(__name__)


def _decide(app: Sphinx, config: Config) -> None:
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            digits = data.load_digits(raw=True)
    except data.DataError as error:
        # The user has to mend something: a clear line, not a traceback.
        raise SystemExit(f"The book cannot be built on its data: {error}") from None
    for warning in caught:
        logger.info("%s", warning.message)
    logger.info("%r", digits)

    if digits.name == mnist.MNIST.name:
        # Where it was downloaded it is now in the user's cache, and kernels find it there.
        if folder := os.environ.get(mnist.VARIABLE):
            os.environ[mnist.VARIABLE] = str(Path(folder).expanduser().resolve())  # they run elsewhere
    else:
        os.environ[mnist.VARIABLE] = mnist.EMBEDDED
        config.coursebook_notice = _summary(digits)
    # A changed value makes Sphinx read every page again.
    config.coursebook_data = f"{digits.name} {digits.provenance.sha256}"
    app.coursebook_provenance = digits.provenance  # for the manifest


def _summary(digits: data.Dataset) -> str:
    height, width = digits.train.images.shape[1:]
    return (
        f"It rests on the {len(digits.train) + len(digits.test):,} handwritten digits that "
        f"scikit-learn ships, brought to {height} × {width} pixels, in place of MNIST. "
        "Every number on this page that comes from digits differs from MNIST’s."
    )


def _notice(summary: str) -> nodes.admonition:
    variable = nodes.literal(mnist.VARIABLE, mnist.VARIABLE)
    cure = nodes.paragraph("", "To build the book on MNIST, put its four files into a folder, set ")
    cure += [variable, nodes.Text(" to that folder and build again. With a network, unset ")]
    cure += [variable.deepcopy(), nodes.Text(" and the build downloads them.")]
    title = nodes.title("", "This build uses the embedded digits, not MNIST")
    return nodes.admonition(
        "", title, nodes.paragraph("", summary), cure, classes=["warning", "data-notice"]
    )


def _warn_reader(app: Sphinx, doctree: nodes.document) -> None:
    if app.config.coursebook_notice:
        insert_below_title(doctree, _notice(app.config.coursebook_notice))


def setup(app: Sphinx) -> None:
    app.add_config_value("coursebook_data", "", "env", [str])
    app.add_config_value("coursebook_notice", "", "env", [str])
    app.connect("config-inited", _decide)
    app.connect("doctree-read", _warn_reader, priority=490)  # the line about the page comes above
