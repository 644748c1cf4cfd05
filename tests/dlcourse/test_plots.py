import base64
import io
import itertools
import subprocess
import sys
import time
from types import SimpleNamespace

import matplotlib
import matplotlib.colors
import nbclient
import nbformat
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib import image as mpl_image
from matplotlib import pyplot as plt
from sklearn import metrics

from dlcourse import plots

EPOCHS = 12
DIGITS = np.random.default_rng(0).random((23, 6, 6))
CORNERS = SimpleNamespace(x=np.array([[1, 1], [-1, -1], [1, -1.0]]), y=np.array([[1], [1], [-1]]))
BOWL = SimpleNamespace(value=lambda theta: (theta**2).sum(axis=-1))


def saddle(x):
    """The product of the coordinates, as a decision map takes it."""
    return x[:, 0] * x[:, 1]


def history(epochs=EPOCHS, scale=1.0, accuracy=True, validation=True):
    falling = (scale / np.arange(1, epochs + 1)).tolist()
    rising = [1 - loss / 2 for loss in falling]
    return SimpleNamespace(
        loss=falling,
        accuracy=rising if accuracy else [],
        validation_loss=[loss + 0.1 for loss in falling] if validation else [],
        validation_accuracy=[a - 0.1 for a in rising] if accuracy and validation else [],
    )


def linear(color):
    rgb = np.array(matplotlib.colors.to_rgb(color))
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


def luminance(color):
    return linear(color) @ (0.2126, 0.7152, 0.0722)


def contrast(one, other):
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def lightness(color):
    """CIE L*, the lightness that is left in greyscale."""
    return 116 * np.cbrt(luminance(color)) - 16


def lab(rgb):
    """CIE L*a*b* of a linear RGB colour."""
    to_xyz = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    x, y, z = np.array(to_xyz) @ np.clip(rgb, 0, 1) / (0.9505, 1, 1.089)
    f = [np.cbrt(t) if t > 0.008856 else 7.787 * t + 16 / 116 for t in (x, y, z)]
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


# Machado, Oliveira and Fernandes 2009, severity 1, for linear RGB.
VISION = {
    "full": np.eye(3),
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}


@pytest.mark.parametrize("vision", VISION)
def test_colours_stay_apart(vision):
    seen = [lab(VISION[vision] @ linear(color)) for color in plots.COLORS]
    # A difference of 2.3 is just noticeable side by side; thin lines need much more.
    assert min(np.linalg.norm(a - b) for a, b in itertools.combinations(seen, 2)) > 20


def test_colours_stay_apart_in_greyscale_and_from_the_ground():
    greys = sorted(lightness(color) for color in plots.COLORS)
    assert min(np.diff(greys)) >= 12
    assert all(contrast(color, plots.GROUND) >= 3 for color in plots.COLORS)
    assert all(contrast(color, plots.GROUND) >= 4.5 for color in (plots.INK, plots.MUTED))


def test_lines_differ_without_colour():
    assert len(set(plots.MARKERS)) == len(set(plots.DASHES)) == len(plots.COLORS)
    _, axes = plots.new_figure()
    lines = [axes.plot([0, 1])[0] for _ in plots.COLORS]
    assert len({str(line._dash_pattern) for line in lines}) == len(lines)


def test_signed_map_tells_the_sign_in_greyscale():
    shades = np.array([lightness(color) for color in plots.SIGNED(np.linspace(0, 1, 101))])
    assert (np.diff(shades) > 0).all()
    middle = plots.SIGNED(0.5)[:3]
    assert max(middle) - min(middle) < 0.05


def drawings():
    """One call of every function."""
    labels = np.arange(23) % 3
    return {
        "learning_curves": lambda: plots.learning_curves({"a": history(), "b": history()}),
        "image_grid": lambda: plots.image_grid(DIGITS),
        "image_grid with titles": lambda: plots.image_grid(DIGITS[:3], ["a", "b", "c"]),
        "confusion_matrix": lambda: plots.confusion_matrix(labels, labels[::-1], 3),
        "weight_images": lambda: plots.weight_images(DIGITS.reshape(23, 36).T - 0.5, (6, 6)),
        "mistakes": lambda: plots.mistakes(DIGITS, labels, labels[::-1], np.full(23, 0.9)),
        "contours": lambda: plots.contours(BOWL, {"a": [[1, 1], [0, 0]], "b": [[-1, 1]]}),
        "decision_map": lambda: plots.decision_map(saddle, CORNERS),
        "new_figure": lambda: plots.new_figure(2, 2)[0],
    }


