"""The outputs of a cell as a reader's notebook keeps them.

What the build adds for itself goes: recorded values, keys of the extension, paths of the
machine that it ran on. What the cell shows stays.
"""

import re
import sys
from collections.abc import Iterable

from nbformat import NotebookNode

__all__ = ["clean"]

RECORDED = "application/papermill.record/"
DROPPED = {  # tag of a cell: which outputs it takes away, as on the page
    "remove-output": lambda output: True,
    "remove-stdout": lambda output: output.get("name") == "stdout",
    "remove-stderr": lambda output: output.get("name") == "stderr",
}


def clean(
    outputs: Iterable[NotebookNode], *, tags: Iterable[str] = (), alt: str = "", folders: Iterable[str] = ()
) -> list[NotebookNode]:
    """What stays of a cell's outputs.

    Parameters
    ----------
    outputs
        As executed; they are not changed.
    tags
        The cell's tags.
    alt
        A description of the figure that the cell draws. It goes where IPython and nbconvert
        keep one.
    folders
        Folders of this machine, of which only what follows them stays.

    Returns
    -------
    list of NotebookNode
    """
    gone = [DROPPED[tag.replace("_", "-")] for tag in tags if tag.replace("_", "-") in DROPPED]
    kept = []
    for output in outputs:
        if any(drop(output) for drop in gone):
            continue
        output = NotebookNode(_shortened(dict(output), list(folders)))
        if "data" in output:
            kept_data = {kind: data for kind, data in output.data.items() if not kind.startswith(RECORDED)}
            output.data = NotebookNode(kept_data)
            if not output.data:
                continue
            output.metadata = NotebookNode({key: value for key, value in output.metadata.items() if key in output.data})
            for kind in output.data:
                if alt and kind.startswith("image/"):
                    output.metadata[kind] = NotebookNode({**output.metadata.get(kind, {}), "alt": alt})
        output.pop("transient", None)
        kept.append(output)
    return kept


def _shortened(value: object, folders: list[str]) -> object:
    """A value without the paths of this machine in its texts."""
    if isinstance(value, dict):
        return NotebookNode({
            key: item if str(key).startswith("image/") else _shortened(item, folders) for key, item in value.items()
        })  # fmt: skip
    if isinstance(value, list):
        return [_shortened(item, folders) for item in value]
    if not isinstance(value, str):
        return value
    # Looked for first: on a long picture in text, which has no space, the expressions take seconds.
    if "ipykernel_" in value:
        value = re.sub(r"[^\s'\"<>]*[/\\]ipykernel_\d+[/\\]\d+\.py", "<cell>", value)
    if f"python{sys.version_info[0]}." in value:
        value = re.sub(rf"[^\s'\"<>]*[/\\](?=python{sys.version_info[0]}\.\d+[/\\])", "", value)
    for folder in folders:
        value = value.replace(f"{folder}/", "").replace(folder, ".")
    return value
