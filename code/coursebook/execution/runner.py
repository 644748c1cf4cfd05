"""Runs one page in a kernel of its own.

nbclient runs the cells and collects what they show. This module adds what a build needs:
whatever happens, a page gives a plain result or a plain failure, and its kernel ends with
all processes that it started.
"""

import asyncio
import contextlib
import copy
import os
import signal
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, DeadKernelError
from nbformat import NotebookNode

__all__ = ["Failure", "Page", "Run", "run"]

# A kernel is asked to end, after half of this time told to, after the other half made to.
# (One that has used joblib's workers never ends when asked.)
SHUTDOWN_SECONDS = 1.0


@dataclass(frozen=True)
class Failure:
    """Why a page did not run to its end."""

    error: str  # its type
    message: str  # one line, with the type
    traceback: str
    cell: int | None  # index among all cells; None before the first one started


@dataclass(frozen=True)
class Run:
    """What a page gave: for each code cell its count and outputs, as notebooks store them."""

    cells: list[dict]
    metadata: dict  # of the notebook: the kernel's language, the state of widgets
    seconds: float
    finished: float  # POSIX time
    failure: Failure | None = None


@dataclass(frozen=True)
class Page:
    """A page to be run."""

    name: str
    notebook: NotebookNode = field(repr=False)
    folder: Path
    kernel: str = "python3"
    timeout: int | None = None  # seconds a cell
    allow_errors: bool = False

    def line(self, cell: int | None) -> int | None:
        """The line of the source at which a cell starts, where that is known."""
        lines = self.notebook.metadata.get("source_map")
        return lines[cell] + 1 if lines and cell is not None else None


async def run(
    page: Page,
    environment: Mapping[str, str],
    *,
    niceness: int = 0,
    on_cell: Callable[[int], None] = lambda index: None,
) -> Run:
    """Run a page's cells from top to bottom, up to the first that fails.

    Parameters
    ----------
    page
        The page. Its notebook is not changed.
    environment
        The kernel's environment variables, all of them.
    niceness
        How far the kernel steps back where cores are short, as in ``nice``.
    on_cell
        Called with the index of each cell that starts.

    Returns
    -------
    Run
        With a failure when a cell failed, took too long or killed the kernel, or when there
        was no kernel to be had. Where the run is cancelled, the kernel ends first.
    """
    notebook = copy.deepcopy(page.notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    for cell in code:
        cell.outputs, cell.execution_count = [], None

    started, current, failure = time.perf_counter(), None, None
    client = NotebookClient(
        notebook, kernel_name=page.kernel, timeout=page.timeout, allow_errors=page.allow_errors
    )

    async def execute() -> None:
        nonlocal current
        client.reset_execution_trackers()
        client.create_kernel_manager()
        client.km.shutdown_wait_time = SHUTDOWN_SECONDS
        await client.async_start_new_kernel(cwd=str(page.folder), env=dict(environment))
        _step_back(client, niceness)
        await client.async_start_new_kernel_client()
        reply = await client.async_wait_for_reply(client.kc.kernel_info())
        notebook.metadata["language_info"] = reply["content"]["language_info"]
        for current, cell in enumerate(notebook.cells):
            if cell.cell_type == "code":
                on_cell(current)
                await client.async_execute_cell(cell, current, execution_count=client.code_cells_executed + 1)
        client.set_widgets_metadata()

    idle = False
    # nbclient takes being cancelled for the kernel's death; behind a shield it is not asked.
    execution = asyncio.ensure_future(execute())
    try:
        await asyncio.shield(execution)
        idle = True
    except asyncio.CancelledError:
        execution.cancel()
        await asyncio.gather(execution, return_exceptions=True)
        raise
    except Exception as error:  # of whatever kind: the other pages go on
        failure = await _failure(error, current, client)
    finally:
        seconds = time.perf_counter() - started
        await asyncio.shield(_end(client, idle))
    kept = {key: notebook.metadata[key] for key in ("language_info", "widgets") if key in notebook.metadata}
    cells = [{"execution_count": cell.execution_count, "outputs": cell.outputs} for cell in code]
    return Run(cells, kept, seconds, time.time(), failure)


def _step_back(client: NotebookClient, niceness: int) -> None:
    if niceness and hasattr(os, "setpriority"):  # not on Windows
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, client.km.provisioner.pid, niceness)


async def _failure(error: Exception, cell: int | None, client: NotebookClient) -> Failure:
    name, said = type(error).__name__, str(error)
    if isinstance(error, CellExecutionError):
        name, said = error.ename, error.evalue
    elif isinstance(error, DeadKernelError) and client.km:
        code = await client.km.provisioner.poll()
        said += "" if code is None else f" (exit code {code})" if code >= 0 else f" (signal {-code})"
    first = next(iter(said.strip().splitlines()), "")
    trace = str(error) if isinstance(error, CellExecutionError) else "".join(traceback.format_exception(error))
    return Failure(name, f"{name}: {first}".removesuffix(": "), trace, cell)


async def _end(client: NotebookClient, idle: bool) -> None:
    """End the kernel and whatever it has started."""
    manager = client.km
    if manager is None or not manager.has_kernel:
        return
    group = getattr(manager.provisioner, "pgid", None)
    if not idle:
        # Asking would interrupt the cell first, and show how it takes that.
        await manager.signal_kernel(signal.SIGTERM)
        deadline = time.monotonic() + SHUTDOWN_SECONDS
        while await manager.is_alive() and time.monotonic() < deadline:
            await asyncio.sleep(0.02)
    await manager.shutdown_kernel(now=not idle)
    if client.kc is not None:
        client.kc.stop_channels()
    if group and group != os.getpgrp():
        with contextlib.suppress(OSError):  # it has gone, as it should
            os.killpg(group, signal.SIGTERM)
