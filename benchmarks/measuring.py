"""What the benchmarks share: pairs of runs, the machine in words, a table's place in README.md."""

import os
import platform
import time
from importlib.metadata import version
from pathlib import Path

from threadpoolctl import threadpool_info

README = Path(__file__).with_name("README.md")


def paired_seconds(*sides, runs: int) -> list[tuple[float, ...]]:
    """Wall seconds of each of ``sides``, functions that run in turn; the first round is not counted."""

    def seconds(run):
        started = time.perf_counter()
        run()
        return time.perf_counter() - started

    return [tuple(seconds(side) for side in sides) for _ in range(runs + 1)][1:]


def processor() -> str:
    model = platform.processor() or platform.machine()
    if Path("/proc/cpuinfo").exists():
        names = [line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
        model = names[0] if names else model
    return model


def machine(threads: int, packages: tuple[str, ...]) -> str:
    """The machine, and the versions of ``packages`` and of each BLAS that is loaded."""
    blas = {f"{pool['internal_api']} {pool['version']} ({pool['architecture']})" for pool in threadpool_info() if pool["user_api"] == "blas"}
    versions = ", ".join(f"{name} {version(name)}" for name in packages)
    return (
        f"Machine: {processor()}, {os.cpu_count()} cores, threads for each side: {threads}; {platform.system()}, "
        f"Python {platform.python_version()}, {versions}, {', '.join(sorted(blas))}."
    )


def write(begin: str, end: str, text: str) -> None:
    """Put ``text`` between the lines ``begin`` and ``end`` of README.md, in place of what stands there."""
    before, rest = README.read_text(encoding="utf-8").split(begin)
    README.write_text(f"{before}{begin}\n{text}\n{end}{rest.split(end)[1]}", encoding="utf-8")
