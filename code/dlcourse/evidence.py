"""What the book says is computed, and checked.

:func:`record` makes a number available to the prose, :func:`claim` states a fact that
fails the build when it is false, :func:`repeat` runs an experiment over seeds, for a
comparison is never made from one run.
"""

from __future__ import annotations

import html
import math
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from numbers import Integral
from typing import Any

import joblib
import numpy as np
from joblib.parallel import get_active_backend
from threadpoolctl import threadpool_limits

from dlcourse import checks, editing
from dlcourse.notebook import running_shell

__all__ = ["ClaimFailed", "ExperimentFailed", "Repeated", "claim", "record", "repeat"]

Number = int | float | np.number

# The MIME prefix and the "scrapbook" metadata under which MyST-NB looks for glued values.
# Writing them ourselves keeps Sphinx out of the notebooks that readers run. No front end
# shows a MIME type with this prefix, so a recorded value is silent where it is recorded.
GLUE_PREFIX = "application/papermill.record/"

# One quantity is not torn apart at the end of a line.
NBSP = "\N{NO-BREAK SPACE}"
PLUS_MINUS = f"{NBSP}±{NBSP}"
SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


class ClaimFailed(AssertionError):
    """A statement that the book makes is not true of its experiment."""


class ExperimentFailed(RuntimeError):
    """An experiment raised an error, or returned no numbers, for one of its seeds."""


@dataclass(frozen=True, eq=False, repr=False)
class Repeated:
    """What an experiment gave over several seeds: a mean and a standard deviation.

    It prints as ``mean ± std``, and a format applies to both: ``f"{accuracy:.2%}"`` is
    ``92.35 % ± 0.04 %``.

    Parameters
    ----------
    values : array_like, shape (seeds, ...)
        One result a seed: a number, or an array such as a learning curve.
    seeds : tuple of int
        The seeds, in the order of ``values``.

    Raises
    ------
    ValueError
        If there are fewer than two seeds, another number of values, or a value is not
        finite.
    TypeError
        If the values are not numbers.
    """

    values: np.ndarray
    seeds: tuple[int, ...]

    def __post_init__(self) -> None:
        seeds = _checked_seeds(self.seeds)
        values = np.asarray(self.values)
        if values.dtype.kind not in "biuf":
            raise TypeError(f"values must be numbers, got an array of {values.dtype}")
        values = values.astype(np.float64)
        if values.shape[:1] != (len(seeds),):
            raise ValueError(
                f"values must have {len(seeds)} entries along the first axis, one a seed, "
                f"got shape {values.shape}"
            )
        object.__setattr__(self, "values", checks.finite("values", values))
        object.__setattr__(self, "seeds", seeds)

    @property
    def mean(self) -> float | np.ndarray:
        """The mean over the seeds, with the shape of one result."""
        return _plain(self.values.mean(axis=0))

    @property
    def std(self) -> float | np.ndarray:
        """The sample standard deviation over the seeds (divisor: seeds - 1)."""
        return _plain(self.values.std(axis=0, ddof=1))

    def __len__(self) -> int:
        return len(self.seeds)

    def __format__(self, spec: str) -> str:
        if self.values.ndim > 1:
            if spec:
                raise TypeError(
                    f"a format applies to numbers, and each result here is an array of "
                    f"shape {self.values.shape[1:]}: format elements of .mean and .std"
                )
            return f"arrays of shape {self.values.shape[1:]} over {len(self)} seeds"
        if spec:
            return _format(self.mean, spec) + PLUS_MINUS + _format(self.std, spec)
        return _mean_and_std(self.mean, self.std)

    def __str__(self) -> str:
        return format(self)

    def __repr__(self) -> str:
        seeds = "" if self.values.ndim > 1 else f" ({len(self)} seeds)"
        return f"{self}{seeds}"


