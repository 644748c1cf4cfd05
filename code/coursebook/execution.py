"""When a page runs again, and what a run that fails does.

myst-nb runs pages and jupyter-cache keeps their outputs, under a key made from the code
cells, their metadata and the kernel's name. A changed module, lock file or data set would
thus leave stale numbers in the prose. So here the key gets a fingerprint of these, and
Sphinx is told to read a page again when one of the files changes.
"""

import hashlib
import json
import logging
import os
import platform
import re
from collections.abc import Mapping
from os.path import relpath
from pathlib import Path

from docutils import nodes
from myst_nb.core.read import create_nb_reader
from sphinx.application import Sphinx

from coursebook import front_matter, package, problems

__all__ = ["fingerprint", "setup"]

LOCK = "requirements.txt"

VARIABLES = {
    # TensorFlow: few start-up notices, and sums in a fixed order.
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "TF_ENABLE_ONEDNN_OPTS": "0",
    # One thread a matrix product: the same sums on every machine, and on a busy one no
    # threads that wait for each other (seen to cost a factor of ten).
    "OPENBLAS_NUM_THREADS": "1",
    "TQDM_DISABLE": "1",  # nobody watches a progress bar here
    # A kernel that ends leaves its workers' memory to be tidied up. That happens, and need
    # not be announced among the build's last lines.
    "PYTHONWARNINGS": "ignore::UserWarning:joblib.externals.loky.backend.resource_tracker",
}

KERNEL = {
    # TensorFlow writes some notices in any case, to the file descriptor itself: they stay
    # in the terminal and off the page. What Python code writes still shows.
    "IPKernelApp": {"capture_fd_output": False, "log_level": logging.ERROR},
    "HistoryManager": {"enabled": False},
}


def fingerprint(files: Mapping[str, Path], data: str) -> str:
    """What the result of a page rests on, beside its own cells.

    Parameters
    ----------
    files
        The modules that the page reaches, and the lock file, by name.
    data
        The identity of the data set, empty for a page that uses none.

    Returns
    -------
    str
        A SHA-256 in hexadecimal. It depends on the files' content, not on their times, on
        the minor version of Python and on the variables that the kernels get.
    """
    variables = {name: os.environ.get(name) for name in VARIABLES}
    parts = [platform.python_version_tuple()[:2], variables, data]
    parts += sorted(
        (name, hashlib.sha256(path.read_bytes()).hexdigest()) for name, path in files.items()
    )
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _complete_key(app: Sphinx, docname: str, source: list[str]) -> None:
    env = app.env
    reader = create_nb_reader(
        env.doc2path(docname), env.myst_config, env.mystnb_config, source[0]
    )
    if reader is None:
        return
    cells = [cell.source for cell in reader.read(source[0]).cells if cell.cell_type == "code"]
    if not cells:
        return
    metadata = front_matter.read(source[0])
    if not metadata:
        problems.report(env, "a page with code cells must be MyST Markdown with front matter")
        return

    book = package.of_book(app)
    reached = book.reach(cells)
    files = {LOCK: Path(app.srcdir, LOCK)} | {module: book.files[module] for module in reached}
    for path in files.values():
        env.note_dependency(relpath(path, app.srcdir))
    data = app.config.coursebook_data if f"{book.name}.data" in reached else ""

    given = metadata.get("kernelspec", {})
    if not isinstance(given, dict):
        problems.report(env, f"kernelspec must be a mapping with a name, came {given!r}", 1)
        return
    kernel = {"name": "python3", "display_name": "Python 3"} | given
    metadata["kernelspec"] = kernel | {"coursebook": fingerprint(files, data)}
    source[0] = front_matter.replace(source[0], metadata)


def _check_run(app: Sphinx, doctree: nodes.document) -> None:
    """Report a page whose run failed; jupyter-cache keeps no entry for it."""
    env = app.env
    run = env.nb_metadata.get(env.docname, {}).get("exec_data")
    if not run or run["succeeded"]:
        return
    executed = Path(env.mystnb_config.output_folder, f"{env.docname}.ipynb")
    notebook = json.loads(executed.read_text(encoding="utf-8"))
    # A run stops at its first failure, so it is the last cell with a count that failed.
    started = [i for i, cell in enumerate(notebook["cells"]) if cell.get("execution_count")]
    outputs = notebook["cells"][started[-1]]["outputs"] if started else []
    line = notebook["metadata"]["source_map"][started[-1]] + 1 if started else None
    errors = [output for output in outputs if output["output_type"] == "error"]
    if errors and run["error"] == "CellExecutionError":
        message = f"{errors[0]['ename']}: {errors[0]['evalue']}"
    else:  # a time limit: what the cell shows then is only how it was stopped
        said = re.search(rf"{run['error']}: (.+)", run["traceback"])
        message = f"{run['error']}: {said[1] if said else 'see above'}"
    problems.report(env, message.strip().splitlines()[0], line)


def _prepare_kernels(app: Sphinx) -> None:
    # Kernels inherit this process's environment. They run the code that the fingerprint is
    # taken from, even where another copy of the package is installed.
    code = str(Path(app.srcdir, "code"))
    rest = os.environ.get("PYTHONPATH", "")
    if rest.split(os.pathsep)[0] != code:
        os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [code, rest]))
    for name, value in VARIABLES.items():
        os.environ.setdefault(name, value)
    # A folder of our own also keeps the user's IPython start-up files out of the book.
    folder = Path(app.outdir).parent / ".ipython"
    profile = folder / "profile_default"
    profile.mkdir(parents=True, exist_ok=True)
    (profile / "ipython_kernel_config.json").write_text(json.dumps(KERNEL), encoding="utf-8")
    os.environ["IPYTHONDIR"] = str(folder)


def setup(app: Sphinx) -> None:
    app.connect("builder-inited", _prepare_kernels)
    app.connect("source-read", _complete_key)
    app.connect("doctree-read", _check_run)
