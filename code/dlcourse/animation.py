"""Paths on a surface that move: where each optimizer is after each step.

An animation is one piece of HTML, drawn as SVG and moved by style rules alone. There is no
script in it and no address, so it plays on the page, in a downloaded notebook and without a
network. Two check boxes that look like buttons pause it and start it again.

Who asks the system for less motion sees it at rest, with the whole paths, and so does paper.
A front end that takes style and SVG out of a notebook that it does not trust yet keeps what
is left: an image of the paths. For this the moving parts are ``hidden`` until the style shows
them, and the image is shown until the style hides it. The book's PDF, in which pages lose their
names for each other's sake, shows the image too.
"""

import base64
import hashlib
import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape
from typing import Any

import numpy as np
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from PIL import Image

from dlcourse import checks
from dlcourse.plots import COLORS, CSS_DPI, DASHES, FAINT, GROUND, INK, MUTED, new_figure, styled

__all__ = ["Animation", "animate_paths"]

WIDTH = 560  # of the drawing, in its own units: pixels where the page is as wide as that
LEFT, RIGHT, BELOW = 44, 12, 74  # margins of the plot; above it stands the legend
ROW = 24  # height of a line of the legend
GRID = 49  # points a side at which the surface is asked for its contours
FRAMES = 64  # at most so many moments are told apart; between them motion is straight
HOLD = 0.8  # of the time the paths grow, for the rest they stand
SHAPES = ("M-7 0a7 7 0 1 0 14 0a7 7 0 1 0-14 0z", "M-6-6H6V6H-6z", "M0-8L8 6H-8z", "M0-9L8 0L0 9L-8 0z", "M-8-6H8L0 8z")

STYLE = """\
#ID{max-width:600px;margin:0 auto}
div:has(>#ID){background:none!important;padding:0!important}
#ID>[hidden]{display:block!important}
#ID>input[hidden]{display:inline-block!important;appearance:none;-webkit-appearance:none;width:auto;height:auto;margin:0 6px 6px 0;\
padding:4px 12px;border:1px solid #666a71;border-radius:4px;background:#fff;color:#14161c;font:14px/20px sans-serif;cursor:pointer}
#ID>input.pause:checked{background:#14161c;color:#fff}
#ID>input:focus-visible{outline:3px solid #f16a3d;outline-offset:2px}
#ID>input.pause::before{content:"Pause"}
#ID>input.restart::before{content:"Restart"}
#ID>img{display:none!important}
#ID svg{display:block;width:100%;height:auto;font:15px sans-serif}
#ID .grow{stroke-dasharray:1 2}
#ID .move{animation-duration:TIMEs;animation-timing-function:linear;animation-iteration-count:infinite}
#ID>.pause:checked~div .move{animation-play-state:paused}
html[data-theme=dark] #ID svg{filter:brightness(.9)}
@media (max-width:500px){#ID svg{font-size:18px}}
@media (prefers-reduced-motion:reduce){#ID .move{animation:none!important}#ID>input[hidden]{display:none!important}}
@media print{#ID .move{animation:none!important}#ID>input[hidden]{display:none!important}}
"""


@dataclass(frozen=True)
class Animation:
    """What `animate_paths` returns; a notebook shows it on the last line of a cell.

    Attributes
    ----------
    html : str
        The animation, a ``div`` that brings its own style.
    png : bytes
        The same paths at rest, for where HTML is not shown.
    alt : str
        What it shows, in words.
    """

    html: str = field(repr=False)
    png: bytes = field(repr=False)
    alt: str

    def _repr_html_(self) -> str:
        return self.html

    def _repr_png_(self) -> tuple[bytes, dict[str, Any]]:
        return self.png, {"alt": self.alt, "width": WIDTH}


