"""What the benchmarks share: a network, pairs of runs, the machine in words, a table's place in README.md."""

import argparse
import os
import platform
import sys
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_info

from dlcourse.network import Dense, Network, ReLU, Softmax

README = Path(__file__).with_name("README.md")
ABOVE = "A ratio is above what is promised; on a busy machine, try once more."


def network(units: list[int]) -> Network:
    """Dense layers of these sizes, ReLU between them, softmax at the end; always the same weights."""
    layers = [layer for sizes in zip(units, units[1:]) for layer in (Dense(*sizes), ReLU())]
    return Network(*layers[:-1], Softmax(), rng=np.random.default_rng(0))


def options(doc: str) -> argparse.ArgumentParser:
    """The command line of a benchmark that times epochs; ``doc`` begins with what it does."""
    parser = argparse.ArgumentParser(description=doc.splitlines()[0])
    parser.add_argument("--runs", type=int, default=7, help="counted rounds of runs (default 7)")
    parser.add_argument("--threads", type=int, default=1, help="threads for each side (default 1, as in the book's build)")
    parser.add_argument("--write", action="store_true", help="put the result into benchmarks/README.md")
    return parser


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


def report(text: str, begin: str, end: str, into_readme: bool, wrong: list[str]) -> int:
    """Print the result, put it into README.md if so asked, say what is ``wrong``; the exit code."""
    print(text)
    if into_readme:
        write(begin, end, text)
    for line in wrong:
        print(line, file=sys.stderr)
    return 1 if wrong else 0
