"""Figures in one style: learning curves, contact sheets, weights, confusions, mistakes.

Every function returns a new Matplotlib ``Figure`` that belongs to nobody else. It is not
known to pyplot, so a notebook shows it once, as the last line of a cell, nothing has to be
closed, and no global setting changes.

The style
    White ground, dark ink. A PNG cannot follow the page from light to dark, and the
    pictures of digits and weights need a ground of their own anyway; so a figure is a
    white card in both themes, in a downloaded notebook and on paper.

    The five `COLORS` differ in lightness by 12 steps of L* or more, so they stay apart in
    greyscale and for colour-blind readers, and stand out from the ground 3:1 or better
    (WCAG 2.2, 1.4.11). No line is known by its colour alone: lines differ in their dashes
    too, and in learning curves, where dashes mean validation, in their markers.
"""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib
import numpy as np
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from dlcourse import checks

__all__ = [
    "COLORS",
    "DASHES",
    "MARKERS",
    "confusion_matrix",
    "contours",
    "decision_map",
    "image_grid",
    "learning_curves",
    "mistakes",
    "new_figure",
    "weight_images",
]

#: The colours of lines, in this order.
COLORS = ("#29488f", "#f16a3d", "#1b7f57", "#561152", "#14161c")

#: Their markers, where a line has any.
MARKERS = ("o", "s", "^", "D", "v")

#: Their dashes, as Matplotlib writes them.
DASHES = ("-", (0, (6, 2)), (0, (2, 1.2)), (0, (7, 2, 1.5, 2)), (0, (4, 1.5, 1, 1.5, 1, 1.5)))
INK, MUTED, FAINT, GROUND = "#14161c", "#666a71", "#d8dade", "#ffffff"

# From negative over grey to positive, lighter all the way. The usual red and blue maps
# are dark at both ends: in greyscale a large negative weight equals a large positive one.
SIGNED = LinearSegmentedColormap.from_list(
    "signed", ["#06205e", "#2f6fd0", "#8d8f93", "#f3a25f", "#fff3c4"]
)

WIDTH = 6.4  # inches; at 96 pixels an inch this is the width of a column of text
CSS_DPI = 96  # the browser's inch
FINE_DPI = 144  # drawn finer than shown, for sharp text on dense screens

STYLE: dict[str, Any] = {
    "figure.facecolor": GROUND,
    "figure.edgecolor": GROUND,
    "figure.dpi": FINE_DPI,
    "savefig.facecolor": "auto",
    "savefig.dpi": "figure",
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],  # comes with Matplotlib: the same figure everywhere
    "font.size": 10,
    "text.color": INK,
    "text.usetex": False,
    "axes.facecolor": GROUND,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.titlecolor": "auto",
    "axes.titlesize": "medium",
    "axes.labelsize": "medium",
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": False,
    "axes.axisbelow": True,
    "axes.prop_cycle": cycler(color=COLORS, linestyle=DASHES),
    "grid.color": FAINT,
    "grid.linestyle": "-",
    "grid.linewidth": 0.6,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.labelsize": "small",
    "ytick.labelsize": "small",
    "lines.linewidth": 1.6,
    "lines.markersize": 4,
    "legend.frameon": False,
    "legend.fontsize": "small",
    "legend.handlelength": 2.8,  # room for a dash on each side of the marker
    "figure.constrained_layout.w_pad": 0.08,
    "figure.constrained_layout.h_pad": 0.08,
    "image.interpolation": "nearest",
    "image.cmap": "cividis",
}


# Every function draws within this style, which then gives the caller's settings back.
styled = matplotlib.rc_context(STYLE)


class _CourseFigure(Figure):
    """A figure that keeps its style and shows itself, once, in a notebook."""

    @styled  # ticks are made when they are drawn
    def draw(self, renderer: Any) -> None:
        super().draw(renderer)

    @styled
    def _ipython_display_(self) -> None:
        from IPython.display import display

        with io.BytesIO() as buffer:
            self.savefig(buffer, format="png")
            picture = base64.b64encode(buffer.getvalue()).decode("ascii")
        # The width alone, so that the height follows where the page is narrower.
        width = round(self.get_figwidth() * CSS_DPI)
        display(
            {"image/png": picture, "text/plain": repr(self)},
            raw=True,
            metadata={"image/png": {"width": width}},
        )


