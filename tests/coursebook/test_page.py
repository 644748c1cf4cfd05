import pytest
from hypothesis import given
from hypothesis import strategies as st

from coursebook.page.about import items, shown


@pytest.mark.parametrize(
    ("given", "numbers"),
    [
        ("S7", [7]),
        (["S2-S4", "S36"], [2, 3, 4, 36]),
        ("S36, S2–S4", [2, 3, 4, 36]),
        (["S2-4", "S3"], [2, 3, 4]),
        ([], []),
    ],
)
def test_items(given, numbers):
    assert items(given, "S") == numbers


@pytest.mark.parametrize("given", ["S82", "S0", "S4-S2", "M7", "7", "S", ["S2 S3"], [7], 7, {"S7": 1}, None])
def test_malformed_items(given):
    with pytest.raises(ValueError, match="expected"):
        items(given, "S")


@given(st.sets(st.integers(1, 62), min_size=1))
def test_shown_items_read_back(numbers):
    assert items(shown(sorted(numbers), "M"), "M") == sorted(numbers)


def test_shown():
    assert shown([2, 3, 4, 7], "S") == "S2–S4, S7"