def png(figure):
    with io.BytesIO() as buffer:
        figure.savefig(buffer, format="png")
        return buffer.getvalue()


@pytest.mark.parametrize("name", drawings())
def test_leaves_no_trace_and_keeps_its_style(name):
    before = dict(matplotlib.rcParams)
    usual = png(drawings()[name]())
    assert dict(matplotlib.rcParams) == before
    assert plt.get_fignums() == []
    with plt.style.context("dark_background"), plt.rc_context({"font.size": 30}):
        assert png(drawings()[name]()) == usual


def test_a_figure_is_a_card_of_its_own():
    pixels = mpl_image.imread(io.BytesIO(png(plots.learning_curves(history()))))
    assert (pixels[..., 3] == 1).all(), "no pixel lets a dark page through"
    assert (pixels[0, 0, :3] == 1).all()


def test_importing_changes_nothing_and_is_light():
    script = """if True:
        import sys, matplotlib
        before = dict(matplotlib.rcParams)
        import dlcourse.plots
        assert dict(matplotlib.rcParams) == before
        assert not {"sklearn", "IPython"} & set(sys.modules)
        """
    subprocess.run([sys.executable, "-c", script], check=True)


# What is drawn is the data.


def data_of(axes):
    return {line.get_label(): line.get_ydata().tolist() for line in axes.lines}


def test_learning_curves_draw_the_history():
    one = history()
    loss, accuracy = plots.learning_curves(one).axes
    assert data_of(loss) == {"training": one.loss, "validation": one.validation_loss}
    assert data_of(accuracy) == {
        "training": one.accuracy,
        "validation": one.validation_accuracy,
    }
    for axes in (loss, accuracy):
        training, validation = axes.lines
        assert training.get_xdata().tolist() == list(range(1, EPOCHS + 1))
        assert (training.get_linestyle(), validation.get_linestyle()) == ("-", "--")
        assert axes.get_xlabel() == "epoch"
    assert (loss.get_ylabel(), accuracy.get_ylabel()) == ("loss", "accuracy")
    assert accuracy.yaxis.get_major_formatter()(0.925) == "92.5 %"


def test_learning_curves_compare_histories():
    figure = plots.learning_curves({"slow": history(scale=2), "fast": history()})
    loss = figure.axes[0]
    assert data_of(loss)["slow validation"] == history(scale=2).validation_loss
    slow, _, fast, _ = loss.lines
    assert slow.get_color() != fast.get_color()
    assert slow.get_marker() != fast.get_marker()
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == [
        "slow",
        "fast",
        "training",
        "validation",
    ]
    assert [handle.get_linestyle() for handle in legend.legend_handles] == ["-", "-", "-", "--"]


def test_learning_curves_draw_what_there_is():
    figure = plots.learning_curves(history(accuracy=False, validation=False))
    (loss,) = figure.axes
    assert list(data_of(loss)) == ["training"]
    assert figure.legends == []
    assert len(plots.learning_curves(history(epochs=1)).axes) == 2
    diverging = history(accuracy=False, validation=False)
    diverging.loss[5:] = [np.inf, *[np.nan] * (EPOCHS - 6)]
    png(plots.learning_curves(diverging))


def test_epochs_are_whole_numbers():
    for epochs in (1, 2, 3, 20):
        figure = plots.learning_curves(history(epochs=epochs))
        ticks = figure.axes[0].get_xticks()
        assert np.array_equal(ticks, np.round(ticks))