@styled
def new_figure(
    rows: int = 1, columns: int = 1, *, size: tuple[float, float] | None = None, **options: Any
) -> tuple[Figure, Any]:
    """Make a figure of the book's style, with its axes, for a chapter's own drawing.

    Parameters
    ----------
    rows, columns : int
        How many axes.
    size : (float, float), optional
        Width and height in inches (96 pixels each on the page).
    **options
        For ``Figure.subplots``, such as ``sharey=True``.

    Returns
    -------
    figure : matplotlib.figure.Figure
        Put it on the last line of the cell to show it.
    axes : matplotlib.axes.Axes, or an array of them
        As ``matplotlib.pyplot.subplots`` returns them.
    """
    rows, columns = checks.whole("rows", rows), checks.whole("columns", columns)
    size = size or (WIDTH, WIDTH * 0.42 * rows)
    figure = _CourseFigure(figsize=size, layout="constrained")
    return figure, figure.subplots(rows, columns, **options)


@styled
def learning_curves(histories: Any) -> Figure:
    """Draw loss and accuracy against the epoch, training solid and validation dashed.

    Parameters
    ----------
    histories : History or mapping of str to History
        What `dlcourse.learning.fit` returned, or several of them by name: any object with
        the lists ``loss``, ``accuracy``, ``validation_loss`` and ``validation_accuracy``,
        one entry an epoch. All but ``loss`` may be empty. A run that diverges may hold
        NaN or infinity; the line ends there.

    Returns
    -------
    matplotlib.figure.Figure
        One panel, or two when there is an accuracy to show.

    Raises
    ------
    TypeError
        If something else than a history is given.
    ValueError
        If there is none, a list is of another length than ``loss``, or no loss is finite.

    Notes
    -----
    Lecture item S6.
    """
    several = isinstance(histories, Mapping)
    named = dict(histories) if several else {"": histories}
    if not named:
        raise ValueError("histories must hold at least one, got an empty mapping")
    curves = {str(label): _curves(label, history) for label, history in named.items()}
    with_accuracy = any(
        len(lists["accuracy"]) or len(lists["validation_accuracy"]) for lists in curves.values()
    )
    figure, panels = new_figure(1, 2 if with_accuracy else 1, size=(WIDTH, 2.9), squeeze=False)
    for axes, quantity in zip(panels[0], ("loss", "accuracy")):
        for number, (label, lists) in enumerate(curves.items()):
            style = {
                "color": COLORS[number % len(COLORS)],
                "marker": MARKERS[number % len(MARKERS)],
            }
            for name, line in ((quantity, "-"), (f"validation_{quantity}", "--")):
                values = lists[name]
                if len(values):
                    kind = "training" if line == "-" else "validation"
                    axes.plot(
                        np.arange(1, len(values) + 1),
                        values,
                        linestyle=line,
                        # Hollow markers tell validation apart where dashes are hard to see.
                        markerfacecolor=style["color"] if line == "-" else GROUND,
                        markevery=max(1, len(values) // 10),
                        label=f"{label} {kind}".strip(),
                        **style,
                    )
        axes.set(xlabel="epoch", ylabel=quantity)
        axes.grid(axis="y")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10], min_n_ticks=1))
    if with_accuracy:
        panels[0, 1].yaxis.set_major_formatter(lambda share, _: f"{100 * share:.6g} %")
    _curve_legend(figure, panels[0, 0], list(curves) if several else [])
    return figure


def _curves(label: Any, history: Any) -> dict[str, np.ndarray]:
    where = f"histories[{label!r}]" if label else "histories"
    lists = {}
    for name in ("loss", "accuracy", "validation_loss", "validation_accuracy"):
        values = getattr(history, name, None)
        if values is None:
            raise TypeError(
                f"{where} must be a History with a list {name!r}, "
                f"got {type(history).__name__}"
            )
        lists[name] = np.asarray(values, dtype=float)
        if lists[name].shape not in ((0,), lists["loss"].shape) or lists[name].ndim != 1:
            raise ValueError(
                f"{where}.{name} must have one number an epoch or none, got shape "
                f"{lists[name].shape} beside a loss of shape {lists['loss'].shape}"
            )
    if not np.isfinite(lists["loss"]).any():
        raise ValueError(f"{where}.loss must have at least one finite number")
    return lists


