"""Problems that fail the build: every run, with page and line in the last lines.

Sphinx alone forgets. A page that was read with a warning counts as read, so that the next
run is quiet and passes, and without ``-W`` the first one passes too. Here a problem gives a
non-zero exit code in any case, and a build with problems or warnings is read again.
"""

import traceback
from pathlib import Path
from typing import NoReturn

from sphinx.application import ENV_PICKLE_FILENAME, Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.errors import SphinxError
from sphinx.util import logging

__all__ = ["pages", "report", "setup"]

logger = logging.getLogger(__name__)


def report(
    env: BuildEnvironment, message: str, line: int | None = None, page: str | None = None, *, file: str | None = None
) -> None:
    """Fail the build because of a page, by default the one that is being read, or of another file.

    Parameters
    ----------
    env
        Sphinx's environment; it knows the page.
    message
        One line: what is wrong, what came, what was expected.
    line
        The line of the page's source, counted from 1, where there is one.
    page
        The page that is at fault, where it isn't being read now.
    file
        The path of the file in the book's folder, where no page is at fault.
    """
    if file:
        logger.error(message, location=f"{file}:{line}" if line else file)
    else:
        page = page or env.docname
        logger.error(message, location=(page, line))
    _problems(env).setdefault(file or page, []).append((line or 0, message))


def pages(env: BuildEnvironment) -> list[str]:
    """The pages with problems, as far as they are known by now."""
    return sorted(_problems(env))


def _problems(env: BuildEnvironment) -> dict[str, list[tuple[int, str]]]:
    # Kept in the environment, which is stored between builds and merged between processes.
    if not hasattr(env, "coursebook_problems"):
        env.coursebook_problems = {}
    return env.coursebook_problems


def _forget(app: Sphinx, env: BuildEnvironment, docname: str) -> None:
    _problems(env).pop(docname, None)


def _merge(app: Sphinx, env: BuildEnvironment, docnames: list[str], other: BuildEnvironment) -> None:
    _problems(env).update({name: found for name, found in _problems(other).items() if name in docnames})


def _finish(app: Sphinx, exception: Exception | None) -> None:
    if exception is not None:
        _stop(app, exception)
    found = _problems(app.env)
    if found or app._warncount:
        Path(app.doctreedir, ENV_PICKLE_FILENAME).unlink(missing_ok=True)
    if not found:
        return
    app.statuscode = 1
    lines = [
        f"{_path(app.env, name)}{f':{line}' if line else ''}: {message}"
        for name in sorted(found)
        for line, message in found[name]
    ]
    logger.error("\n".join(["the book has problems:", *lines]))


def _path(env: BuildEnvironment, name: str) -> str:
    return str(env.doc2path(name, base=False)) if name in env.all_docs else name


def _stop(app: Sphinx, exception: Exception) -> NoReturn:
    # Jupyter Book would end with forty lines of its own calls, and no page. Sphinx has
    # already dropped its stored environment, so the next run reads everything again.
    exception = getattr(exception, "orig_exc", None) or exception  # Sphinx wraps handlers' errors
    if not isinstance(exception, SphinxError):
        traceback.print_exception(exception)
    docname = app.env.temp_data.get("docname")
    page = f"{app.env.doc2path(docname, base=False)}: " if docname else ""
    raise SystemExit(f"{page}{type(exception).__name__}: {exception}")


def setup(app: Sphinx) -> None:
    app.connect("env-purge-doc", _forget)
    app.connect("env-merge-info", _merge)
    app.connect("build-finished", _finish, priority=900)  # after everyone who may warn
