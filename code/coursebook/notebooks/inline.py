"""Inline markup and mathematics of a page as Markdown that Jupyter shows.

JupyterLab, Colab and VS Code read CommonMark with GitHub's tables, and TeX between dollar
signs. What Markdown cannot say in one way everywhere (a small 2, a folded title) is HTML.
"""

import re
import unicodedata
from collections.abc import Callable
from html import escape as html_escape

from docutils import nodes

__all__ = ["Inline", "display_math", "escape", "inline_math"]

Link = Callable[[nodes.Element], str | None]

# Environments that stand for themselves in LaTeX, and what stands between $$ in their place.
INNER = {
    "align": "aligned", "flalign": "aligned", "eqnarray": "aligned", "alignat": "alignedat",
    "gather": "gathered", "multline": "gathered", "equation": "",
}  # fmt: skip


def escape(text: str) -> str:
    """Plain text that Markdown shows as it is."""
    text = re.sub(r"[\\`*\[\]<$~|]", r"\\\g<0>", text)
    text = re.sub(r"(?<![^\W_])_|_(?![^\W_])", r"\\_", text)  # inside a word it is harmless
    return re.sub(r"&(?=#?\w+;)", r"\\&", text)


def escape_line_starts(text: str) -> str:
    """Keep a line of a paragraph from being read as a heading, a list or a quote."""
    lines = (line.strip(" \t") for line in text.split("\n"))
    lines = (re.sub(r"^(#{1,6}|[+>-]|=+|-+|(?:\d+)(?=[.)]))(?=[.)]?(?:\s|$))", _escape_marker, line) for line in lines)
    return "\n".join(re.sub(r"^>", r"\\>", line) for line in lines)


def _escape_marker(match: re.Match) -> str:
    marker = match[0]
    return marker + "\\" if marker.isdigit() else "\\" + marker


def inline_math(tex: str, in_table: bool = False) -> str:
    """A formula in a line: ``$…$``."""
    tex = " ".join(tex.split())
    if in_table:  # there a bar parts two columns
        tex = re.sub(r"(\\?)\|", lambda bar: r"\Vert " if bar[1] else r"\vert ", tex)
    return f"${tex}$"


def display_math(tex: str, number: str | int | None = None, one_line: bool = False) -> str:
    """A formula of its own: ``$$…$$``, with its number as a tag.

    Parameters
    ----------
    tex
        As in the page, or a whole environment such as ``align``, which becomes ``aligned``.
    number
        The number that the page shows.
    one_line
        In a quotation, where the marker of a second line would be read as TeX.
    """
    tex = tex.strip()
    whole = re.fullmatch(r"\\begin\{([a-z]+)\*?\}(.*)\\end\{\1\*?\}", tex, re.DOTALL)
    if whole and whole[1] in INNER:
        inner = INNER[whole[1]]
        body = whole[2].replace("&=&", "&=") if whole[1] == "eqnarray" else whole[2]
        tex = f"\\begin{{{inner}}}{body.rstrip()}\n\\end{{{inner}}}" if inner else body.strip()
    elif r"\\" in tex and not tex.startswith(r"\begin"):
        tex = f"\\begin{{aligned}}\n{tex}\n\\end{{aligned}}"  # a line break needs something around it
    if one_line:
        tex = re.sub(r"(?<!\\)%.*", "", tex)
    tex = "\n".join(line.strip() for line in tex.split("\n") if line.strip())  # an empty line ends a formula
    if number is not None:
        tex += f"\n\\tag{{{number}}}"
    return f"$$ {' '.join(tex.split())} $$" if one_line else f"$$\n{tex}\n$$"


