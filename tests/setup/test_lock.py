"""The locks hold everything: every package with hashes, and nothing that ties it to a place."""

import json
import re
import sys

import pytest
from tiny_book import ROOT
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

if sys.version_info >= (3, 11):
    import tomllib
else:
    from pip._vendor import tomli as tomllib

TEXT = (ROOT / "requirements.txt").read_text("utf-8")
# Entries as pip reads them: continuation lines joined, comments left out.
ENTRIES = [
    entry for entry in re.sub(r"\\\n\s*", "", TEXT).splitlines() if entry.strip() and not entry.startswith("#")
]
LOCKED = {}
for entry in ENTRIES:
    requirement = Requirement(entry.split("--hash")[0])
    LOCKED.setdefault(canonicalize_name(requirement.name), []).append(requirement)

PLATFORMS = {
    "linux": ("Linux", "posix", "x86_64"),
    "darwin": ("Darwin", "posix", "arm64"),
    "win32": ("Windows", "nt", "AMD64"),
}


def environment(python, platform):
    system, name, machine = PLATFORMS[platform]
    return {
        **default_environment(),
        "python_version": python,
        "python_full_version": python + ".5",
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
        "sys_platform": platform,
        "platform_system": system,
        "os_name": name,
        "platform_machine": machine,
        "extra": "",
    }


def direct():
    """Every dependency that pyproject.toml names, in whatever group."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    named = project["dependencies"] + sum(project["optional-dependencies"].values(), [])
    return [line for line in named if canonicalize_name(Requirement(line).name) != project["name"]]


def test_every_entry_is_pinned_and_hashed():
    for entry in ENTRIES:
        name, *hashes = re.split(r"\s+--hash=", entry.strip())
        (specifier,) = Requirement(name).specifier
        assert specifier.operator == "==" and "*" not in specifier.version, entry
        assert hashes and all(re.fullmatch("sha256:[0-9a-f]{64}", each) for each in hashes), entry


def test_names_no_place():
    assert not re.search(r"://|^\s*-(?!-hash)|\bfile:|@|(^|\s)[./~]", re.sub(r"\\\n\s*", "", TEXT), re.MULTILINE)


@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.parametrize("python", ["3.10", "3.11", "3.12", "3.13"])
def test_direct_dependencies_are_locked_within_their_ranges(python, platform):
    """And one version of each applies, whatever the Python and the platform."""
    here = environment(python, platform)
    for line in direct():
        needed = Requirement(line)
        applying = [
            locked
            for locked in LOCKED.get(canonicalize_name(needed.name), [])
            if locked.marker is None or locked.marker.evaluate(here)
        ]
        (locked,) = applying or [None]
        assert locked is not None, f"{needed.name} is not locked for Python {python} on {platform}"
        (pin,) = locked.specifier
        assert needed.specifier.contains(pin.version), f"{locked} is not within {needed}"


def test_what_is_installed_is_what_is_locked():
    """In this very environment, and so are the dependencies of each package, down to the last."""
    from importlib.metadata import distribution

    here = {**default_environment(), "extra": ""}
    todo, seen = [Requirement(line) for line in direct()], set()
    while todo:
        needed = todo.pop()
        name = canonicalize_name(needed.name)
        (pin,) = [each for each in LOCKED[name] if each.marker is None or each.marker.evaluate(here)]
        installed = distribution(name)
        assert pin.specifier.contains(installed.version), f"{name} {installed.version}, locked {pin.specifier}"
        for extra in ("", *needed.extras):
            if (name, extra) in seen:
                continue
            seen.add((name, extra))
            for line in installed.requires or []:
                further = Requirement(line)
                if further.marker is None or further.marker.evaluate({**here, "extra": extra}):
                    todo.append(further)


def test_npm_lock_names_every_package_by_version_and_hash():
    named = json.loads((ROOT / "package.json").read_text("utf-8"))
    packages = json.loads((ROOT / "package-lock.json").read_text("utf-8"))["packages"]
    own = packages.pop("")
    for group in ("dependencies", "devDependencies"):
        assert own[group] == named[group]
        for name, version in named[group].items():
            assert re.fullmatch(r"\d+\.\d+\.\d+", version), f"{name} must be one version, not a range"
            assert packages[f"node_modules/{name}"]["version"] == version
    for path, package in packages.items():
        assert package["integrity"].startswith("sha512-"), path
        assert "resolved" not in package, f"{path}: an address of a registry"


def test_npm_packages_are_installed():
    named = json.loads((ROOT / "package.json").read_text("utf-8"))
    for name, version in {**named["dependencies"], **named["devDependencies"]}.items():
        installed = json.loads((ROOT / "node_modules" / name / "package.json").read_text("utf-8"))
        assert installed["version"] == version
