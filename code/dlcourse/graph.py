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
    places, routes = _layout(nodes)
    columns, rows = (1 + max(stop[axis] for way in [places.values(), *routes.values()] for stop in way) for axis in (0, 1))
    lines = {node: _label(node) for node in nodes}
    # A letter is about 0.075 inches wide; the rest of a column is for the arrow and its number.
    widest = max(len(line) for label in lines.values() for line in label)
    figure, axes = new_figure(size=((0.075 * widest + 0.6 + 0.2 * local_derivatives) * columns, max(1.2, 0.85 * rows)))
    axes.set_axis_off()
    axes.set(xlim=(-0.5, columns - 0.5), ylim=(rows - 0.45, -0.55))
    size = 9
    frames = {}
    for node in nodes:
        box = {
            "boxstyle": "square,pad=0.4" if node.inputs else "round,pad=0.4,rounding_size=0.5",
            "facecolor": "#ffffff" if node.constant or node.inputs else "#e8ecf6",
            "edgecolor": COLORS[4] if node.constant or node.inputs else COLORS[0],
            "linestyle": "--" if node.constant else "-",
        }
        text = axes.text(*places[node], "\n".join(lines[node]), ha="center", va="center", fontsize=size, bbox=box, zorder=3)
        frames[node] = text.get_bbox_patch()
    for (source, node, place), way in routes.items():
        for start, end in zip(way, way[1:-1]):
            axes.plot(*zip(start, end), color=COLORS[4], linewidth=1, linestyle="-", zorder=1, solid_capstyle="round")
        same = [other for other, input_ in enumerate(node.inputs) if input_ is source]
        bend = 0.3 * (same.index(place) - (len(same) - 1) / 2)  # arrows of a * a, side by side
        (x0, y0), (x1, y1) = way[-2:]
        arrow = {
            "arrowstyle": "-|>", "color": COLORS[4], "connectionstyle": f"arc3,rad={bend}", "shrinkA": 0, "shrinkB": 0,
            "patchA": frames[source] if len(way) == 2 else None, "patchB": frames[node],
        }  # fmt: skip
        axes.annotate("", (x1, y1), (x0, y0), arrowprops=arrow, zorder=1)
        if local_derivatives and not source.constant and source.data.size == node.data.size == 1:
            slope = float(np.sum(node.pulls[place](np.ones_like(node.data))))
            # Between the boxes, which are about half a column wide; a bent arrow passes beside its chord.
            # A straight arrow's number stands nearer to where it comes from: two that cross do so in the middle.
            part = 0.5 if bend else 0.37
            middle = x0 + part * (x1 - x0) + bend * (y1 - y0) / 2, y0 + part * (y1 - y0) + bend * (x1 - x0)
            ground = {"boxstyle": "round,pad=0.15", "facecolor": "#ffffff", "edgecolor": "none"}
            axes.text(*middle, f"{slope:.4g}", ha="center", va="center", fontsize=size, color=COLORS[0], bbox=ground, zorder=2)
    return figure


def numbers(array: np.ndarray) -> str:
    """A single number, a few, or the shape of many."""
    if array.size == 1 and array.ndim == 0:
        value = float(array)
        return f"{value:.5g}" if value != round(value, 1) else str(round(value, 1))
    if array.ndim == 1 and array.size <= 4:
        return np.array2string(array, precision=4, separator=", ")
    return f"{array.dtype} of {array.shape}".replace(",)", ")") if array.ndim == 1 else f"{array.dtype} of {array.shape}"


def _label(node: Tensor) -> list[str]:
    sign = SIGNS.get(node.operation, node.operation)
    title = f"{node.name} ({sign})" if node.name and sign else node.name or sign or ("constant" if node.constant else "input")
    label = [title, _short(node.data)]
    return label if node.gradient is None else [*label, f"gradient {_short(node.gradient)}"]


def _short(array: np.ndarray) -> str:
    return f"{float(array):.4g}" if array.ndim == 0 else " × ".join(map(str, array.shape))


def _names(nodes: list[Tensor]) -> dict[Tensor, str]:
    """Each node's own name, or t1, t2, ... that none has."""
    taken = {node.name for node in nodes}
    free = (name for name in (f"t{number}" for number in range(1, 2 * len(nodes) + 2)) if name not in taken)
    return {node: node.name or next(free) for node in nodes}


def _layout(nodes: list[Tensor]) -> tuple[dict, dict]:
    """Where each node stands, (column, row), and the way of each arrow, as a list of such places.

    A result stands to the right of its inputs. An arrow that passes columns keeps a place
    free in each, so that it crosses no box. From the right to the left, what stands in a
    column is ordered by where its arrows lead.
    """
    column: dict[Tensor, int] = {}
    for node in nodes:
        column[node] = 1 + max((column[source] for source in node.inputs), default=-1)
    for node in reversed(nodes):  # what was made by hand stands beside the first that uses it
        used = [column[user] for user in nodes if node in user.inputs]
        if used and not node.inputs:
            column[node] = min(used) - 1
    ways, leads = {}, {}  # a stop of a way is a node, or a triple that stands for an empty place
    for node in nodes:
        for place, source in enumerate(node.inputs):
            stops = [source, *((source, node, between) for between in range(column[source] + 1, column[node])), node]
            ways[source, node, place] = stops
            for start, end in zip(stops, stops[1:]):
                leads.setdefault(start, []).append(end)
    members: dict[int, list] = {}
    for stop in [*nodes, *(stop for stop in leads if isinstance(stop, tuple))]:
        members.setdefault(column[stop] if stop in column else stop[2], []).append(stop)
    height = max(map(len, members.values()))
    row: dict = {}
    for place in sorted(members, reverse=True):
        members[place].sort(key=lambda stop: np.mean([row[end] for end in leads.get(stop, [])] or [0]))
        for position, stop in enumerate(members[place]):
            row[stop] = position + (height - len(members[place])) / 2
    where = {stop: (place, row[stop]) for place, stops in members.items() for stop in stops}
    return {node: where[node] for node in nodes}, {key: [where[stop] for stop in stops] for key, stops in ways.items()}
