"""What axe-core says of a page."""

from functools import cache

from coursebook import node

__all__ = ["violations", "violations_async"]


@cache
def _source() -> str:
    return (node.package("axe-core") / "axe.min.js").read_text(encoding="utf-8")


OPTIONS = {"resultTypes": ["violations"], "rules": {"target-size": {"enabled": True}}}


RUN = "async ([within, options]) => (await axe.run(within ? {include: [[within]]} : document, options)).violations"


def violations(page, within: str | None = None) -> list[str]:
    """One entry a violation: the rule, what it asks for, and each element that breaks it.

    With ``within``, a selector, only the parts of the page that it names are looked at.
    """
    if not page.evaluate("'axe' in window"):
        page.evaluate(_source())
    return _told(page.evaluate(RUN, [within, OPTIONS]))


async def violations_async(page, within: str | None = None) -> list[str]:
    """The same, of a page of Playwright's other interface."""
    if not await page.evaluate("'axe' in window"):
        await page.evaluate(_source())
    return _told(await page.evaluate(RUN, [within, OPTIONS]))


def _told(found: list[dict]) -> list[str]:
    return [
        "\n".join([f"{rule['id']}: {rule['help']}", *(_shown(node) for node in rule["nodes"][:5])])
        for rule in found
    ]


def _shown(element: dict) -> str:
    why = [check["message"] for kind in ("any", "all", "none") for check in element[kind]]
    return f"    {element['html'][:200]}\n        {'; '.join(why[:2])}"
