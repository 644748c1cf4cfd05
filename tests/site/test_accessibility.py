"""axe-core finds nothing, on any page, in either theme, on a laptop and on a phone."""

from axe import violations


def test_no_violation(view, address):
    assert violations(view.open(address)) == []
