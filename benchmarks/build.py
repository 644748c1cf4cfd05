"""How long the book takes to build: ours against stock Jupyter Book, and what a change costs.

Two copies of the book stand in a temporary folder. Ours is as it is. In the other one the
extension ``coursebook`` is left to its directives and checks, and pages run as Jupyter Book
runs them: ``execute_notebooks: cache``, by myst-nb, one after another, in kernels with the
user's own environment. The page sources, the environment and the data are the same.

    cold      ours and stock, without any result kept (`make clean` before each)
    nothing   ours, built again with nothing changed
    sentence  ours, after a sentence of one page has changed
    module    ours, after a module that one page alone reaches has changed

Ours and stock alternate, and the ratio is the median over pairs: on a machine that slows
down both do. Each build is a process of its own, as one types it.

    python benchmarks/build.py [--runs N] [--again N] [--write]

``--write`` puts the table, with the machine it comes from, into benchmarks/README.md. The
exit code is 1 where more is needed than is promised.
"""

import argparse
import os
import platform
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import yaml
from measuring import processor, report  # beside this file

ROOT = Path(__file__).resolve().parents[1]
BEGIN, END = "<!-- build: written by benchmarks/build.py -->", "<!-- /build -->"
# What is promised: a ratio of wall times, and seconds.
RATIO, NOTHING, SENTENCE = 0.6, 4.0, 6.0
# Not part of what is built: results, environments, history.
LEFT_OUT = shutil.ignore_patterns("_build", ".*", "node_modules", "tests", "benchmarks", "__pycache__")

# The extension, without what runs pages. It stands in the stock copy as `coursebook_stock`.
STOCK = '''"""coursebook, with the running of pages left to myst-nb."""

import os
from pathlib import Path

import coursebook

os.environ["PYTHONPATH"] = str(Path(__file__).parent)  # where kernels find the package
coursebook.MODULES.remove("execution.pages")
setup = coursebook.setup
'''


@dataclass(frozen=True)
class Build:
    """One build of a copy: wall seconds, seconds of all its processes, pages that ran."""

    wall: float
    cpu: float
    ran: list[str]


def copy_book(source: Path, target: Path) -> Path:
    shutil.copytree(source, target, ignore=LEFT_OUT)
    if (source / "node_modules").exists():  # installed once
        (target / "node_modules").symlink_to(source / "node_modules")
    return target


def make_stock(book: Path) -> Path:
    """Have the pages of a copy run as Jupyter Book runs them."""
    file = book / "_config.yml"
    config = yaml.safe_load(file.read_text(encoding="utf-8"))
    config["execute"]["execute_notebooks"] = "cache"
    sphinx = config["sphinx"]
    sphinx["local_extensions"] |= {"coursebook_stock": "code"}
    names = sphinx["config"]["extensions"]
    names[names.index("coursebook")] = "coursebook_stock"
    del sphinx["local_extensions"]["coursebook"]
    sphinx["config"].pop("coursebook_jobs", None)
    file.write_text(yaml.safe_dump(config), encoding="utf-8")
    (book / "code/coursebook_stock.py").write_text(STOCK, encoding="utf-8")
    return book


def build(book: Path, environment: dict[str, str]) -> Build:
    """Build a copy with the command that one types.

    Raises
    ------
    SystemExit
        If the build fails; with its last lines.
    """
    before, started = os.times(), time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", "from jupyter_book.cli.main import main; main()", "build", "."],
        cwd=book, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
    )
    wall, after = time.perf_counter() - started, os.times()
    if done.returncode != 0:
        raise SystemExit(f"{book.name}: the build failed\n" + "\n".join(done.stdout.splitlines()[-15:]))
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return Build(wall, cpu, sorted(re.findall(r"^(\S+): done, after", done.stdout, re.MULTILINE)))


def clean(book: Path) -> None:
    shutil.rmtree(book / "_build", ignore_errors=True)


