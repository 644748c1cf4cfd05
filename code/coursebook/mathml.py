"""A formula as a line of text, for where there is no markup: the window's title, the search."""

import re
from xml.etree import ElementTree

__all__ = ["plain"]

RAISED = str.maketrans("0123456789+-−=()n", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁻⁼⁽⁾ⁿ")
LOWERED = str.maketrans("0123456789+-−=()ijkn", "₀₁₂₃₄₅₆₇₈₉₊₋₋₌₍₎ᵢⱼₖₙ")
SCRIPTS = {"msub": "_", "msup": "^", "msubsup": "_^", "munder": "_", "mover": "^", "munderover": "_^"}


def plain(html: str) -> str:
    """What a formula says in letters and signs alone, such as ``θ² = 1/n``.

    Parameters
    ----------
    html
        What KaTeX has rendered: the MathML in it is read.
    """
    math = re.search(r"<math.*?</math>", html, re.DOTALL)
    if math is None:
        raise ValueError(f"expected a formula with MathML, came {html[:60]!r}")
    return " ".join(_text(ElementTree.fromstring(math[0])).split())


def _text(element: ElementTree.Element) -> str:
    name = element.tag.rpartition("}")[2]
    if name == "annotation":  # the TeX
        return ""
    parts = [_text(child) for child in element]
    if name in SCRIPTS:
        if element.get("accent"):
            return parts[0]
        return parts[0] + "".join(_script(text, sign) for text, sign in zip(parts[1:], SCRIPTS[name], strict=True))
    if name == "mfrac":
        return "/".join(part if len(part) == 1 else f"({part})" for part in parts)
    if name == "msqrt":
        return f"√({''.join(parts)})"
    text = ((element.text or "") + "".join(parts)).replace("\u2061", "")  # "function of", which has no sign
    return f" {text} " if name == "mo" and text and text in "=≠<>≤≥≈∼→←↦∈" else text


def _script(text: str, sign: str) -> str:
    table = RAISED if sign == "^" else LOWERED
    if text and all(ord(letter) in table for letter in text):
        return text.translate(table)
    return sign + (text if len(text) == 1 else f"({text})")