class Inline:
    """Writes what stands in a line.

    Parameters
    ----------
    link
        The address for a reference, None where it becomes plain text.
    image
        The address for an image, such as ``attachment:digits.png``.
    """

    def __init__(self, link: Link, image: Callable[[nodes.image], str]) -> None:
        self.link = link
        self.image = image
        self.html = False  # inside a <summary>, where Markdown is not read
        self.in_table = False

    def text(self, node: nodes.Element) -> str:
        """The children of a node, in a line or several."""
        written = ""
        for child in node.children:
            if isinstance(child, nodes.emphasis | nodes.strong):
                written += self._emphasis(child, written[-1:])
            elif isinstance(child, nodes.literal) and written.endswith("`"):  # two codes side by side
                written += self._code(child)
            else:
                written += self.of(child)
        return written

    def paragraph(self, node: nodes.Element) -> str:
        """The children of a node as a paragraph."""
        return escape_line_starts(self.text(node)).strip()

    def of(self, node: nodes.Node) -> str:
        """One node."""
        for kind in type(node).__mro__:
            if method := getattr(self, f"_{kind.__name__.lower()}", None):
                return method(node)
        return self.text(node)  # PassthroughTextElement, sd_badge, and what others bring

    def _text(self, node: nodes.Text) -> str:
        text = node.astext()
        return html_escape(text, quote=False) if self.html else escape(text)

    def _emphasis(self, node: nodes.Element, before: str) -> str:
        """Stars where Markdown takes them for emphasis, between whatever they stand; tags elsewhere."""
        inner = self.text(node)
        if not inner.strip():
            return inner
        after = _first(node.next_node(descend=False, siblings=True))
        tag, stars = ("strong", "**") if isinstance(node, nodes.strong) else ("em", "*")
        first, last = inner[0], inner[-1]
        if (
            not self.html
            and (first.isalnum() or _apart(before) and not first.isspace())
            and (last.isalnum() or _apart(after) and not last.isspace())
            and "*" not in (first, last, before, after)
        ):
            return f"{stars}{inner}{stars}"
        return f"<{tag}>{inner}</{tag}>"

    def _literal(self, node: nodes.Element) -> str:
        text = " ".join(node.astext().split("\n"))
        if "kbd" in node["classes"] or self.html:
            return self._code(node)
        if self.in_table:
            text = text.replace("|", "\\|")
        fence = "`" * (max((len(run) for run in re.findall(r"`+", text)), default=0) + 1)
        pad = " " if text[:1] == "`" or text[-1:] == "`" or (text[:1] == text[-1:] == " " and text.strip()) else ""
        return f"{fence}{pad}{text}{pad}{fence}" if text else ""

    def _code(self, node: nodes.Element) -> str:
        """Code as HTML. Markdown is still read inside, hence numbers for its signs."""
        tag = "kbd" if "kbd" in node["classes"] else "code"
        text = html_escape(" ".join(node.astext().split("\n")), quote=False)
        text = re.sub(r"[`*_$~|\[\]\\]", lambda sign: f"&#{ord(sign[0])};", text)
        return f"<{tag}>{text}</{tag}>"

    def _math(self, node: nodes.Element) -> str:
        return inline_math(node.astext(), self.in_table)

    def _reference(self, node: nodes.Element) -> str:
        text = self.text(node)
        address = self.link(node)
        if not address or not text.strip():
            return text
        if self.html:
            return f'<a href="{html_escape(address)}">{text}</a>'
        return f"[{text}](<{address}>)" if re.search(r"[\s()<>]", address) else f"[{text}]({address})"

    _number_reference = _download_reference = _reference

    def _inline(self, node: nodes.Element) -> str:
        if "sd-summary-state-marker" in node["classes"]:
            return ""
        if "bibtex-citation" in node["classes"]:  # "Author [2016]" on the page, where it is a link
            node = node.deepcopy()
            for child in [child for child in node.children if isinstance(child, nodes.Text)]:
                node.replace(child, nodes.Text(child.translate({ord("["): "(", ord("]"): ")"})))
        return self.text(node)

    def _footnote_reference(self, node: nodes.Element) -> str:
        return f"<sup>{node.astext()}</sup>"

    def _superscript(self, node: nodes.Element) -> str:
        return f"<sup>{self.text(node)}</sup>"

    def _subscript(self, node: nodes.Element) -> str:
        return f"<sub>{self.text(node)}</sub>"

    def _abbreviation(self, node: nodes.Element) -> str:
        explained = node.get("explanation", "")
        return self.text(node) + (f" ({escape(explained)})" if explained else "")

    def _image(self, node: nodes.image) -> str:
        alt = " ".join(node.get("alt", "").split())
        return f"![{escape(alt)}]({self.image(node)})"

    def _raw(self, node: nodes.Element) -> str:
        """HTML of the author stays; icons of the site's own, and LaTeX, go."""
        text = node.astext()
        of_the_site = re.search(r"<svg|<input|class=\"[^\"]*\b(?:sd-|fa[bsr]? )", text)
        if of_the_site or "html" not in node.get("format", "").split():
            return ""
        return "<br>\n" if re.fullmatch(r"\s*<br ?/?>\s*", text) else text

    def _nothing(self, node: nodes.Node) -> str:
        return ""

    _comment = _target = _index = _sd_icon = _fontawesome = _system_message = _nothing


def _first(node: nodes.Node | None) -> str:
    """The character with which a node's Markdown starts."""
    if node is None or isinstance(node, nodes.Text):
        return node.astext()[:1] if node else ""
    return "*" if isinstance(node, nodes.emphasis | nodes.strong) else "`"


def _apart(neighbour: str) -> bool:
    """Whether a character beside stars is no part of a word: nothing, a space or a sign."""
    return not neighbour or neighbour.isspace() or unicodedata.category(neighbour)[0] == "P" or neighbour in "$<>`+=|~^"
