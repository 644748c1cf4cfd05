import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from coursebook import front_matter

PAGE = "---\ntitle: x\nlecture: [S1]\nday: 2020-01-01\n---\n# A page\n\nText.\n"

printable = st.text(st.characters(codec="utf-8", exclude_categories=["C"]), max_size=30)


def test_read():
    assert front_matter.read(PAGE)["lecture"] == ["S1"]


@pytest.mark.parametrize("source", ["", "# A page\n", "---\nno end\n", "---\n[1\n---\n", "---\n- 1\n---\n"])
def test_nothing_to_read(source):
    assert front_matter.read(source) == {}


@given(st.dictionaries(printable, printable | st.lists(st.integers())))
def test_replaced_is_read_back_and_no_line_moves(metadata):
    source = front_matter.replace(PAGE, metadata)
    assert front_matter.read(source) == metadata
    assert source.split("\n")[4:] == PAGE.split("\n")[4:]


def test_replace_writes_plain_yaml():
    replaced = front_matter.replace(PAGE, front_matter.read(PAGE))
    assert next(yaml.safe_load_all(replaced)) == {"title": "x", "lecture": ["S1"], "day": "2020-01-01"}


@pytest.mark.parametrize("source", ["# A page\n", "---\n---\n# A page\n"])
def test_replace_needs_front_matter(source):
    with pytest.raises(ValueError, match="front matter"):
        front_matter.replace(source, {})