def record(name: str, value: Number | str | Repeated, format: str | None = None) -> None:
    """Make a computed value available to the prose of the page.

    Shows nothing where it stands. Without a format the prose gets a number and says how
    to write it; with one, the prose gets the text:

    =============================================  ====================================
    in a cell                                      in the page, and what is read
    =============================================  ====================================
    ``record("iterations", 611)``                  ``{glue:text}`iterations``` 611
    ``record("rate", 0.98347)``                    ``{glue:text}`rate:.3f``` 0.983
    ``record("accuracy", 0.9234, format=".1%")``   ``{glue:text}`accuracy``` 92.3 %
    ``record("error", 3.1e-11, format=".0e")``     ``{glue:text}`error``` 3 × 10⁻¹¹
    =============================================  ====================================

    A `Repeated` called ``accuracy`` gives four names: ``accuracy`` reads
    ``92.4 % ± 0.1 %``; ``accuracy-mean`` and ``accuracy-std`` its two halves (numbers
    without a format, text with one); ``accuracy-runs`` the number of seeds. Another page
    reads a value as ``{glue:text}`labs/mnist.md::accuracy:s```: there MyST-NB wants the
    file and a format, ``s`` for text.

    Parameters
    ----------
    name : str
        Letters and digits, joined by single dashes, dots or underscores; unique on its
        page, for MyST-NB warns of a second value under the same name.
    value : int, float, str, NumPy scalar or Repeated
        The value. NumPy scalars become Python numbers.
    format : str, optional
        A format specification, as in ``f"{value:.1%}"``. A percent sign is set off by a
        no-break space and an exponent is written as a power of ten.

    Raises
    ------
    TypeError
        If the value is of another kind (a truth value belongs in a `claim`).
    ValueError
        If the name is malformed, the value is NaN, infinite or an empty text, or the
        format does not fit the value.

    Notes
    -----
    Outside a notebook there is no page, and nothing happens. In a notebook the output
    carries the value in its metadata, under ``dlcourse.record``, for the book's manifest.
    """
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9]*([-._][A-Za-z0-9]+)*", _text("name", name)):
        raise ValueError(
            f"name must be letters and digits joined by single '-', '.' or '_' and start "
            f"with a letter, got {name!r}"
        )
    if isinstance(value, Repeated):
        if value.values.ndim > 1:
            raise TypeError(
                f"value must be one number a seed, got {value}: record elements of .mean "
                "or .std"
            )
        mean, std = value.mean, value.std
        shown = {
            name: value.__format__(format or ""),
            f"{name}-mean": _format(mean, format) if format else mean,
            f"{name}-std": _format(std, format) if format else std,
            f"{name}-runs": len(value),
        }
        facts = {
            "mean": mean,
            "std": std,
            "values": value.values.tolist(),
            "seeds": list(value.seeds),
        }
    else:
        value = _text("value", value) if isinstance(value, str) else _number("value", value)
        shown = {name: _format(value, format) if format else value}
        facts = {"value": value}
    facts = {"name": name, **facts, "text": str(shown[name])}

    for key, item in shown.items():
        metadata: dict[str, Any] = {"scrapbook": {"name": key, "mime_prefix": GLUE_PREFIX}}
        if key == name:
            metadata["dlcourse"] = {"record": facts}
        # MyST-NB reads the text back as a Python literal: hence repr, also of a string.
        _display({GLUE_PREFIX + "text/plain": repr(item)}, metadata)


def claim(
    text: str, condition: bool | np.bool_, evidence: str | Mapping[str, Number | Repeated]
) -> None:
    """State a fact about an experiment: show it when it is true, fail when it is not.

    Parameters
    ----------
    text : str
        The statement, in plain text (no TeX: it is shown as it is).
    condition : bool
        Whether it holds. An array or a number is refused: a check of its truth value
        could pass for the wrong reason, or never fail.
    evidence : str or mapping of str to number or Repeated
        The figures that show it, computed and never typed.

    Raises
    ------
    ClaimFailed
        If the condition is false, with the statement and its evidence.
    TypeError
        If an argument is of the wrong kind.
    ValueError
        If the text or the evidence is empty, or a figure is NaN or infinite.

    Examples
    --------
    >>> plain, heavy_ball = 611, 85
    >>> claim("the heavy ball needs fewer iterations", heavy_ball < plain,
    ...       {"gradient descent": plain, "heavy ball": heavy_ball})
    ✓ the heavy ball needs fewer iterations — gradient descent: 611, heavy ball: 85
    """
    text = _text("text", text)
    evidence = _evidence(evidence)
    if not isinstance(condition, bool | np.bool_):
        raise TypeError(
            f"condition must be True or False, got {type(condition).__name__}: {condition!r}"
        )
    if not condition:
        raise ClaimFailed(f"not true: {text} — {evidence}")
    plain = f"✓ {text} — {evidence}"
    if running_shell() is None:
        encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
        print(plain.encode(encoding, "replace").decode(encoding))
        return
    # The sign has a name for those who hear the page, and needs no colour to be seen.
    markup = (
        '<div class="claim"><span class="claim-sign" role="img" aria-label="Checked:">✓</span> '
        f'<span class="claim-text">{html.escape(text)}</span> — '
        f'<span class="claim-evidence">{html.escape(evidence)}</span></div>'
    )
    _display(
        {
            "text/html": markup,
            "text/markdown": re.sub(r"([\\`*_{}\[\]<>#|$~&])", r"\\\1", plain),
            "text/plain": plain,
        },
        {"dlcourse": {"claim": {"text": text, "evidence": evidence}}},
    )


