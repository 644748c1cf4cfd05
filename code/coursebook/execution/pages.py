"""When a page runs, and what a run that fails does.

myst-nb could run pages while it reads them: one after another, and again only when their
cells change, so that a changed module, lock file or data set leaves stale numbers in the
prose. So here, before the first page is read, each page with code gets a key (see
``fingerprint``), the results that are kept under these keys are looked up (``results``)
and what is missing runs in parallel (``scheduler``). myst-nb runs nothing; it reads each
notebook with its outputs in place, through its own hook for custom formats.
"""

import json
import logging as levels
import os
import sys
from dataclasses import dataclass
from os.path import relpath
from pathlib import Path, PurePosixPath

from docutils import nodes
from myst_nb.core.read import create_nb_reader
from myst_nb.sphinx_ import NbMetadataCollector
from nbformat import NotebookNode, from_dict
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.environment import BuildEnvironment
from sphinx.util import logging

from coursebook import package, problems
from coursebook.execution.fingerprint import code_cells, fingerprint
from coursebook.execution.results import Store
from coursebook.execution.runner import Page, Run
from coursebook.files import write_whole

__all__ = ["VARIABLES", "setup"]

logger = logging.getLogger(__name__)

LOCK = "requirements.txt"
JOBS = "COURSEBOOK_JOBS"

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
    "IPKernelApp": {"capture_fd_output": False, "log_level": levels.ERROR},
    "HistoryManager": {"enabled": False},
}


@dataclass
class Planned:
    """A page with code: what to run, and then what it gave."""

    page: Page
    key: str
    files: list[Path]  # a change of one of these may change the result
    reader: object  # myst-nb's, from text to notebook
    result: Run | None = None


def read(text: str, planned: Planned) -> NotebookNode:
    """Read a page as myst-nb does, with the outputs in place (called by myst-nb)."""
    notebook = planned.reader.read(text)
    cells, ran = code_cells(notebook), code_cells(planned.page.notebook)
    if [cell.source for cell in cells] != [cell.source for cell in ran]:
        raise RuntimeError("an extension changed a code cell after the cells had run")
    for cell, result in zip(cells, planned.result.cells, strict=True):
        cell.update(from_dict(result))
    _complete(notebook)
    notebook.metadata.update(from_dict(planned.result.metadata))
    return notebook


def _complete(notebook: NotebookNode) -> None:
    kernel = {"name": "python3", "display_name": "Python 3"}
    notebook.metadata["kernelspec"] = from_dict(kernel | notebook.metadata.get("kernelspec", {}))
    # myst-nb must not run it a second time.
    (notebook.metadata.get("mystnb") or {}).pop("execution_mode", None)


def _plan(app: Sphinx, docname: str) -> Planned | None:
    """What is to be run for a page; None where nothing is.

    Raises
    ------
    ValueError
        If the page's settings are wrong; says which, what came and what was expected.
    """
    env = app.env
    path = Path(env.doc2path(docname))
    config = env.mystnb_config
    if any(PurePosixPath(path.as_posix()).match(pattern) for pattern in config.execution_excludepatterns):
        return None
    try:
        text = path.read_text(encoding="utf-8-sig")
        reader = create_nb_reader(str(path), env.myst_config, config, text)
        notebook = reader and reader.read(text)
    except Exception:  # of many kinds; myst-nb will meet it again and say what is wrong
        return None
    if notebook is None:
        return None
    cells = code_cells(notebook)
    own = notebook.metadata.get("mystnb") or {}
    if not cells or own.get("execution_mode") == "off":
        return None
    _complete(notebook)
    kernel = str(notebook.metadata["kernelspec"]["name"])
    timeout = own.get("execution_timeout", config.execution_timeout)
    if type(timeout) is not int:
        raise ValueError(f"execution_timeout must be a whole number of seconds a cell, came {timeout!r}")
    allow_errors = bool(own.get("execution_allow_errors", config.execution_allow_errors))

    if not Path(app.srcdir, LOCK).is_file():
        raise ValueError(f"the locked versions, {LOCK}, must stand beside _config.yml: a result rests on them")
    book = package.of_book(app)
    reached = book.reach([cell.source for cell in cells])
    files = {LOCK: Path(app.srcdir, LOCK)} | {module: book.files[module] for module in reached}
    key = fingerprint(
        cells,
        files,
        app.config.coursebook_data if f"{book.name}.data" in reached else "",
        {
            "kernel": kernel,
            "folder": relpath(path.parent, app.srcdir),
            "allow_errors": allow_errors,
            "variables": {name: _environment(app)[name] for name in VARIABLES},
        },
    )
    name = env.doc2path(docname, base=False)
    page = Page(name, notebook, path.parent, kernel, timeout if timeout > 0 else None, allow_errors)
    return Planned(page, key, list(files.values()), reader)


def _environment(app: Sphinx) -> dict[str, str]:
    """The variables of a kernel. What the user has set goes before what is set here."""
    # Kernels run the code that the fingerprint is taken from, even where another copy of
    # the package is installed.
    path = os.pathsep.join(filter(None, [str(Path(app.srcdir, "code")), os.environ.get("PYTHONPATH", "")]))
    # A folder of our own also keeps the user's IPython start-up files out of the book.
    folder = Path(app.outdir).parent / ".ipython"
    return VARIABLES | os.environ | {"PYTHONPATH": path, "IPYTHONDIR": str(folder)}


