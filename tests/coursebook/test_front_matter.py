import pytest

from coursebook import front_matter

PAGE = "---\ntitle: x\nlecture: [S1]\nday: 2020-01-01\n---\n# A page\n\nText.\n"


def test_read():
    assert front_matter.read(PAGE)["lecture"] == ["S1"]


@pytest.mark.parametrize("source", ["", "# A page\n", "---\nno end\n", "---\n[1\n---\n", "---\n- 1\n---\n"])
def test_nothing_to_read(source):
    assert front_matter.read(source) == {}