def change_a_sentence(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    page.write_text(f"{text.rstrip()}\n\nA sentence more.\n", encoding="utf-8")


def change_a_module(module: Path) -> None:
    module.write_text(module.read_text(encoding="utf-8") + "\n# A line more.\n", encoding="utf-8")


@dataclass(frozen=True)
class Measured:
    """All builds: pairs of ours and stock from nothing, and ours after each change."""

    cold: list[tuple[Build, Build]]
    nothing: list[Build]
    sentence: list[Build]
    module: Build

    @property
    def ratio(self) -> float:
        return statistics.median(ours.wall / stock.wall for ours, stock in self.cold)

    def missed(self, pages: set[str]) -> list[str]:
        """What is not as promised; ``pages`` are those that reach the changed module."""
        wrong = []
        if self.ratio > RATIO:
            wrong.append(f"a cold build takes {self.ratio:.2f} of a stock one, promised {RATIO}")
        for name, builds, limit in (("nothing", self.nothing, NOTHING), ("a sentence", self.sentence, SENTENCE)):
            seconds = statistics.median(one.wall for one in builds)
            if seconds > limit:
                wrong.append(f"with {name} changed a build takes {seconds:.1f} s, promised {limit:g} s")
            if ran := sorted({page for one in builds for page in one.ran}):
                wrong.append(f"with {name} changed {', '.join(ran)} ran")
        if set(self.module.ran) != pages:
            wrong.append(f"with a module changed {self.module.ran} ran, expected {sorted(pages)}")
        return wrong


def measure(root: Path, page: str, module: str, pairs: int, again: int, environment: dict[str, str]) -> Measured:
    """Build copies of the book in ``root`` over and over; ``page`` and ``module`` are changed."""
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        ours = copy_book(root, Path(folder, "ours"))
        stock = make_stock(copy_book(root, Path(folder, "stock")))
        cold = []
        for i in range(pairs):
            clean(ours)
            clean(stock)
            # In turn, so that neither has the warmer disk each time.
            order = (ours, stock) if i % 2 == 0 else (stock, ours)
            found = {book: build(book, environment) for book in order}
            cold.append((found[ours], found[stock]))
            print(f"pair {i + 1}: ours {found[ours].wall:.1f} s, stock {found[stock].wall:.1f} s", file=sys.stderr)
        nothing = [build(ours, environment) for _ in range(again)]
        sentence = []
        for _ in range(again):
            change_a_sentence(ours / page)
            sentence.append(build(ours, environment))
        change_a_module(ours / module)
        return Measured(cold, nothing, sentence, build(ours, environment))


def table(measured: Measured) -> str:
    """The measurements as Markdown."""

    def seconds(builds, what="wall"):
        return f"{statistics.median(getattr(one, what) for one in builds):.1f}"

    ours, stock = zip(*measured.cold)
    rows = [
        ("cold, stock Jupyter Book", stock, ""),
        ("cold, ours", ours, f"≤ {RATIO} of stock: {measured.ratio:.2f}"),
        ("nothing changed", measured.nothing, f"≤ {NOTHING:g} s"),
        ("a sentence changed", measured.sentence, f"≤ {SENTENCE:g} s"),
        (f"a module changed that {len(measured.module.ran)} page{'s' * (len(measured.module.ran) != 1)} of "
         f"{len(ours[0].ran)} reach", [measured.module], "only these pages run"),
    ]
    lines = ["| build | wall, s | all processes, s | promised |", "|---|---|---|---|"]
    lines += [
        f"| {name} | {seconds(builds)} | {seconds(builds, 'cpu')} | {promised} |" for name, builds, promised in rows
    ]
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=3, help="pairs of cold builds (default 3)")
    parser.add_argument("--again", type=int, default=5, help="builds after each small change (default 5)")
    parser.add_argument("--write", action="store_true", help="put the result into benchmarks/README.md")
    arguments = parser.parse_args()
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "COURSEBOOK_JOBS")}
    # Regularization is dropout: one page uses it.
    measured = measure(
        ROOT, "book/labs/mnist.md", "code/dlcourse/regularization.py", arguments.runs, arguments.again, environment
    )
    data = "the embedded digits" if os.environ.get("DLCOURSE_DATA") == "embedded" else "MNIST"
    text = (
        f"{table(measured)}\n\nMedians of {arguments.runs} pairs of cold builds and of {arguments.again} others, "
        f"on {data}. Machine: {processor()}, {os.cpu_count()} cores; "
        f"{platform.system()}, Python {platform.python_version()}."
    )
    missed = measured.missed({"book/labs/deep.md"})
    wrong = [f"Not as promised: {line}; on a busy machine, try once more." for line in missed]
    return report(text, BEGIN, END, arguments.write, wrong)


if __name__ == "__main__":
    sys.exit(main())