def _curve_legend(figure: Figure, axes: Axes, labels: list[str]) -> None:
    """Say what the colours and the dashes mean, each once."""
    dashed = any(line.get_linestyle() == "--" for line in axes.lines)
    color = INK if labels else COLORS[0]
    handles = [
        Line2D([], [], color=COLORS[i % len(COLORS)], marker=MARKERS[i % len(MARKERS)], label=label)
        for i, label in enumerate(labels)
    ]
    if dashed:
        marker = None if labels else MARKERS[0]
        handles += [
            Line2D([], [], color=color, marker=marker, label="training"),
            Line2D(
                [], [], color=color, marker=marker, markerfacecolor=GROUND,
                linestyle="--", label="validation",
            ),
        ]  # fmt: skip
    if handles:
        columns = len(handles) if len(handles) <= 4 else 3
        figure.legend(handles=handles, loc="outside lower center", ncols=columns)


@styled
def image_grid(
    images: Any,
    titles: Sequence[str] | None = None,
    columns: int | None = None,
    *,
    cmap: str = "gray_r",
    limits: tuple[float, float] | None = None,
) -> Figure:
    """Lay images out in rows and columns, all on one scale of grey.

    Parameters
    ----------
    images : array_like, shape (n, height, width), (n, height, width, 1) or (n, side * side)
        The images. High values are dark, as ink on paper.
    titles : sequence of str, optional
        One above each image.
    columns : int, optional
        By default five, or as many as make the sheet square.
    cmap : str
        A Matplotlib colour map; ``"gray"`` for photographs.
    limits : (float, float), optional
        The values at the two ends of the map; by default the least and the greatest.

    Returns
    -------
    matplotlib.figure.Figure
        Without titles the sheet is one picture in one axes, so 400 digits draw at once.

    Raises
    ------
    TypeError
        If the images are not real numbers.
    ValueError
        If the shape is another, a value is not finite, or the titles or limits do not fit.

    Notes
    -----
    Lecture items S2, S3 and S11: the printed sheets of digits.
    """
    images = _checked_images(images)
    columns = _checked_columns(columns, len(images))
    low, high = (images.min(), images.max()) if limits is None else limits
    if not low <= high:
        raise ValueError(f"limits must be a low and a high value, got {limits}")
    if titles is None:
        return _sheet(images, columns, cmap, low, high)
    titles = _checked_titles(titles, len(images))
    rows = math.ceil(len(images) / columns)
    cell = min(WIDTH / columns, 1.28)
    lines = 1 + max(title.count("\n") for title in titles)
    figure, panels = new_figure(
        rows, columns, size=(cell * columns, (cell + 0.17 * lines) * rows), squeeze=False
    )
    for axes, image, title in zip(panels.flat, images, titles):
        axes.imshow(image, cmap=cmap, vmin=low, vmax=high)
        axes.set_title(title, fontsize="small")
    for axes in panels.flat:
        axes.set_axis_off()
    return figure


def _sheet(images: np.ndarray, columns: int, cmap: str, low: float, high: float) -> Figure:
    """Draw the images as one picture, an array cell on a whole number of pixels."""
    tiled = tile(images, columns)
    height, width = tiled.shape
    scale = max(1, int(WIDTH * CSS_DPI / max(width, height)))
    size = (width * scale / CSS_DPI, height * scale / CSS_DPI)
    figure = _CourseFigure(figsize=size, dpi=CSS_DPI)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.imshow(tiled, cmap=cmap, vmin=low, vmax=high, aspect="auto")
    return figure


def tile(images: np.ndarray, columns: int, gap: int = 2) -> np.ndarray:
    """Compose images, shape (n, height, width), into one array with NaN in the gaps."""
    count, height, width = images.shape
    rows = math.ceil(count / columns)
    cells = np.full((rows * columns, height + gap, width + gap), np.nan)
    cells[:count, :height, :width] = images
    sheet = cells.reshape(rows, columns, height + gap, width + gap).swapaxes(1, 2)
    return sheet.reshape(rows * (height + gap), columns * (width + gap))[:-gap, :-gap]


