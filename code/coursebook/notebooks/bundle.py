"""All notebooks in one file to download, with the wheel that they install.

The zip holds each notebook in its folder, the wheel, a README and, for Binder, a
``requirements.txt``. It runs with no network but the package index, since the notebooks
look for the wheel beside themselves first. The same book gives the same bytes.
"""

import hashlib
import io
import zipfile
from pathlib import Path

from sphinx.application import Sphinx

from coursebook import site
from coursebook.files import write_changed
from coursebook.notebooks import wheel
from coursebook.traceability.manifest import pages

__all__ = ["NAME", "contents", "setup"]

NAME = "notebooks.zip"
FIRST_DAY = (1980, 1, 1, 0, 0, 0)  # that a zip file knows

README = """\
# {title}: the notebooks

Each page of the book that computes something is a notebook here, with its results in it.
{site}
You need Python 3.10 to 3.13 and JupyterLab (`pip install jupyterlab`, then `jupyter lab` in this folder),
or another program that opens notebooks.

Open a notebook and run it from top to bottom. Its first cell installs the book's package from the file
`{wheel}`, which has to stay in this folder. What the package needs comes from
the package index, at the first run; for pages that use Keras that is TensorFlow too, which is large.
An environment of its own keeps your other work as it is: `python -m venv .venv`, then install JupyterLab there.

Cells that begin with `%%implementation` hold the package's own code. Change them, run them, and what you
run from then on uses your version. Run such a cell as it was and the package is as it was.

The notebooks, in the order of the book:

{notebooks}
"""
REQUIREMENTS = """\
# For Binder, which installs these before it opens a notebook.
./{wheel}[keras]
jupyterlab
"""


def contents(app: Sphinx) -> dict[str, bytes]:
    """The files of the bundle, by path; empty for a book without notebooks or without a wheel."""
    built = wheel.of_book(app)
    paths = site.in_bundle(app)
    if not built or not paths:
        return {}
    order = [name for name in pages(app.env) if name in paths]
    order += [name for name in paths if name not in order]
    address = site.address(app)
    listed = "\n".join(f"- [{app.env.titles[name].astext()}]({paths[name]})" for name in order)
    texts = {
        "README.md": README.format(
            title=app.config.html_title or app.config.project,
            site=f"The book itself is at {address}.\n" if address else "",
            wheel=built.name, notebooks=listed,
        ),
        "requirements.txt": REQUIREMENTS.format(wheel=built.name),
    }  # fmt: skip
    files = {name: text.encode() for name, text in texts.items()}
    files[built.name] = built.read_bytes()
    sources = Path(app.outdir, "_sources")
    return files | {path: (sources / f"{name}.ipynb").read_bytes() for name, path in paths.items()}


def pack(files: dict[str, bytes]) -> bytes:
    """A zip of some files, always the same for the same files."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, FIRST_DAY)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, files[name])
    return packed.getvalue()


def _write(app: Sphinx, exception: Exception | None) -> None:
    if exception is not None or not site.is_built(app):
        return
    files = contents(app)
    if not files:
        return
    built = wheel.of_book(app)
    out = Path(app.outdir)
    write_changed(out / built.name, files[built.name])
    for old in out.glob("dlcourse-*.whl"):
        if old.name != built.name:
            old.unlink()
    # Packing costs more than reading: it is done where a file differs from the last time.
    parts = "\n".join(f"{name} {hashlib.sha256(files[name]).hexdigest()}" for name in sorted(files))
    fingerprint = hashlib.sha256(parts.encode()).hexdigest()
    stamp = out.parent / "notebooks.stamp"
    target = out / NAME
    if target.is_file() and stamp.is_file() and stamp.read_text(encoding="utf-8") == fingerprint:
        return
    write_changed(target, pack(files))
    write_changed(stamp, fingerprint)


def setup(app: Sphinx) -> None:
    app.connect("build-finished", _write)