def repeat(
    experiment: Callable[[int], Any], seeds: int | Iterable[int], *, workers: int | None = None
) -> Any:
    """Run an experiment once for each seed, on all cores.

    Parameters
    ----------
    experiment : callable
        ``experiment(seed)`` takes *all* its randomness from the integer it is given, by
        ``numpy.random.default_rng(seed)`` or ``keras.utils.set_random_seed(seed)``, and
        returns a number, an array (a learning curve), or a dictionary of these. It may be
        written in a notebook cell and use the arrays of that notebook; it must not
        change them.
    seeds : int or iterable of int
        A number of seeds (0, 1, ..., seeds - 1), or the seeds themselves: two at least,
        all different.
    workers : int, optional
        How many runs at a time. By default what an active ``joblib.parallel_config``
        says, otherwise every core that joblib counts; the variable ``LOKY_MAX_CPU_COUNT``
        lowers that count.

    Returns
    -------
    Repeated or dict of Repeated
        As the experiment returns one result or a dictionary of results.

    Raises
    ------
    ExperimentFailed
        If the experiment raises an error or returns something else than finite numbers;
        the message names the seed.
    TypeError, ValueError
        If an argument is of the wrong kind or out of range, or the results of different
        seeds differ in shape or names.

    Notes
    -----
    Nothing here names a backend. Inside ``with joblib.parallel_config("dask"):`` the same
    experiment runs on a Dask cluster.

    Every run has one BLAS and OpenMP thread, whatever the number of workers. Two threads
    add up a matrix product in another order than one, so the last digits, and after some
    epochs the accuracy, would depend on the machine. TensorFlow has threads of its own,
    which follow ``TF_NUM_INTRAOP_THREADS``.

    A large array that the experiment uses is written once to shared memory and mapped by
    each worker (read-only), so the 188 MB of MNIST cost a fraction of a second and are
    not copied. A worker imports its libraries anew: 8 s for Keras, once a session.

    Examples
    --------
    >>> def experiment(seed):
    ...     rng = np.random.default_rng(seed)
    ...     return rng.normal(size=1000).mean()
    >>> spread = repeat(experiment, seeds=5)
    """
    if not callable(experiment):
        raise TypeError(f"experiment must be a function, got {type(experiment).__name__}")
    seeds = _checked_seeds(seeds)
    if workers is not None:
        checks.whole("workers", workers)

    _, configured = get_active_backend()
    wanted = joblib.effective_n_jobs(workers or configured or -1)
    edits = editing.edits()  # a worker imports the package afresh, and was perhaps used before
    # Limited here as well as in the workers: these may be threads of this process.
    with threadpool_limits(limits=1):
        results = joblib.Parallel(n_jobs=min(wanted, len(seeds)))(
            joblib.delayed(_run)(experiment, seed, edits) for seed in seeds
        )

    first = results[0]
    for seed, result in zip(seeds, results):
        if result.keys() != first.keys():
            raise ValueError(
                f"experiment must return the same names for every seed, got "
                f"{list(first)} for seed {seeds[0]} and {list(result)} for seed {seed}"
            )
        for name, value in result.items():
            if value.shape != first[name].shape:
                raise ValueError(
                    f"experiment must return results of one shape, got {first[name].shape} "
                    f"for seed {seeds[0]} and {value.shape} for seed {seed}"
                )
    repeated = {
        name: Repeated(np.stack([result[name] for result in results]), seeds) for name in first
    }
    return repeated[None] if None in repeated else repeated