def animate_paths(
    surface: Any,
    paths: Mapping[str, Any],
    x: tuple[float, float] = (-2, 2),
    y: tuple[float, float] = (-2, 2),
    *,
    alt: str,
    seconds: float = 6,
) -> Animation:
    """Animate paths on the contours of a surface, all at the same step at the same time.

    Lecture items S19, S24 and S25.

    Parameters
    ----------
    surface
        Of two parameters, with ``value(theta)`` for ``theta`` of shape (..., 2).
    paths : mapping of str to array_like, shape (steps + 1, 2)
        What `dlcourse.optimization.minimize` returned, by the name for the legend; one to
        five. The longest fills the time, a shorter one stands when it is at its end.
    x, y : (float, float)
        The part of the plane to draw, with one scale for both axes.
    alt : str
        What one sees, for those who do not.
    seconds : float
        How long the paths grow; then they stand for a quarter of that, and start again.

    Raises
    ------
    TypeError, ValueError
        When there is no path or more than five, a path has another shape or is not finite,
        the frame is empty, or ``alt`` says nothing.
    """
    named = _checked_paths(paths)
    frame = _checked_frame("x", x), _checked_frame("y", y)
    if not isinstance(alt, str):
        raise TypeError(f"alt must be a text, got {type(alt).__name__}: {alt!r}")
    if len(alt.split()) < 3:
        raise ValueError(f"alt must say in words what one sees, got {alt!r}")
    seconds = checks.number("seconds", seconds, above=0)
    contours = _contours(surface, frame)
    png = _still(contours, named, frame)
    return Animation(_html(contours, named, frame, alt, seconds, png), png, alt)


def _checked_paths(paths: Mapping[str, Any]) -> dict[str, np.ndarray]:
    if not isinstance(paths, Mapping):
        raise TypeError(f'paths must be a mapping such as {{"plain": path}}, got {type(paths).__name__}')
    if not 1 <= len(paths) <= len(SHAPES):
        raise ValueError(f"paths must be one to {len(SHAPES)}, got {len(paths)}")
    named = {}
    for label, path in paths.items():
        points = np.asarray(path, dtype=float)
        if points.ndim != 2 or points.shape[1] != 2 or len(points) < 2:
            raise ValueError(f"paths[{label!r}] must have shape (steps + 1, 2), with one step or more, got {points.shape}")
        named[str(label)] = checks.finite(f"paths[{label!r}]", points)
    return named


def _checked_frame(name: str, limits: tuple[float, float]) -> tuple[float, float]:
    if len(limits) != 2:
        raise ValueError(f"{name} must be a low and a high value, got {limits!r}")
    low, high = (checks.number(name, limit) for limit in limits)
    if not low < high:
        raise ValueError(f"{name} must be a low and a higher value, got {limits!r}")
    return low, high


def _contours(surface: Any, frame: tuple) -> list[np.ndarray]:
    """Lines of equal height, each an array of points."""
    across, up = (np.linspace(*limits, GRID) for limits in frame)
    heights = np.asarray(surface.value(np.stack(np.meshgrid(across, up), axis=-1)), dtype=float)
    if heights.shape != (GRID, GRID):
        raise ValueError(f"surface.value must give one height a point, shape {(GRID, GRID)}, got {heights.shape}")
    checks.finite("the surface's values", heights)
    # Squares, so that the lines of a bowl are evenly apart.
    levels = heights.min() + np.ptp(heights) * np.linspace(0, 1, 10)[1:-1] ** 2
    if not np.ptp(heights):
        return []
    lines = Figure().subplots().contour(across, up, heights, levels=levels).allsegs
    return [line for level in lines for line in level if len(line) > 1]


@styled
def _still(contours: list[np.ndarray], paths: dict[str, np.ndarray], frame: tuple) -> bytes:
    """The whole paths as a PNG of few colours."""
    (left, right), (low, high) = frame
    width = WIDTH / CSS_DPI
    figure, axes = new_figure(size=(width, min(width, 0.85 + (width - 0.7) * (high - low) / (right - left))))
    for line in contours:
        axes.plot(*line.T, color=FAINT, linewidth=0.8, linestyle="-")
    for number, (label, path) in enumerate(paths.items()):
        axes.plot(*path.T, color=COLORS[number], linestyle=DASHES[number], label=label)
    axes.set(xlim=frame[0], ylim=frame[1], aspect="equal", xlabel="$\\theta_1$", ylabel="$\\theta_2$")
    figure.legend(loc="outside upper left", ncols=2)
    with io.BytesIO() as drawn, io.BytesIO() as small:
        figure.savefig(drawn, format="png", dpi=CSS_DPI)
        # Few colours make it light: those of the lines, and what is between them and the ground.
        shades = [_mixed(color, share) for color in (INK, FAINT, *COLORS[: len(paths)]) for share in (1, 0.7, 0.4)]
        palette = Image.new("P", (1, 1))
        palette.putpalette([part for color in [_mixed(GROUND, 1), *shades] for part in color])
        image = Image.open(drawn).convert("RGB").quantize(palette=palette, dither=Image.Dither.NONE)
        image.save(small, "PNG", optimize=True)
        return small.getvalue()


