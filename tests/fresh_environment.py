"""A Python environment with a kernel and nothing else, in which notebooks run as a student's would.

The notebooks come out of the bundle. Neither the book's environment nor the checkout is in
reach of the kernel: what it needs, its first cell has to install.
"""

import contextlib
import os
import signal
import subprocess
import sys
import zipfile
from pathlib import Path

import nbformat
import pytest
from jupyter_client import AsyncKernelManager
from jupyter_client.kernelspec import KernelSpec
from nbclient import NotebookClient

OURS = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "JUPYTER_PATH", "IPYTHONDIR", "PIP_REQUIRE_HASHES")
VARIABLES_OF_THE_BOOK = ("OPENBLAS_NUM_THREADS", "TF_CPP_MIN_LOG_LEVEL", "TF_ENABLE_ONEDNN_OPTS")


class Environment:
    """An environment that was just made, and the unpacked bundle beside it."""

    def __init__(self, folder: Path, bundle: Path, must: bool) -> None:
        self.python = folder / ("venv/Scripts/python.exe" if os.name == "nt" else "venv/bin/python")
        self.bundle = folder / "a bundle"  # a space, as in many a student's path
        with zipfile.ZipFile(bundle) as archive:
            archive.extractall(self.bundle)
        self.variables = {name: value for name, value in os.environ.items() if name not in OURS + VARIABLES_OF_THE_BOOK}
        self.variables["IPYTHONDIR"] = str(folder / "ipython")
        self.variables.setdefault("DLCOURSE_DATA", "embedded")
        subprocess.run([sys.executable, "-m", "venv", folder / "venv"], env=self.variables, check=True)
        done = self._python("-m", "pip", "install", "--quiet", "--disable-pip-version-check", "ipykernel")
        if done.returncode:
            (pytest.fail if must else pytest.skip)(f"no package index in reach: {done.stderr.strip().splitlines()[-1:]}")
        for name in ("dlcourse", "numpy", "coursebook"):
            assert not self.has(name)

    def _python(self, *arguments: str) -> subprocess.CompletedProcess:
        return subprocess.run([self.python, *arguments], env=self.variables, cwd=self.bundle, capture_output=True, text=True)

    def has(self, module: str) -> bool:
        """Whether a module can be imported here."""
        return "None" not in self._python("-c", f"import importlib.util as u; print(u.find_spec({module!r}))").stdout

    def run(self, path: str, change=lambda notebook: None) -> nbformat.NotebookNode:
        """Run a notebook of the bundle from top to bottom."""
        notebook = nbformat.read(self.bundle / path, as_version=4)
        change(notebook)
        manager = AsyncKernelManager(kernel_name="python3")
        manager._kernel_spec = KernelSpec(
            argv=[str(self.python), "-m", "ipykernel_launcher", "-f", "{connection_file}", "--HistoryManager.enabled=False"],
            display_name="fresh", language="python",
        )  # fmt: skip
        client = NotebookClient(
            notebook, km=manager, timeout=900, startup_timeout=120,
            resources={"metadata": {"path": str((self.bundle / path).parent)}},
        )  # fmt: skip
        groups = set()  # of processes: the kernel's own, which joblib's workers outlive
        client.on_cell_start = lambda **_: groups.add(getattr(manager.provisioner, "pgid", None))
        try:
            return client.execute(env=self.variables)
        finally:
            for group in groups - {None, os.getpgrp()}:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(group, signal.SIGTERM)


def said(notebook: nbformat.NotebookNode) -> list[str]:
    """What the cells of a notebook print and claim, cell by cell."""
    return [
        "".join(output.get("text", "") or output.get("data", {}).get("text/plain", "") for output in cell.outputs)
        for cell in notebook.cells if cell.cell_type == "code"
    ]  # fmt: skip
