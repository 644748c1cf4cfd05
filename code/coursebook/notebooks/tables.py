"""Tables in GitHub's Markdown, which Jupyter shows: one line a row, one line a cell."""

from docutils import nodes

from coursebook.notebooks.inline import Inline

__all__ = ["rows"]


def rows(group: nodes.tgroup, inline: Inline) -> str:
    """The rows of a table. There has to be a head; where the page has none, it is empty."""
    columns = group["cols"]
    head = [row for part in group.findall(nodes.thead) for row in part.children]
    body = [row for part in group.findall(nodes.tbody) for row in part.children]
    aligned = [_alignment(entry) for entry in (head + body)[0].children] + ["---"] * columns
    inline.in_table = True
    lines = [_row(row, columns, inline) for row in (head or [nodes.row()]) + body]
    inline.in_table = False
    lines.insert(1, "| " + " | ".join(aligned[:columns]) + " |")
    return "\n".join(lines)


def _row(row: nodes.row, columns: int, inline: Inline) -> str:
    cells = []
    for entry in row.children:
        cells += [_cell(entry, inline), *[""] * entry.get("morecols", 0)]
    return "| " + " | ".join((cells + [""] * columns)[:columns]) + " |"


def _cell(entry: nodes.entry, inline: Inline) -> str:
    # Paragraphs, items of a list and lines of code part by <br>.
    parts = []
    for node in entry.findall(lambda node: isinstance(node, nodes.TextElement | nodes.image)):
        if isinstance(node.parent, nodes.TextElement):
            continue  # its paragraph has it
        if isinstance(node, nodes.literal_block):
            parts += [inline.of(nodes.literal("", line)) for line in node.astext().split("\n")]
        elif isinstance(node, nodes.math_block):
            parts.append(inline.of(nodes.math("", node.astext())))
        else:
            parts.append(inline.of(node) if isinstance(node, nodes.image) else inline.text(node))
    return "<br>".join(" ".join(part.split()) for part in parts if part)


def _alignment(entry: nodes.entry) -> str:
    classes = " ".join(entry["classes"])
    if "center" in classes:
        return ":-:"
    return "--:" if "right" in classes else "---"