def _check_jobs(app: Sphinx, config: Config) -> None:
    """How many pages run at a time, where somebody has said so."""
    app.coursebook_jobs = None
    for name, value in {JOBS: os.environ.get(JOBS), "coursebook_jobs": config.coursebook_jobs}.items():
        if value in (None, ""):
            continue
        if not str(value).isdecimal() or int(value) < 1:
            raise SystemExit(f"{name} must be a whole number of pages to run at a time, 1 or more, came {value!r}")
        app.coursebook_jobs = app.coursebook_jobs or int(value)


def _run(app: Sphinx, env: BuildEnvironment, docnames: list[str]) -> None:
    """Before the pages are read: have a result for each of them."""
    app.coursebook_planned, app.coursebook_unplanned = {}, {}
    for docname in docnames:
        try:
            planned = _plan(app, docname)
        except ValueError as error:
            app.coursebook_unplanned[docname] = str(error)
        else:
            if planned:
                app.coursebook_planned[docname] = planned
    by_name = {planned.page.name: planned for planned in app.coursebook_planned.values()}
    store = Store(Path(app.outdir).parent / ".results")
    for planned in by_name.values():
        planned.result = store.get(planned.key)
    missing = [planned.page for planned in by_name.values() if planned.result is None]
    if missing:
        _run_missing(app, missing, by_name, store)
        store.prune()
    env.mystnb_config = env.mystnb_config.copy(
        custom_formats=env.mystnb_config.custom_formats
        | {
            # The whole path is a suffix, too: this page and no other.
            env.doc2path(docname): (f"{__name__}.read", {"planned": planned}, planned.reader.md_config.commonmark_only)
            for docname, planned in app.coursebook_planned.items()
        }
    )


def _run_missing(app: Sphinx, pages: list[Page], by_name: dict[str, Planned], store: Store) -> None:
    # Imported here, since most builds run nothing.
    from joblib import cpu_count  # those that this process may use, in a container too

    from coursebook.execution.progress import Progress
    from coursebook.execution.scheduler import (
        Interrupted,
        longest_first,
        run_pages,
        shares,
    )

    environment = _environment(app)
    profile = Path(environment["IPYTHONDIR"], "profile_default", "ipython_kernel_config.json")
    write_whole(profile, json.dumps(KERNEL))
    jobs = app.coursebook_jobs or cpu_count()

    def keep(page: Page, result: Run) -> None:
        by_name[page.name].result = result
        if result.failure is None:
            store.put(by_name[page.name].key, result)
            store.put_times({page.name: result.seconds})

    try:
        run_pages(
            longest_first(pages, store.times()),
            jobs,
            shares(cpu_count(), jobs) | environment,
            progress=Progress(quiet=app.quiet),
            on_result=keep,
        )
    except Interrupted as stop:
        # Sphinx would take it for an error of its own.
        print(f"The build was stopped by {stop}. What had run to its end is kept.", file=sys.stderr)
        raise SystemExit(128 + stop.signum) from None


def _note(app: Sphinx, docname: str, source: list[str]) -> None:
    """Have Sphinx read the page again when one of the files changes."""
    if message := app.coursebook_unplanned.get(docname):
        problems.report(app.env, message, 1)
    if planned := app.coursebook_planned.get(docname):
        for path in planned.files:
            app.env.note_dependency(relpath(path, app.srcdir))


def _check_run(app: Sphinx, doctree: nodes.document) -> None:
    """Note how the page's run went; report one that failed."""
    planned = app.coursebook_planned.get(app.env.docname)
    if not planned:
        return
    result, failure = planned.result, planned.result.failure
    NbMetadataCollector.set_exec_data(
        app.env,
        app.env.docname,
        {
            "mtime": result.finished,
            "runtime": result.seconds,
            "method": "coursebook",
            "succeeded": failure is None,
            "error": failure and failure.error,
            "traceback": failure and failure.traceback,
        },
    )
    if failure:
        line = planned.page.line(failure.cell)
        logger.warning("%s", failure.traceback, location=(app.env.docname, line))
        problems.report(app.env, failure.message, line)


def _forget(app: Sphinx, env: BuildEnvironment) -> None:
    # The environment is stored, and has no use for outputs that the pages have now.
    formats = env.mystnb_config.custom_formats
    ours = {env.doc2path(docname) for docname in app.coursebook_planned}
    env.mystnb_config = env.mystnb_config.copy(
        custom_formats={suffix: reader for suffix, reader in formats.items() if suffix not in ours}
    )


def _check_mode(app: Sphinx, config: Config) -> None:
    if config.nb_execution_mode != "off":
        raise SystemExit(
            '_config.yml: execute_notebooks must be "off", for coursebook runs the pages, '
            f"came {config.nb_execution_mode!r}"
        )


def setup(app: Sphinx) -> None:
    app.add_config_value("coursebook_jobs", None, "", [int, str])
    app.connect("config-inited", _check_mode)
    app.connect("config-inited", _check_jobs)
    app.connect("env-before-read-docs", _run)
    app.connect("source-read", _note)
    app.connect("doctree-read", _check_run, priority=100)  # the others may ask how it went
    app.connect("env-updated", _forget)
