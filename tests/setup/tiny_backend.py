"""A build backend without dependencies, for the tiny book of the set-up's tests.

pip calls `build_editable`; the tests make the one locked package with `wheel`.
"""

import zipfile
from pathlib import Path


def wheel(folder, name, version="1.0", files=None):
    """Write a wheel with the given files (path -> content) and return its path."""
    info = f"{name}-{version}.dist-info"
    files = dict(files or {})
    files[f"{info}/METADATA"] = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    files[f"{info}/WHEEL"] = "Wheel-Version: 1.0\nGenerator: tiny\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    files[f"{info}/RECORD"] = "".join(f"{path},,\n" for path in [*files, f"{info}/RECORD"])
    path = Path(folder) / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def build_editable(wheel_directory, config_settings=None, metadata_directory=None):
    return wheel(wheel_directory, "tiny", files={"tiny.pth": str(Path("code").resolve()) + "\n"}).name
