import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlcourse import schedules
from dlcourse.optimization import SGD, Constant, Cosine, InverseTime, StepDecay, WarmUp, minimize

rates, steps = st.floats(1e-4, 10), st.integers(0, 10_000)


@given(rates, steps)
def test_constant(rate, k):
    assert Constant(rate)(k) == rate


@pytest.mark.equation("eq:inverse-time")
@given(rates, st.floats(0, 10), steps)
def test_inverse_time_is_a_line_upside_down(rate, decay, k):
    assert 1 / InverseTime(rate, decay)(k) == pytest.approx(1 / rate + decay / rate * k, rel=1e-12)


@pytest.mark.equation("eq:inverse-time")
def test_inverse_time_keeps_the_rule_of_robbins_and_monro():
    """Σ ε_k grows without end, as a logarithm; Σ ε_k² does not."""
    values = np.array([InverseTime(1.0, 1.0)(k) for k in range(100_000)])
    sums, squares = values.cumsum(), (values**2).cumsum()
    assert sums[99_999] - sums[9_999] == pytest.approx(np.log(10), rel=1e-3)
    assert squares[-1] == pytest.approx(np.pi**2 / 6, rel=1e-4)


@pytest.mark.equation("eq:step-decay")
@given(rates, st.integers(1, 50), st.floats(0.1, 0.9), st.integers(0, 300))
def test_step_decay_is_a_staircase(rate, every, factor, k):
    schedule = StepDecay(rate, every, factor)
    assert schedule(k + every) == pytest.approx(factor * schedule(k), rel=1e-12)
    assert schedule(k) == schedule(k - k % every)
    assert schedule(0) == rate


@pytest.mark.equation("eq:cosine-schedule")
@given(rates, st.integers(1, 1000), st.floats(0, 1))
def test_cosine_goes_from_rate_to_final(rate, steps, part):
    final = part * rate
    schedule = Cosine(rate, steps, final)
    values = np.array([schedule(k) for k in range(steps + 3)])
    assert values[0] == pytest.approx(rate) and values[-3:] == pytest.approx(final, abs=1e-15)
    assert (np.diff(values) <= 1e-15 * rate).all()
    # Halfway through, halfway down; and the same curve upside down from the other end.
    np.testing.assert_allclose(values[: steps + 1] + values[steps::-1], rate + final, rtol=1e-12)
    assert schedule(steps // 2) == pytest.approx(final + (rate - final) * np.cos(np.pi * (steps // 2) / steps / 2) ** 2)


@pytest.mark.equation("eq:warm-up")
@given(rates, st.integers(1, 50), st.integers(0, 200))
def test_warm_up_climbs_to_the_schedule_and_follows_it(rate, steps, k):
    plain = InverseTime(rate, 0.1)
    assert WarmUp(plain, steps)(k) == pytest.approx(plain(k) * (1 if k >= steps else (k + 1) / steps), rel=1e-12)
    assert WarmUp(rate, steps)(k) == pytest.approx(rate if k >= steps else rate * (k + 1) / steps, rel=1e-12)


@pytest.mark.equation("eq:inverse-time")
def test_a_falling_rate_gets_below_the_noise_floor_of_a_constant_one():
    """S27: a noisy gradient of ½ θ², over twenty seeds."""

    def floor(learning_rate):
        distances = []
        for seed in range(20):
            r = np.random.default_rng(seed)
            path = minimize(lambda theta: theta + r.normal(size=1), [1.0], SGD(learning_rate), 2000)
            distances.append((path[-500:] ** 2).mean())
        return np.mean(distances)

    constant = floor(0.2)
    assert constant == pytest.approx(0.2 / (2 - 0.2), rel=0.15), "ε σ² / (2 - ε), the closed form"
    assert floor(InverseTime(0.5, 0.5)) < constant / 20


@pytest.mark.parametrize(
    "make, error, message",
    [
        (lambda: Constant(0), ValueError, "rate must be a finite number above 0, got 0"),
        (lambda: InverseTime(0.1, -1), ValueError, "decay must be a finite number at least 0, got -1"),
        (lambda: StepDecay(0.1, 0, 0.5), ValueError, "every must be at least 1, got 0"),
        (lambda: StepDecay(0.1, 10, 1.0), ValueError, "factor must be a finite number above 0 and below 1, got 1.0"),
        (lambda: Cosine(0.1, 10.0), TypeError, "steps must be a whole number, got float"),
        (lambda: Cosine(0.1, 10, -0.1), ValueError, "final"),
        (lambda: WarmUp("slow", 3), TypeError, "schedule must be a number, got str"),
        (lambda: WarmUp(0.0, 3), ValueError, "schedule must be a finite number above 0"),
        (lambda: WarmUp(0.1, 0), ValueError, "steps must be at least 1, got 0"),
        (lambda: WarmUp(Cosine, 3), TypeError, "schedule must be a number or a schedule"),
        (lambda: WarmUp(lambda k: None, 3), TypeError, "learning_rate at step 0 must be a number, got NoneType"),
    ],
)
def test_bad_input_is_named(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_a_schedule_cannot_be_changed_and_can_be_compared():
    with pytest.raises(AttributeError):
        Constant(0.1).rate = 0.2
    assert Cosine(0.1, 5) == Cosine(0.1, 5) and hash(Cosine(0.1, 5)) == hash(Cosine(0.1, 5))
    assert schedules.rate_at(0.1, 7) == 0.1