def _mixed(color: str, share: float) -> tuple[int, ...]:
    """Red, green and blue of a colour on the ground of the figures."""
    return tuple(round(255 * (share * part + (1 - share) * ground)) for part, ground in zip(to_rgb(color), to_rgb(GROUND)))


def _html(
    contours: list[np.ndarray], paths: dict[str, np.ndarray], frame: tuple, alt: str, seconds: float, png: bytes
) -> str:
    # Two animations may stand on one page: each has names of its own, equal for equal content.
    content = [png, alt.encode(), repr((frame, seconds, list(paths))).encode(), *(path.tobytes() for path in paths.values())]
    name = f"paths-{hashlib.sha256(b' '.join(content)).hexdigest()[:10]}"
    height = Image.open(io.BytesIO(png)).height
    scene, motion = _scene(name, contours, paths, frame, escape(alt))
    style = STYLE.replace("ID", name).replace("TIME", f"{seconds / HOLD:g}")
    return (
        f'<div id="{name}">\n<style>\n{style}{motion}</style>\n'
        '<input hidden type="checkbox" class="pause" aria-label="Pause the animation">'
        '<input hidden type="checkbox" class="restart" aria-label="Restart the animation">\n'
        f"<div hidden>{scene}</div>\n"
        f'<img alt="{escape(alt)}" loading="eager" width="{WIDTH}" height="{height}" src="data:image/png;base64,{base64.b64encode(png).decode()}">'
        "\n</div>"
    )


