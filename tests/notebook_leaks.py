"""What must not be in a notebook that readers get: markup of the sources, traces of the build."""

import html
import json
import re

from markdown_it import MarkdownIt

MARKUP = {
    "a directive": r"^\s*>?\s*(?::{3,}|`{3,}\{|~{3,}\{)",
    "a role": r"\{[a-zA-Z][\w:+.-]*\}\s*`",
    "a role without its text": r"\{(?:glue|eq|cite|ref|numref|doc|term|math|download)\b[^}]*\}",
    "a target": r"^\s*\([\w:.-]+\)=\s*$",
    "a label": r"\b(?:eq|fig|tab|sec):[\w-]+",
    "a comment": r"^\s*%",
    "a block break": r"^\s*\+\+\+",
    "front matter": r"^(?:file_format|kernelspec|mystnb):",
    "an option": r"^\s*:[a-z_-]+:(?:\s|$)",
    "a substitution": r"\{\{.*?\}\}",
    "a mark of the build": r"nb_element|cell_index|pending_xref|bibtex-citation|tex2jax|sphinx|system_message|problematic",
    "a name of Python's": r"<#text|docutils|<Element|None\b(?=\.ipynb)",
    "the site's frame": r"<svg|<input|headerlink|class=\"(?:sd-|btn|toctree|admonition|cell)|\bsd-[a-z]",
    "an answer key": r"(?i)\banswer[_ -]?key\b|\bcorrect_answer\b|^\s*correct:",
}
PATH = r"(?<![\w.:/])/(?:home|root|tmp|work|usr|opt|var|mnt|Users|private)/[\w.-]+|[A-Z]:\\\\?Users|ipykernel_\d+|site-packages"
TAGS = r"</?(?:em|strong|sup|sub|kbd|br|summary|details|code|a)\b[^>]*>"  # that Markdown has no signs for
FRAME = r"nb_element|sd-|\b(?:class|style|role|aria-\w+|data-[\w-]+)=|^<(?:div|span|svg|input|section|container)\b"
CELL_KEYS = {"jupyter", "collapsed", "cellView", "tags"}


def text_of(markdown: str, code: bool = False) -> str:
    """What a reader sees of a Markdown cell, without formulas, and without code if not asked for."""
    without = re.sub(r"(?<!\\)\$\$.*?\$\$|(?<!\\)\$[^$]*\$", " ", markdown, flags=re.DOTALL)
    tokens = MarkdownIt("commonmark").enable("table").parse(without)
    shown = []
    for token in tokens:
        if token.type == "html_block":
            shown.append(html.unescape(re.sub(r"<[^>]*>", " ", token.content)))
        for inner in token.children or ():
            if inner.type == "text" or code and inner.type == "code_inline":
                shown.append(inner.content)
            elif inner.type in ("softbreak", "hardbreak"):
                shown.append("\n")
            elif inner.type == "html_inline" and not re.fullmatch(TAGS, inner.content):
                shown.append(inner.content)
        shown.append("\n")
    return "".join(shown)


def leaks(notebook, keys=()) -> list[str]:
    """All that a notebook should not hold, in words; ``keys`` are those of the bibliography."""
    found = []
    names = {name for cell in notebook.cells for name in re.findall(r"\brecord\(\s*[\"']([\w.]+-[\w.-]+)", cell.source)}
    for place, cell in enumerate(notebook.cells):
        def note(what, text, place=place):
            found.append(f"cell {place}: {what}: {text!r}")

        if cell.cell_type == "markdown":
            text = text_of(cell.source)
            for what, pattern in MARKUP.items():
                for match in re.finditer(pattern, text, re.MULTILINE):
                    note(what, text[match.start() : match.start() + 60])
            for token in MarkdownIt("commonmark").parse(cell.source):
                if token.type == "fence" and token.info.startswith("{"):
                    note("a directive", token.info)
            for tag in re.findall(r"<[a-z][^>]*>", re.sub(r"`+[^`]*`+|\$[^$]*\$", "", cell.source)):
                if re.search(FRAME, tag):
                    note("the site's frame", tag)
            # Labels and paths may not hide in code or formulas either.
            for what, pattern in {"a label": r"\beq:[\w-]+|\\label\b", "a path": PATH}.items():
                for match in re.finditer(pattern, cell.source):
                    note(what, match[0])
            for name in (*names, *keys):
                if re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", text):
                    note("a name of the sources", name)
        else:
            if re.search(r"^%%(?!implementation \w[\w.]+\n)", cell.source):
                note("a magic", cell.source[:60])
            if re.search(r"^\s*(?:import|from)\s+(?:myst_nb|coursebook|sphinx)\b", cell.source, re.MULTILINE):
                note("a module of the build", cell.source[:60])
            for output in cell.outputs:
                texts = json.dumps({kind: data for kind, data in output.items() if kind != "data"} | {
                    "data": {kind: data for kind, data in output.get("data", {}).items() if not kind.startswith("image/")}
                })
                for match in re.finditer(PATH, texts):
                    note("a path", texts[match.start() : match.start() + 60])
                for word in ("papermill", "scrapbook", '"dlcourse":', "mystnb", "jp-"):
                    if word in texts:
                        note("metadata of the build", word)
        if set(cell.metadata) - CELL_KEYS:
            note("metadata", sorted(cell.metadata))
        for name, attachment in cell.get("attachments", {}).items():
            if f"(attachment:{name})" not in cell.source or not all(kind.startswith("image/") for kind in attachment):
                note("an attachment that nothing shows", name)
        for alt, address in re.findall(r"!\[([^\]]*)\]\(([^)]*)\)", cell.source) if cell.cell_type == "markdown" else ():
            if not alt.strip() or re.fullmatch(r"\S+\.\w{3,4}", alt) or address.removeprefix("attachment:") not in cell.get("attachments", {}):
                note("an image without its text or its data", f"{alt} {address}")
    if set(notebook.metadata) != {"kernelspec", "language_info"}:
        found.append(f"metadata: {sorted(notebook.metadata)}")
    return found