@given(
    count=st.integers(1, 30),
    height=st.integers(1, 5),
    width=st.integers(1, 5),
    columns=st.integers(1, 8),
    gap=st.integers(1, 3),
)
def test_tiles_hold_the_images(count, height, width, columns, gap):
    images = np.arange(count * height * width, dtype=float).reshape(count, height, width)
    sheet = plots.tile(images, columns, gap)
    rows = -(-count // columns)
    assert sheet.shape == (rows * (height + gap) - gap, columns * (width + gap) - gap)
    for number, image in enumerate(images):
        top, left = (number // columns) * (height + gap), (number % columns) * (width + gap)
        assert np.array_equal(sheet[top : top + height, left : left + width], image)
    assert np.isfinite(sheet).sum() == images.size


@pytest.mark.parametrize("shape", [(23, 6, 6), (23, 6, 6, 1), (23, 36)])
def test_image_grid_takes_flat_and_channelled_images(shape):
    (axes,) = plots.image_grid(DIGITS.reshape(shape), columns=5).axes
    (picture,) = axes.images
    np.testing.assert_array_equal(picture.get_array().filled(np.nan), plots.tile(DIGITS, 5))
    assert picture.get_clim() == (DIGITS.min(), DIGITS.max())


def test_image_grid_titles_each_image():
    figure = plots.image_grid(DIGITS[:7], list("abcdefg"), limits=(0, 2))
    shown = [axes for axes in figure.axes if axes.images]
    assert [axes.get_title() for axes in shown] == list("abcdefg")
    for axes, digit in zip(shown, DIGITS):
        assert np.array_equal(axes.images[0].get_array(), digit)
        assert axes.images[0].get_clim() == (0, 2)


@pytest.mark.parametrize(
    ("count", "columns"), [(1, 1), (4, 4), (10, 5), (25, 5), (26, 6), (400, 20)]
)
def test_image_grid_chooses_its_columns(count, columns):
    (axes,) = plots.image_grid(np.zeros((count, 3, 3))).axes
    assert axes.images[0].get_array().shape[1] == columns * 5 - 2


def test_contact_sheet_draws_pixel_by_pixel_and_at_once():
    images = np.random.default_rng(0).integers(0, 256, (400, 28, 28), dtype=np.uint8)
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        picture = png(plots.image_grid(images))
        seconds.append(time.perf_counter() - start)
    assert min(seconds) < 1
    pixels = mpl_image.imread(io.BytesIO(picture))[..., 0]
    sheet = plots.tile(images, 20)
    assert pixels.shape == sheet.shape
    # High values are dark; the gaps are white.
    expected = np.where(np.isnan(sheet), 1, 1 - (sheet - images.min()) / np.ptp(images))
    np.testing.assert_allclose(pixels, expected, atol=1.5 / 255)


LABELS = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=40)


@settings(max_examples=20)
@given(LABELS)
def test_confusion_matrix_shows_the_counts(pairs):
    true, predicted = np.array(pairs).T
    axes = plots.confusion_matrix(true, predicted, 5).axes[0]
    counts = metrics.confusion_matrix(true, predicted, labels=range(5))
    written = np.full((5, 5), -1)
    shades = axes.images[0].to_rgba(axes.images[0].get_array())
    for text in axes.texts:
        column, row = text.get_position()
        written[row, column] = int(text.get_text())
        assert contrast(text.get_color(), shades[row, column][:3]) >= 4.5
    assert np.array_equal(written, counts)
    assert (axes.get_ylabel(), axes.get_xlabel()) == ("true", "predicted")
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    np.testing.assert_allclose(axes.images[0].get_array() ** 2, shares, atol=1e-12)


def test_any_cell_is_readable():
    for shade in matplotlib.colormaps["Blues"](np.linspace(0, 1, 256)):
        assert contrast(plots._ink_on(shade), shade[:3]) >= 4.5


def test_confusion_matrix_names_its_classes():
    axes = plots.confusion_matrix([0, 1], [1, 1], ["cat", "dog"]).axes[0]
    assert [text.get_text() for text in axes.get_xticklabels()] == ["cat", "dog"]
    assert [text.get_text() for text in axes.get_yticklabels()] == ["cat", "dog"]


@pytest.mark.parametrize("titles", [None, range(3)])
def test_weight_images_share_one_scale_around_zero(titles):
    weights = np.random.default_rng(0).normal(size=(20, 3))
    figure = plots.weight_images(weights, (4, 5), titles)
    panels = [axes for axes in figure.axes if axes.images]
    low, high = panels[0].images[0].get_clim()
    assert low == -high
    assert (np.abs(weights) > high).mean() < 0.02
    expected = weights.T.reshape(3, 4, 5)
    if titles is None:
        drawn = panels[0].images[0].get_array().filled(np.nan)
        np.testing.assert_array_equal(drawn, plots.tile(expected, 3))
    else:
        assert [axes.get_title() for axes in panels] == ["0", "1", "2"]
        for axes, image in zip(panels, expected):
            np.testing.assert_array_equal(axes.images[0].get_array(), image)
            assert axes.images[0].get_clim() == (low, high)
    (bar,) = [axes for axes in figure.axes if axes.get_ylabel() == "weight"]
    assert bar.get_ylim() == (low, high)


def test_zero_weights_are_a_picture_too():
    figure = plots.weight_images(np.zeros((784, 10)))
    assert figure.axes[0].images[0].get_clim() == (-1, 1)


def test_mistakes_are_the_surest_first():
    true = np.array([7, 1, 2, 3, 4])
    predicted = np.array([1, 1, 3, 3, 9])
    confidence = [0.6, 1.0, 0.99996, 0.9, 0.984]
    figure = plots.mistakes(DIGITS[:5], true, predicted, confidence)
    shown = [axes for axes in figure.axes if axes.images]
    assert [axes.get_title() for axes in shown] == [
        "2 read as 3\n> 99.9 %",
        "4 read as 9\n98.4 %",
        "7 read as 1\n60.0 %",
    ]
    for axes, index in zip(shown, (2, 4, 0)):
        np.testing.assert_array_equal(axes.images[0].get_array(), DIGITS[index])
    two = plots.mistakes(DIGITS[:5], true, predicted, confidence, count=2)
    assert len([axes for axes in two.axes if axes.images]) == 2


def test_contours_draw_lines_of_equal_cost_and_the_paths():
    path = np.array([[1.5, -1.0], [0.5, 0.25], [0.0, 0.0]])
    figure = plots.contours(BOWL, {"down": path, "up": path[::-1]}, (-2, 2), (-1, 3), levels=[1, 4])
    (axes,) = figure.axes
    assert axes.get_aspect() == 1 and axes.get_xlim() == (-2, 2) and axes.get_ylim() == (-1, 3)
    circles = axes.collections[0]
    np.testing.assert_array_equal(circles.levels, [1, 4])
    for level, contour in zip((1, 4), circles.get_paths()):
        np.testing.assert_allclose(np.linalg.norm(contour.vertices, axis=1) ** 2, level, atol=0.01)
    lines = {line.get_label(): line.get_xydata() for line in axes.lines}
    np.testing.assert_array_equal(lines["down"], path)
    np.testing.assert_array_equal(lines["up"], path[::-1])
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["down", "up"]
    starts = [line.get_xydata().tolist() for line in axes.lines if line.get_markerfacecolor() == plots.GROUND]
    assert starts == [[[1.5, -1.0]], [[0.0, 0.0]]]


def test_contours_lie_evenly_on_a_bowl_and_need_no_path():
    figure = plots.contours(BOWL)
    radii = np.sqrt([level for level in figure.axes[0].collections[0].levels if level < 4])
    np.testing.assert_allclose(np.diff(radii), np.diff(radii).mean(), rtol=0.1)
    assert not figure.legends
    flat = SimpleNamespace(value=lambda theta: np.where(theta[..., 0] > 0, theta[..., 0], 0.0))
    levels = plots.contours(flat).axes[0].collections[0].levels
    assert (np.diff(levels) > 0).all()


def test_decision_map_draws_the_answers_their_zero_and_the_examples():
    figure = plots.decision_map(lambda x: x[:, 0] - 2 * x[:, 1], CORNERS, extent=3)
    axes, bar = figure.axes
    assert axes.get_xlim() == axes.get_ylim() == (-3, 3) and axes.get_aspect() == 1 and bar.get_ylabel() == "answer"
    (picture,) = axes.images
    values, n = picture.get_array(), plots.MAP_POINTS
    x1, x2 = np.meshgrid(np.linspace(-3, 3, n), np.linspace(-3, 3, n))
    np.testing.assert_allclose(values, x1 - 2 * x2)
    assert picture.origin == "lower" and picture.get_clim() == (-1, 1)
    left, right, bottom, top = picture.get_extent()
    assert left + (right - left) / n / 2 == pytest.approx(-3) and top - (top - bottom) / n / 2 == pytest.approx(3)
    zero, circles, squares = axes.collections
    (line,) = zero.get_paths()
    np.testing.assert_allclose(line.vertices[:, 0], 2 * line.vertices[:, 1], atol=1e-9)
    np.testing.assert_array_equal(circles.get_offsets(), CORNERS.x[:2])
    np.testing.assert_array_equal(squares.get_offsets(), CORNERS.x[2:])
    assert len(circles.get_paths()[0].vertices) != len(squares.get_paths()[0].vertices), "shapes differ, not colours alone"


def test_decision_map_takes_a_model_axes_or_examples_alone():
    figure, panels = plots.new_figure(1, 2)
    model = SimpleNamespace(predict=lambda x: np.tanh(saddle(x))[:, None])
    assert plots.decision_map(model, axes=panels[0]) is figure
    assert len(figure.axes) == 2 and panels[0].images and not panels[1].images
    np.testing.assert_allclose(panels[0].images[0].get_array()[0, 0], np.tanh(36))
    plots.decision_map(None, CORNERS, axes=panels[1])
    assert not panels[1].images and len(panels[1].collections) == 2
    alone = plots.decision_map(None, SimpleNamespace(x=CORNERS.x, y=np.array([0.3, 0.1, -0.7])))
    (points,) = alone.axes[0].collections
    np.testing.assert_array_equal(points.get_array(), [0.3, 0.1, -0.7])


def test_decision_map_of_one_class_has_no_line():
    figure = plots.decision_map(lambda x: np.full(len(x), 0.5))
    assert figure.axes[0].images and not figure.axes[0].collections


# Bad input says what is wrong with which argument.

NO_LOSS = SimpleNamespace(accuracy=[0.5])
NONE = {"validation_loss": [], "validation_accuracy": []}
UNEVEN = SimpleNamespace(loss=[1.0], accuracy=[0.5, 0.6], **NONE)
HOPELESS = SimpleNamespace(loss=[np.nan], accuracy=[], **NONE)
EMPTY = SimpleNamespace(loss=[], accuracy=[], **NONE)


@pytest.mark.parametrize(
    ("call", "error", "argument"),
    [
        (lambda: plots.learning_curves([1.0, 0.5]), TypeError, "histories"),
        (lambda: plots.learning_curves({}), ValueError, "histories"),
        (lambda: plots.learning_curves({"a": NO_LOSS}), TypeError, r"histories\['a'\]"),
        (lambda: plots.learning_curves({"a": UNEVEN}), ValueError, r"\['a'\].accuracy"),
        (lambda: plots.learning_curves(HOPELESS), ValueError, "loss"),
        (lambda: plots.learning_curves(EMPTY), ValueError, "loss"),
        (lambda: plots.new_figure(0), ValueError, "rows"),
        (lambda: plots.image_grid(np.zeros((2, 3))), ValueError, "images"),
        (lambda: plots.image_grid(np.zeros((0, 3, 3))), ValueError, "images"),
        (lambda: plots.image_grid(np.zeros((2, 3, 3, 3))), ValueError, "images"),
        (lambda: plots.image_grid(np.full((2, 3, 3), np.nan)), ValueError, "images"),
        (lambda: plots.image_grid(["a"]), TypeError, "images"),
        (lambda: plots.image_grid(DIGITS, ["a"]), ValueError, "titles"),
        (lambda: plots.image_grid(DIGITS, columns=0), ValueError, "columns"),
        (lambda: plots.image_grid(DIGITS, limits=(1, 0)), ValueError, "limits"),
        (lambda: plots.confusion_matrix([0, 5], [0, 1], 5), ValueError, "true"),
        (lambda: plots.confusion_matrix([0, 1], [0, -1], 5), ValueError, "predicted"),
        (lambda: plots.confusion_matrix([0, 1], [0], 5), ValueError, "length"),
        (lambda: plots.confusion_matrix([], [], 5), (TypeError, ValueError), "true"),
        (lambda: plots.confusion_matrix(np.eye(3, dtype=int), [0, 1, 2], 3), ValueError, "true"),
        (lambda: plots.confusion_matrix([0, 1], [0.2, 0.8], 2), TypeError, "predicted"),
        (lambda: plots.confusion_matrix([0, 0], [0, 0], 1), ValueError, "classes"),
        (lambda: plots.weight_images(np.zeros((783, 10))), ValueError, "weights"),
        (lambda: plots.weight_images(np.zeros(784)), ValueError, "weights"),
        (lambda: plots.weight_images(np.full((784, 2), np.inf)), ValueError, "weights"),
        (lambda: plots.weight_images(np.zeros((784, 2)), titles=["a"]), ValueError, "titles"),
        (lambda: plots.mistakes(DIGITS[:2], [0, 1], [0, 1], [1, 1]), ValueError, "predicted"),
        (lambda: plots.mistakes(DIGITS[:2], [0, 1], [1, 0], [1, 1.5]), ValueError, "confidence"),
        (lambda: plots.mistakes(DIGITS[:2], [0, 1], [1, 0], [1]), ValueError, "confidence"),
        (lambda: plots.mistakes(DIGITS[:3], [0, 1], [1, 0], [1, 1]), ValueError, "images"),
        (lambda: plots.mistakes(DIGITS[:2], [0, 1], [1, 0], [1, 1], count=0), ValueError, "count"),
        (lambda: plots.contours(BOWL, x=(2, -2)), ValueError, "x must be a low and a high"),
        (lambda: plots.contours(BOWL, y=(1, 1)), ValueError, "y"),
        (lambda: plots.contours(BOWL, {"a": np.ones((3, 3))}), ValueError, r"paths\['a'\]"),
        (lambda: plots.contours(BOWL, {"a": np.ones((0, 2))}), ValueError, r"got \(0, 2\)"),
        (lambda: plots.decision_map(3), TypeError, "model must have predict"),
        (lambda: plots.decision_map(lambda x: x), ValueError, "model must answer one number"),
        (lambda: plots.decision_map(lambda x: x[:, 0] * np.nan), ValueError, "what model answers must be finite"),
        (lambda: plots.decision_map(saddle, extent=0), ValueError, "extent"),
        (lambda: plots.decision_map(None, SimpleNamespace(x=np.ones((2, 3)), y=np.ones(2))), ValueError, "examples must be points"),
        (lambda: plots.decision_map(None, SimpleNamespace(x=np.ones((2, 2)), y=np.ones(3))), ValueError, "examples must be points"),
    ],
)
def test_bad_input(call, error, argument):
    with pytest.raises(error, match=argument):
        call()


# A real kernel, before and after pyplot has brought its inline backend.
CELLS = {
    "last line": """
import numpy as np
from dlcourse import plots
plots.image_grid(np.eye(5)[None])""",
    "pyplot": "import matplotlib.pyplot as plt\nplots.image_grid(np.eye(5)[None])",
    "magic": "%matplotlib inline\nplots.image_grid(np.eye(5)[None])",
    "kept": "figure, axes = plots.new_figure()\naxes.plot([1, 2]);",
    "changed": "axes.set_title('later')\nfigure",
    "of pyplot": "plt.plot([1, 2]);",
}


def test_a_notebook_shows_a_figure_once():
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(source) for source in CELLS.values()]
    )
    nbclient.NotebookClient(notebook, kernel_name="python3").execute()
    outputs = {name: cell.outputs for name, cell in zip(CELLS, notebook.cells)}
    pictures = set()
    for name in ("last line", "pyplot", "magic", "changed"):
        (output,) = outputs[name]
        assert set(output.data) == {"image/png", "text/plain"}
        assert "Figure" in output.data["text/plain"]
        pictures.add(output.data["image/png"])
        pixels = mpl_image.imread(io.BytesIO(base64.b64decode(output.data["image/png"])))
        width = output.metadata["image/png"]["width"]
        assert pixels.shape[1] == pytest.approx(width, abs=1) or pixels.shape[1] > width
    assert len(pictures) == 2, "the same figure, whether or not pyplot was imported"
    assert outputs["kept"] == []
    # Figures made with pyplot come out as they always do.
    assert len([o for o in outputs["of pyplot"] if "image/png" in o.get("data", {})]) == 1