@styled
def confusion_matrix(true: Any, predicted: Any, classes: int | Sequence[str]) -> Figure:
    """Draw how often each class (row) was predicted as each class (column).

    Parameters
    ----------
    true, predicted : array_like of int, shape (n,)
        Labels from 0 to the number of classes - 1.
    classes : int or sequence of str
        How many classes there are, or their names.

    Returns
    -------
    matplotlib.figure.Figure
        Each cell shows its count; its shade is the square root of its share of the row,
        for on a linear scale a mistake in a hundred would look like none.

    Raises
    ------
    TypeError
        If the labels are not integers.
    ValueError
        If they are not two lists of one length, or a label is out of range.

    Notes
    -----
    Lecture item S6, the error matrix.
    """
    names = [str(name) for name in (range(classes) if isinstance(classes, int) else classes)]
    if len(names) < 2:
        raise ValueError(f"classes must be two or more, got {classes!r}")
    true, predicted = _checked_labels(true, predicted, len(names))
    from sklearn import metrics  # half a second to import, and used here alone

    counts = metrics.confusion_matrix(true, predicted, labels=range(len(names)))
    rows = counts.sum(axis=1, keepdims=True)
    shade = np.sqrt(counts / np.maximum(rows, 1))

    longest = max(len(name) for name in names)
    side = 0.9 + 0.46 * len(names) + 0.07 * longest
    figure, axes = new_figure(size=(side, side))
    picture = axes.imshow(shade, cmap="Blues", vmin=0, vmax=1)
    for (row, column), count in np.ndenumerate(counts):
        axes.text(
            column, row, str(count), ha="center", va="center", fontsize="small",
            color=_ink_on(picture.to_rgba(shade[row, column])) if count else MUTED,
        )  # fmt: skip
    axes.set(
        xticks=range(len(names)), xticklabels=names, xlabel="predicted",
        yticks=range(len(names)), yticklabels=names, ylabel="true",
    )  # fmt: skip
    axes.tick_params(length=0)
    if longest > 3:
        axes.tick_params(axis="x", rotation=90)
    axes.spines[:].set_visible(False)
    # White lines part the cells where both are pale.
    axes.set_xticks(np.arange(len(names) - 1) + 0.5, minor=True)
    axes.set_yticks(np.arange(len(names) - 1) + 0.5, minor=True)
    axes.grid(which="minor", color=GROUND, linewidth=1.2)
    axes.tick_params(which="minor", length=0)
    return figure


def _ink_on(color: Sequence[float]) -> str:
    """Black or white, whichever contrasts more with a colour (WCAG 2.2, 1.4.3)."""
    red, green, blue = (
        c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in color[:3]
    )
    luminance = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    return "#000000" if (luminance + 0.05) ** 2 > 1.05 * 0.05 else "#ffffff"