def _run(experiment: Callable[[int], Any], seed: int, edits: Mapping[str, str]) -> dict[Any, np.ndarray]:
    """Run one seed; a single result comes back under the name None."""
    try:
        editing.become(edits)
        with threadpool_limits(limits=1):
            result = experiment(seed)
        named = result if isinstance(result, Mapping) else {None: result}
        if isinstance(result, Mapping) and not (
            result and all(isinstance(name, str) for name in result)
        ):
            raise TypeError(f"a dictionary of results must have names as keys, got {result!r}")
        return {name: _numbers(value) for name, value in named.items()}
    except Exception as error:
        # Built from text alone: not every exception survives the way between processes.
        raise ExperimentFailed(
            f"experiment({seed}) failed: {type(error).__name__}: {error}"
        ) from error


def _numbers(value: Any) -> np.ndarray:
    array = np.asarray(value)
    if array.dtype.kind not in "biuf":
        raise TypeError(f"the result must be numbers, got {type(value).__name__}: {value!r}")
    return checks.finite("the result", array)


def _checked_seeds(seeds: int | Iterable[int]) -> tuple[int, ...]:
    if isinstance(seeds, Integral):
        seeds = range(checks.whole("seeds", seeds, at_least=2))
    if isinstance(seeds, str) or not isinstance(seeds, Iterable):
        raise TypeError(f"seeds must be a whole number or several, got {seeds!r}")
    seeds = tuple(checks.whole("seeds", seed, at_least=0) for seed in seeds)
    if len(seeds) < 2:
        raise ValueError(f"seeds must be two or more, for one run shows no spread; got {seeds}")
    if len(set(seeds)) < len(seeds):
        raise ValueError(f"seeds must all be different, got {seeds}")
    return seeds


def _text(argument: str, value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{argument} must be a str, got {type(value).__name__}: {value!r}")
    if not value.strip():
        raise ValueError(f"{argument} must not be empty, got {value!r}")
    return value


def _number(argument: str, value: Any) -> int | float:
    """A plain Python number, for MyST-NB reads back no ``np.float64(0.5)``."""
    checks.number(argument, value)
    return int(value) if isinstance(value, Integral) else float(value)


def _evidence(evidence: Any) -> str:
    if not isinstance(evidence, Mapping):
        return _text("evidence", evidence)
    if not evidence:
        raise ValueError("evidence must hold at least one figure, got an empty mapping")
    figures = []
    for name, value in evidence.items():
        name = _text("evidence", name)
        if isinstance(value, Repeated):
            figures.append(f"{name}: {value}")
        else:
            value = _number(f"evidence[{name!r}]", value)
            figures.append(f"{name}: {_format(value, 'd' if isinstance(value, int) else '.4g')}")
    return ", ".join(figures)


def _plain(value: np.ndarray) -> float | np.ndarray:
    return float(value) if value.ndim == 0 else value


def _format(value: int | float | str, spec: str) -> str:
    """Format one number as the book writes numbers: 92.3 %, 3 × 10⁻¹¹."""
    text = format(value, spec)
    if isinstance(value, str):
        return text
    if text.endswith("%"):
        return text[:-1] + NBSP + "%"
    mantissa, e, exponent = text.partition("e")
    return mantissa + _power_of_ten(int(exponent)) if e else text


def _power_of_ten(exponent: int) -> str:
    return f"{NBSP}×{NBSP}10{str(exponent).translate(SUPERSCRIPT)}"


def _mean_and_std(mean: float, std: float) -> str:
    """Show the mean to the digit that the standard deviation leaves certain."""
    if std <= 1e-12 * abs(mean):  # equal values: what is left is the rounding of their mean
        return f"{_format(mean, '.6g')}{PLUS_MINUS}0"
    magnitude = math.floor(math.log10(max(abs(mean), std)))
    # Very small and very large numbers share one power of ten.
    scale = 0 if -5 < magnitude < 7 else magnitude
    mean, std = mean / 10.0**scale, std / 10.0**scale
    leading = math.floor(math.log10(std))
    # A standard deviation that begins with 1 gets a second digit: 0.1 might be 0.05 or 0.15.
    decimals = max(0, -leading + (std < 2 * 10.0**leading))
    text = f"{mean:.{decimals}f}{PLUS_MINUS}{std:.{decimals}f}"
    return f"({text}){_power_of_ten(scale)}" if scale else text


def _display(data: dict[str, str], metadata: dict[str, Any]) -> None:
    if running_shell() is None:  # there, IPython's display would print the raw dictionary
        return
    from IPython.display import display

    display(data, raw=True, metadata=metadata)
