"""What a `dlcourse.tensor.Tensor` was computed from, as text and as a drawing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from dlcourse.tensor import Tensor

__all__ = ["describe", "draw", "listing"]

SIGNS = {"*": "×", "-": "−"}
DRAWABLE = 60  # nodes; more are a tangle


def describe(node: Tensor) -> str:
    """One line: value or shape, name, operation and gradient.

    >>> describe(Tensor(2.0, name="a"))
    "Tensor(2.0, name='a')"
    """
    parts = [numbers(node.data)]
    if node.name:
        parts.append(f"name={node.name!r}")
    if node.operation:
        parts.append(f"from {node.operation!r}")
    if node.constant:
        parts.append("constant=True")
    if node.gradient is not None:
        parts.append(f"gradient={numbers(node.gradient)}")
    return f"Tensor({', '.join(parts)})"


def listing(root: Tensor) -> str:
    """The graph as lines, inputs first; results refer to the lines above by their names."""
    nodes = root.nodes()
    names = _names(nodes)
    rows = [("node", "computed as", "value", "gradient")]
    for node in nodes:
        of = ", ".join(names[source] for source in node.inputs)
        made = f"{node.operation} ({of})" if node.inputs else "constant" if node.constant else "input"
        rows.append((names[node], made, numbers(node.data), "" if node.gradient is None else numbers(node.gradient)))
    widths = [max(map(len, column)) for column in zip(*rows)]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows)


def draw(root: Tensor, local_derivatives: bool = False) -> Figure:
    """Draw the graph of ``root`` from left to right, with Matplotlib alone.

    Each node is a box with its name, the operation that made it, its value and, after
    ``backward``, its gradient. What was made by hand has round corners, a constant a dashed
    frame. Arrays are shown by their shape.

    Parameters
    ----------
    root
        The result to end with; some sixty nodes can be drawn.
    local_derivatives
        Whether to write at each arrow between single numbers the derivative of the result
        in this input, the factor of the chain rule that belongs to the arrow.

    Returns
    -------
    matplotlib.figure.Figure
        Put it on the last line of the cell to show it.

    Raises
    ------
    ValueError
        When there are too many nodes to draw.
    """
    from dlcourse.plots import COLORS, new_figure  # Matplotlib takes a moment to load

    nodes = root.nodes()
    if len(nodes) > DRAWABLE:
        raise ValueError(f"a drawing shows {DRAWABLE} nodes at most, got {len(nodes)}: draw a smaller part, or call print_graph()")
    places = _places(nodes)
    columns, rows = (1 + max(place[axis] for place in places.values()) for axis in (0, 1))
    figure, axes = new_figure(size=(max(3.0, 1.75 * columns), max(1.2, 0.95 * rows)))
    axes.set_axis_off()
    axes.set(xlim=(-0.5, columns - 0.5), ylim=(rows - 0.4, -0.6))
    size = 9 if columns <= 6 else 7.5
    for node in nodes:
        title = " = ".join(filter(None, [node.name, SIGNS.get(node.operation, node.operation)])) or ("constant" if node.constant else "input")
        lines = [title, numbers(node.data)]
        if node.gradient is not None:
            lines.append(f"gradient {numbers(node.gradient)}")
        box = {
            "boxstyle": "square,pad=0.4" if node.inputs else "round,pad=0.4,rounding_size=0.5",
            "facecolor": "#ffffff" if node.constant or node.inputs else "#e8ecf6",
            "edgecolor": COLORS[4] if node.constant or node.inputs else COLORS[0],
            "linestyle": "--" if node.constant else "-",
        }
        text = axes.text(*places[node], "\n".join(lines), ha="center", va="center", fontsize=size, bbox=box, zorder=3)
        text.set_gid(title)
    for node in nodes:
        twice = {source: node.inputs.count(source) for source in node.inputs}
        seen: dict = {}
        for source, pull in zip(node.inputs, node.pulls):
            turn = seen[source] = seen.get(source, 0) + 1
            bend = 0.0 if twice[source] == 1 else 0.25 * (2 * turn - twice[source] - 1)
            (x0, y0), (x1, y1) = places[source], places[node]
            style = {"arrowstyle": "-|>", "color": COLORS[4], "connectionstyle": f"arc3,rad={bend}", "shrinkA": 22, "shrinkB": 26}
            axes.annotate("", (x1, y1), (x0, y0), arrowprops=style, zorder=1)
            if local_derivatives and not source.constant and source.data.size == node.data.size == 1:
                slope = float(np.sum(pull(np.ones_like(node.data))))
                middle = ((x0 + x1) / 2 - bend * (y1 - y0) / 2, (y0 + y1) / 2 + bend * (x1 - x0) / 2)
                white = {"boxstyle": "round,pad=0.1", "facecolor": "#ffffff", "edgecolor": "none"}
                axes.text(*middle, f"{slope:.4g}", ha="center", va="center", fontsize=size, color=COLORS[0], bbox=white, zorder=2)
    return figure


def numbers(array: np.ndarray) -> str:
    """A single number, a few, or the shape of many."""
    if array.size == 1 and array.ndim == 0:
        value = float(array)
        return f"{value:.5g}" if value != round(value, 1) else str(round(value, 1))
    if array.ndim == 1 and array.size <= 4:
        return np.array2string(array, precision=4, separator=", ")
    return f"{array.dtype} of {array.shape}".replace(",)", ")") if array.ndim == 1 else f"{array.dtype} of {array.shape}"


def _names(nodes: list[Tensor]) -> dict[Tensor, str]:
    """Each node's own name, or t1, t2, ... that none has."""
    taken = {node.name for node in nodes}
    free = (name for name in (f"t{number}" for number in range(1, 2 * len(nodes) + 2)) if name not in taken)
    return {node: node.name or next(free) for node in nodes}


def _places(nodes: list[Tensor]) -> dict[Tensor, tuple[float, float]]:
    """Column and row of each node: a result to the right of its inputs, inputs close to what uses them."""
    column: dict[Tensor, int] = {}
    for node in nodes:
        column[node] = 1 + max((column[source] for source in node.inputs), default=-1)
    users: dict[Tensor, list[Tensor]] = {node: [] for node in nodes}
    for node in nodes:
        for source in node.inputs:
            users[source].append(node)
    for node in reversed(nodes):
        if not node.inputs and users[node]:
            column[node] = min(column[user] for user in users[node]) - 1
    members: dict[int, list[Tensor]] = {}
    for node in nodes:
        members.setdefault(column[node], []).append(node)
    height = max(map(len, members.values()))
    row: dict[Tensor, float] = {}
    for place in sorted(members, reverse=True):  # from the end: above each other in the order of their users
        members[place].sort(key=lambda node: np.mean([row[user] for user in users[node]]) if users[node] else 0)
        for position, node in enumerate(members[place]):
            row[node] = position + (height - len(members[place])) / 2
    return {node: (column[node], row[node]) for node in nodes}