@styled
def weight_images(
    weights: Any,
    shape: tuple[int, int] = (28, 28),
    titles: Sequence[str] | None = None,
    columns: int | None = None,
) -> Figure:
    """Draw each column of a weight matrix as an image, all on one scale around zero.

    The map goes from dark blue (negative) over grey (zero) to light orange (positive):
    its lightness alone already tells the sign, in print and for colour-blind readers. Its
    ends are the 99th percentile of the sizes of the weights that are not zero, since a few
    large weights would leave all others grey; the colour bar then ends in arrows.

    Parameters
    ----------
    weights : array_like, shape (height * width, k)
        Such as ``Dense.weights`` of a first layer: one column for each of its k units.
    shape : (int, int)
        Height and width of the input image.
    titles : sequence of str, optional
        One above each image.
    columns : int, optional
        By default five, or as many as make the sheet square.

    Returns
    -------
    matplotlib.figure.Figure
        The images and a colour bar.

    Raises
    ------
    TypeError
        If the weights are not real numbers.
    ValueError
        If they are not a matrix with one row a pixel, or not finite.

    Notes
    -----
    Lecture item S6, the weights of softmax regression as images.
    """
    weights = _checked_numbers("weights", weights)
    height, width = shape
    if weights.ndim != 2 or weights.shape[0] != height * width or weights.shape[1] < 1:
        raise ValueError(
            f"weights must have shape ({height * width}, k) for images of {height} by "
            f"{width}, got {weights.shape}"
        )
    images = weights.T.reshape(-1, height, width)
    columns = _checked_columns(columns, len(images))
    sizes = np.abs(weights[weights != 0])
    # All zero, as after a zero initialisation, is a picture too: of grey.
    limit = float(np.quantile(sizes, 0.99)) if sizes.size else 1.0
    scale = {"cmap": SIGNED, "vmin": -limit, "vmax": limit}
    rows = math.ceil(len(images) / columns)
    cell = (WIDTH - 0.9) / columns
    if titles is None:
        figure, panel = new_figure(size=(WIDTH, cell * rows * height / width + 0.1))
        picture = panel.imshow(tile(images, columns), **scale)
        panels = np.array([panel])
    else:
        titles = _checked_titles(titles, len(images))
        figure, panels = new_figure(
            rows, columns, size=(WIDTH, (cell * height / width + 0.2) * rows), squeeze=False
        )
        for axes, image, title in zip(panels.flat, images, titles):
            picture = axes.imshow(image, **scale)
            axes.set_title(title, fontsize="small")
    for axes in panels.flat:
        axes.set_axis_off()
    figure.colorbar(
        picture, ax=panels, label="weight", shrink=0.9, aspect=25,
        extend="both" if np.abs(weights).max() > limit else "neither",
    )  # fmt: skip
    return figure


@styled
def mistakes(
    images: Any, true: Any, predicted: Any, confidence: Any, count: int = 10
) -> Figure:
    """Draw the mistakes that the classifier was most sure of, the surest first.

    Parameters
    ----------
    images : array_like, shape (n, height, width), (n, height, width, 1) or (n, side * side)
        The images, right and wrong ones.
    true, predicted : array_like of int, shape (n,)
        Labels from 0.
    confidence : array_like of float, shape (n,)
        The probability, from 0 to 1, that the classifier gave to its prediction.
    count : int
        How many to draw, or as many as there are.

    Returns
    -------
    matplotlib.figure.Figure
        Each image under a title such as "7 read as 1, 99.2 %".

    Raises
    ------
    TypeError
        If an argument holds another kind of values.
    ValueError
        If lengths differ, a confidence is not in [0, 1], or there is no mistake to draw.
    """
    images = _checked_images(images)
    true, predicted = _checked_labels(true, predicted)
    confidence = _checked_numbers("confidence", confidence)
    if not len(images) == len(true) or confidence.shape != true.shape:
        raise ValueError(
            f"images, true and confidence must have one length, got {len(images)} images, "
            f"{len(true)} labels and confidence of shape {confidence.shape}"
        )
    if confidence.min() < 0 or confidence.max() > 1:
        raise ValueError(
            f"confidence must be probabilities from 0 to 1, got values from "
            f"{confidence.min()} to {confidence.max()}"
        )
    count = checks.whole("count", count)
    wrong = np.flatnonzero(true != predicted)
    if not len(wrong):
        raise ValueError("predicted must hold a mistake to draw, got only right predictions")
    surest = wrong[np.argsort(-confidence[wrong], kind="stable")][:count]
    titles = [f"{true[i]} read as {predicted[i]}\n{_percent(confidence[i])}" for i in surest]
    return image_grid(images[surest], titles, limits=(images.min(), images.max()))


def _percent(probability: float) -> str:
    # Rounding would call a mistake certain that the classifier did not.
    return "> 99.9 %" if 0.999 < probability < 1 else f"{100 * probability:.1f} %"


def _checked_numbers(argument: str, values: Any) -> np.ndarray:
    array = np.asarray(values)
    if array.dtype.kind not in "biuf":
        raise TypeError(f"{argument} must be real numbers, got an array of {array.dtype}")
    if array.size == 0:
        raise ValueError(f"{argument} must not be empty, got shape {array.shape}")
    return checks.finite(argument, array)


