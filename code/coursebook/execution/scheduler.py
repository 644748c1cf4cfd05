"""Runs many pages side by side, on the cores there are.

The longest page starts first: a long one that starts last keeps one core busy while the
others wait. A page that has never run counts as longer than any that has, since to start a
short page early costs nothing; among such pages those go first whose front matter says
``runs_long: true``, then the one with most code.
"""

import asyncio
import contextlib
import signal
from collections import deque
from collections.abc import Callable, Iterable, Mapping

from coursebook.execution.progress import Progress
from coursebook.execution.runner import Page, Run, run

__all__ = ["Interrupted", "longest_first", "run_pages", "shares"]


class Interrupted(Exception):
    """The build was told to stop while pages ran."""

    def __init__(self, signum: int, running: list[str]) -> None:
        super().__init__(f"{signal.Signals(signum).name} while running {', '.join(running) or 'no page'}")
        self.signum = signum


def longest_first(pages: Iterable[Page], seconds: Mapping[str, float]) -> list[Page]:
    """Pages in the order in which to start them, by the seconds that they took before."""

    def rank(page: Page) -> tuple:
        code = sum(len(cell.source) for cell in page.notebook.cells if cell.cell_type == "code")
        known = page.name in seconds
        said_to_be_long = not known and page.notebook.metadata.get("runs_long") is True
        return known, not said_to_be_long, -seconds.get(page.name, code), page.name

    return sorted(pages, key=rank)


def shares(cores: int, jobs: int) -> dict[str, str]:
    """Variables that give each of ``jobs`` kernels its share of the cores, in threads.

    The share doesn't depend on how many pages happen to run, for the last digits of a sum
    may depend on the number of threads. joblib's workers are left out: they are processes,
    mostly of the longest page, and the system shares the cores between processes well.
    """
    threads = str(max(1, cores // jobs))
    names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")
    return dict.fromkeys(names, threads)


def run_pages(
    pages: Iterable[Page],
    jobs: int,
    environment: Mapping[str, str],
    *,
    progress: Progress,
    on_result: Callable[[Page, Run], None],
) -> None:
    """Run pages, ``jobs`` at a time, in the order in which they are given.

    Parameters
    ----------
    pages, jobs, environment
        What to run, how much of it at once, and the kernels' variables.
    progress
        Told what starts and ends.
    on_result
        Called with each page and its result as soon as there is one.

    Raises
    ------
    Interrupted
        On SIGINT and SIGTERM, when all kernels have ended.
    """
    asyncio.run(_run_pages(deque(pages), jobs, environment, progress, on_result))


async def _run_pages(
    waiting: deque[Page],
    jobs: int,
    environment: Mapping[str, str],
    progress: Progress,
    on_result: Callable[[Page, Run], None],
) -> None:
    started = 0

    async def work() -> None:
        nonlocal started
        while waiting:
            page = waiting.popleft()
            # Where pages compete, the one that started first, the longest, decides when the
            # build ends. So those after it step back: far enough that two workers of theirs
            # leave it a core, on two cores.
            niceness, started = min(3 * started, 6), started + 1
            progress.start(page.name, len(waiting))
            result = await run(
                page, environment, niceness=niceness, on_cell=lambda index: progress.cell(page.name, page.line(index))
            )
            on_result(page, result)
            progress.end(page.name, result)

    workers = [asyncio.ensure_future(work()) for _ in range(min(jobs, len(waiting)))]
    clock = asyncio.ensure_future(_tick(progress))
    caught: list[Interrupted] = []
    stopped = False

    def stop() -> None:
        nonlocal stopped
        if not stopped:  # only once: a second time would cut short how they end their kernels
            stopped = True
            for worker in workers:
                worker.cancel()

    def on_signal(signum: int) -> None:
        if not caught:
            caught.append(Interrupted(signum, progress.running()))
        stop()

    with _on_signals(on_signal):
        try:
            await asyncio.wait(workers, return_when=asyncio.FIRST_EXCEPTION)
        except asyncio.CancelledError:  # how Ctrl-C comes where handlers cannot be set
            on_signal(signal.SIGINT)
        stop()
        clock.cancel()
        ended = await asyncio.gather(*workers, clock, return_exceptions=True)
        progress.close()
    for error in [*caught, *ended]:
        if isinstance(error, Exception):
            raise error


async def _tick(progress: Progress) -> None:
    while True:
        progress.show()
        await asyncio.sleep(1)


@contextlib.contextmanager
def _on_signals(handle: Callable[[int], object]):
    """Call ``handle`` on SIGINT and SIGTERM; elsewhere than in a main thread on Unix, do nothing."""
    loop, added = asyncio.get_running_loop(), []
    before = {signum: signal.getsignal(signum) for signum in (signal.SIGINT, signal.SIGTERM)}
    try:
        for signum in before:
            with contextlib.suppress(NotImplementedError, RuntimeError, ValueError):
                loop.add_signal_handler(signum, handle, signum)
                added.append(signum)
        yield
    finally:
        for signum in added:
            loop.remove_signal_handler(signum)
            signal.signal(signum, before[signum])