def _scene(
    name: str, contours: list[np.ndarray], paths: dict[str, np.ndarray], frame: tuple, said: str
) -> tuple[str, str]:
    """The drawing, and the style rules that move it."""
    (left, right), (low, high) = frame
    columns = max(1, min(len(paths), (WIDTH - LEFT) // (9 * max(map(len, paths)) + 56)))
    top = 10 + ROW * -(-len(paths) // columns)
    wide = WIDTH - LEFT - RIGHT
    scale = wide / (right - left)
    tall = round(scale * (high - low))
    height = top + tall + BELOW
    steps = max(map(len, paths.values())) - 1

    def placed(points: np.ndarray) -> np.ndarray:
        """Points in the units of the plot; what is far outside is brought nearer."""
        flat = np.column_stack([(points[:, 0] - left) * scale, (high - points[:, 1]) * scale])
        return np.clip(flat, (-wide, -tall), (2 * wide, 2 * tall))

    parts = [f'<rect width="{WIDTH}" height="{height}" fill="{GROUND}" rx="4"/>']
    rings = "".join(_line(placed(line)) for line in contours)
    plot = [f'<path d="{rings}" fill="none" stroke="{FAINT}"/>']
    motion = []
    for number, (label, path) in enumerate(paths.items()):
        points = placed(path)
        color = COLORS[number]
        dashes = DASHES[number]
        dash = "" if dashes == "-" else f' stroke-dasharray="{" ".join(f"{2.5 * length:g}" for length in dashes[1])}"'
        drawn = _line(points)
        plot.append(
            f'<mask id="{name}-{number}" maskUnits="userSpaceOnUse" x="0" y="0" width="{wide}" height="{tall}">'
            f'<path class="move grow line{number}" pathLength="1" d="{drawn}" fill="none" stroke="#fff" stroke-width="7"/></mask>'
            f'<path d="{drawn}" mask="url(#{name}-{number})" fill="none" stroke="{color}" stroke-width="2.5" stroke-linejoin="round"{dash}/>'
        )
        plot.append(_ball(number, *points[-1], f' class="move ball{number}"'))
        motion.append(_motion(name, number, points, steps))
        at, row = LEFT + (WIDTH - LEFT) // columns * (number % columns), ROW * (number // columns) + 18
        parts.append(
            f'<path d="M{at} {row}h36" stroke="{color}" stroke-width="2.5"{dash}/>{_ball(number, at + 18, row)}'
            f'<text x="{at + 44}" y="{row + 5}" fill="{INK}">{escape(label)}</text>'
        )
    parts.append(f'<svg x="{LEFT}" y="{top}" width="{wide}" height="{tall}">{"".join(plot)}</svg>')
    parts.append(f'<path d="M{LEFT} {top}V{top + tall}H{LEFT + wide}" fill="none" stroke="{INK}"/>')
    for value in _ticks(left, right):
        at = LEFT + (value - left) * scale
        parts.append(f'<text x="{at:.0f}" y="{top + tall + 18}" text-anchor="middle" fill="{INK}">{_number(value)}</text>')
    for value in _ticks(low, high):
        at = top + (high - value) * scale
        if at < top + 28:
            continue  # the name of the axis stands there
        parts.append(f'<text x="{LEFT - 6}" y="{at + 5:.0f}" text-anchor="end" fill="{INK}">{_number(value)}</text>')
    below = top + tall + 38
    parts.append(
        f'<text x="{LEFT + wide / 2:.0f}" y="{below}" text-anchor="middle" fill="{INK}">θ₁</text>'
        f'<text x="2" y="{top + 16}" fill="{INK}">θ₂</text>'
        f'<text x="{LEFT}" y="{below + 24}" fill="{MUTED}">step 0</text>'
        f'<text x="{LEFT + wide}" y="{below + 24}" text-anchor="end" fill="{MUTED}">{steps}</text>'
        f'<path d="M{LEFT + 56} {below + 19}H{LEFT + wide - 36}" stroke="{FAINT}" stroke-width="6"/>'
        f'<path class="move grow time" pathLength="1" d="M{LEFT + 56} {below + 19}H{LEFT + wide - 36}" stroke="{MUTED}" stroke-width="6"/>'
    )
    motion.append(_rule(name, "time", [f"0%{{stroke-dashoffset:1}}{100 * HOLD:g}%,to{{stroke-dashoffset:0}}"]))
    scene = f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{said}">{"".join(parts)}</svg>'
    return scene, "".join(motion)


def _motion(name: str, number: int, points: np.ndarray, steps: int) -> str:
    """Where a path's line ends and its ball is, at each moment."""
    lengths = np.concatenate([[0], np.cumsum(np.hypot(*np.diff(points, axis=0).T))])
    done = lengths / lengths[-1] if lengths[-1] else lengths
    shown = np.unique(np.linspace(0, len(points) - 1, min(len(points), FRAMES)).round().astype(int))
    line, ball = [], []
    for step in shown:
        moment = f"{100 * HOLD * step / steps:.4g}%" + (",to" if step == shown[-1] else "")
        line.append(f"{moment}{{stroke-dashoffset:{1 - done[step]:.4g}}}")
        ball.append(f"{moment}{{transform:translate({points[step, 0]:.1f}px,{points[step, 1]:.1f}px)}}")
    return _rule(name, f"line{number}", line) + _rule(name, f"ball{number}", ball)


def _rule(name: str, part: str, moments: list[str]) -> str:
    """Keyframes under two names: to go from one to the other is what starts an animation anew."""
    frames = "".join(moments)
    return (
        f"@keyframes {name}-{part}a{{{frames}}}\n@keyframes {name}-{part}b{{{frames}}}\n"
        f"#{name} .{part}{{animation-name:{name}-{part}a}}\n#{name}>.restart:checked~div .{part}{{animation-name:{name}-{part}b}}\n"
    )


def _line(points: np.ndarray) -> str:
    """A line as SVG writes it, to a tenth of a unit, without points that rounding makes one."""
    rounded = np.round(points, 1)
    kept = rounded[np.concatenate([[True], (np.diff(rounded, axis=0) != 0).any(axis=1)])]
    if len(kept) == 1:  # a path that never moves is a dot
        kept = np.concatenate([kept, kept])
    return "M" + "L".join(f"{across:.1f} {down:.1f}" for across, down in kept)


def _ball(number: int, across: float, down: float, extra: str = "") -> str:
    return (
        f'<path{extra} d="{SHAPES[number]}" fill="{COLORS[number]}" stroke="{GROUND}" '
        f'style="transform:translate({across:.1f}px,{down:.1f}px)"/>'
    )


def _ticks(low: float, high: float) -> list[float]:
    ticks = MaxNLocator(5, steps=[1, 2, 5, 10]).tick_values(low, high)
    return [tick for tick in ticks if low <= tick <= high]


def _number(value: float) -> str:
    return f"{value:g}".replace("-", "−")