def _checked_images(images: Any) -> np.ndarray:
    array = _checked_numbers("images", images)
    if array.ndim == 4 and array.shape[-1] == 1:
        array = array[..., 0]
    if array.ndim == 2:
        side = math.isqrt(array.shape[1])
        if side * side == array.shape[1]:
            array = array.reshape(-1, side, side)
    if array.ndim != 3:
        raise ValueError(
            "images must have shape (n, height, width), (n, height, width, 1) or "
            f"(n, side * side), got {array.shape}"
        )
    return array


def _checked_labels(
    true: Any, predicted: Any, classes: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    checked = []
    for argument, values in (("true", true), ("predicted", predicted)):
        labels = checks.labels(argument, np.asarray(values), classes)
        if not len(labels):
            raise ValueError(f"{argument} must hold one label an example, got none")
        checked.append(labels)
    if len(checked[0]) != len(checked[1]):
        raise ValueError(
            f"true and predicted must have one length, got {len(checked[0])} and {len(checked[1])}"
        )
    return checked[0], checked[1]


def _checked_titles(titles: Sequence[str], count: int) -> list[str]:
    checked = [str(title) for title in titles]
    if len(checked) != count:
        raise ValueError(f"titles must be {count}, one an image, got {len(checked)}")
    return checked


def _checked_columns(columns: int | None, count: int) -> int:
    if columns is None:
        return min(count, max(5, math.isqrt(count - 1) + 1))
    return min(checks.whole("columns", columns), count)


@styled
def contours(
    surface: Any,
    paths: Mapping[str, Any] | None = None,
    x: tuple[float, float] = (-2, 2),
    y: tuple[float, float] = (-2, 2),
    levels: Sequence[float] | None = None,
) -> Figure:
    """Draw the lines of equal cost of a surface in the plane, and paths across them.

    Parameters
    ----------
    surface : Surface
        Any object whose ``value`` takes points, shape (..., 2).
    paths : mapping of str to array_like, shape (steps + 1, 2), optional
        By name, such as `dlcourse.optimization.minimize` returns them. A hollow circle is
        the start, a filled one the end; small dots are the steps.
    x, y : (float, float)
        What to show of the plane; paths may leave it.
    levels : sequence of float, optional
        The costs to draw lines at. By default they lie so that a round bowl has equal
        distances between its lines, and no part of a steep surface is crowded.

    Returns
    -------
    matplotlib.figure.Figure
        One panel; both axes have the same scale.

    Raises
    ------
    ValueError
        If a range is not rising, or a path is no list of points in the plane.

    Notes
    -----
    Lecture items S17, S19, S24, S25.
    """
    for argument, (low, high) in (("x", x), ("y", y)):
        if not low < high:
            raise ValueError(f"{argument} must be a low and a high value, got {(low, high)}")
    paths = {} if paths is None else dict(paths)
    for name, path in paths.items():
        paths[name] = np.asarray(path, dtype=float)
        if paths[name].ndim != 2 or paths[name].shape[1] != 2 or not len(paths[name]):
            raise ValueError(
                f"paths[{name!r}] must have shape (steps + 1, 2), got {paths[name].shape}"
            )
    grid = np.stack(np.meshgrid(np.linspace(*x, 201), np.linspace(*y, 201)), axis=-1)
    values = surface.value(grid)
    if levels is None:
        levels = np.unique(np.quantile(values, np.linspace(0, 1, 14)[1:-1] ** 2))

    width = 0.86 * WIDTH
    inner = width - 0.8  # beside the labels
    shape = min((y[1] - y[0]) / (x[1] - x[0]), 1.1)
    figure, axes = new_figure(size=(width, shape * inner + 0.6 + 0.25 * math.ceil(len(paths) / 3)))
    axes.contour(*np.moveaxis(grid, -1, 0), values, levels=levels, colors="#a9adb4", linewidths=0.8)
    for i, (name, path) in enumerate(paths.items()):
        color, ends = COLORS[i % len(COLORS)], {"markersize": 7, "linestyle": "none", "zorder": 3}
        axes.plot(
            *path.T, label=name, color=color, linestyle=DASHES[i % len(DASHES)], marker=".",
            markersize=4 if len(path) <= 100 else 0,
        )  # fmt: skip
        axes.plot(*path[0], "o", color=color, markerfacecolor=GROUND, **ends)
        axes.plot(*path[-1], "o", color=color, **ends)
    axes.set(xlim=x, ylim=y, xlabel="θ₁", ylabel="θ₂", aspect="equal")
    if paths:
        figure.legend(loc="outside lower center", ncols=min(len(paths), 3))
    return figure


@styled
def decision_map(
    model: Any, examples: Any = None, extent: float = 6, axes: Axes | None = None
) -> Figure:
    """Draw what a model answers in the plane, and the examples on top of it.

    Parameters
    ----------
    model : object with ``predict``, or callable, or None
        Takes points, shape (n, 2), and answers one number each, shape (n,) or (n, 1): above
        zero the positive class, below zero the negative one, as in `dlcourse.playground`.
        None leaves the ground white, to show examples alone.
    examples : Examples, optional
        Points ``x``, shape (n, 2), and targets ``y``, n numbers. Where all are 1 or -1 these
        are classes: circles for the positive one, squares for the negative one.
    extent : float
        The map goes from -extent to extent along both axes.
    axes : matplotlib.axes.Axes, optional
        Where to draw; by default in a figure of its own, with a colour bar.

    Returns
    -------
    matplotlib.figure.Figure
        The ground is the answer, cut off at -1 and 1, from dark (negative) to light
        (positive); the black line is where it is zero.

    Raises
    ------
    TypeError
        If the model is neither None nor has ``predict`` nor is callable, or answers no numbers.
    ValueError
        If it does not answer one finite number a point, or the examples are not in the plane.

    Notes
    -----
    Lecture item S8.
    """
    extent = checks.number("extent", extent, above=0)
    values = None if model is None else _answers(model, extent)
    own = axes is None
    if own:
        figure, axes = new_figure(size=(4.4, 3.6))
    scale = {"cmap": SIGNED, "vmin": -1, "vmax": 1}
    if values is not None:
        around = extent * (1 + 1 / (MAP_POINTS - 1))  # a picture element has its point in its middle
        # Paler than the points, which then stand out, and than the line.
        picture = axes.imshow(
            values, origin="lower", extent=(-around, around) * 2, alpha=0.6, **scale
        )
        if values.min() < 0 < values.max():
            side = np.linspace(-extent, extent, MAP_POINTS)
            axes.contour(side, side, values, levels=[0], colors=INK, linewidths=1.2)
    if examples is not None:
        x, y = _checked_numbers("examples.x", examples.x), _checked_numbers("examples.y", examples.y)
        if x.ndim != 2 or x.shape[1] != 2 or y.size != len(x):
            raise ValueError(
                f"examples must be points of the plane with one target each, got x of shape "
                f"{x.shape} and y of shape {y.shape}"
            )
        y = y.ravel()
        classes = bool(np.isin(y, (-1, 1)).all())
        for marker, chosen in (("o", y > 0), ("s", y <= 0)) if classes else (("o", y == y),):
            axes.scatter(
                *x[chosen].T, c=y[chosen], marker=marker, s=13 if marker == "o" else 11,
                edgecolors=INK if marker == "o" else GROUND, linewidths=0.6, **scale,
            )  # fmt: skip
    axes.set(
        xlim=(-extent, extent), ylim=(-extent, extent), aspect="equal", xlabel="x₁", ylabel="x₂"
    )
    if own and values is not None:
        figure.colorbar(picture, ax=axes, label="answer", ticks=[-1, 0, 1], shrink=0.9)
    return axes.figure


MAP_POINTS = 121  # of a decision map, along each axis


def _answers(model: Any, extent: float) -> np.ndarray:
    """What the model answers on a grid, x₁ along the columns and x₂ along the rows."""
    answer = getattr(model, "predict", model)
    if not callable(answer):
        raise TypeError(f"model must have predict, or be a function of points, got {model!r}")
    side = np.linspace(-extent, extent, MAP_POINTS)
    points = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)
    values = _checked_numbers("what model answers", answer(points))
    if values.size != len(points):
        raise ValueError(
            f"model must answer one number for each of {len(points)} points, got {values.shape}"
        )
    return values.reshape(MAP_POINTS, MAP_POINTS)
