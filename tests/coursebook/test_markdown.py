"""Nodes become Markdown, and markdown-it, as Jupyter's own reader, reads them back."""

import re
import string

import pytest
from bs4 import BeautifulSoup
from docutils import nodes
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from sphinx import addnodes

from coursebook.notebooks.inline import display_math, escape, inline_math
from coursebook.notebooks.markdown import Writer

READER = MarkdownIt("commonmark").enable("table")
TEXTS = st.text(string.ascii_letters + string.digits + string.punctuation + " é±“”", min_size=1, max_size=30)


def writer(**given) -> Writer:
    defaults = {"link": lambda node: node.get("refuri"), "image": lambda node: f"attachment:{node['uri']}"}
    return Writer(**defaults | given)


def shown(html: str) -> str:
    """The text of HTML, as one sees it."""
    return BeautifulSoup(html, "html.parser").get_text()


@given(st.lists(TEXTS, min_size=1, max_size=3))
def test_text_reads_as_it_is(lines):
    text = "\n".join(line.strip() for line in lines if line.strip())
    html = READER.render(writer().block(nodes.paragraph("", text)))
    assert re.fullmatch(r"(<p>[^<]*</p>\n?)?", html)
    assert shown(html).strip() == text


@given(TEXTS, st.lists(st.tuples(st.sampled_from([nodes.emphasis, nodes.strong, nodes.literal, None]), TEXTS), max_size=4))
def test_inline_markup_reads_as_it_is(first, parts):
    paragraph = nodes.paragraph("", "", nodes.Text(first))
    for kind, text in parts:
        text = text.strip() or "x"
        paragraph += nodes.Text(text) if kind is None else kind("", text)
    expected = [(kind.__name__, text.strip() or "x") for kind, text in parts if kind is not None]
    html = READER.render(writer().block(paragraph))
    soup = BeautifulSoup(html, "html.parser")
    names = {"emphasis": "em", "strong": "strong", "literal": "code"}
    found = [(element.name, element.get_text()) for element in soup.find_all(["em", "strong", "code"])]
    assert found == [(names[kind], text) for kind, text in expected]
    assert " ".join(soup.get_text().split()) == " ".join(paragraph.astext().split())


def test_lists_keep_their_nesting():
    inner = nodes.enumerated_list("", *(nodes.list_item("", nodes.paragraph("", text)) for text in ("x", "y")), start=3)
    code = nodes.literal_block("", "a = 1\n\nb = 2", language="python")
    item = nodes.list_item("", nodes.paragraph("", "one"), inner, code)
    html = READER.render(writer().block(nodes.bullet_list("", item, nodes.list_item("", nodes.paragraph("", "1. two")))))
    assert re.sub(r"\s*\n\s*", "", html) == (
        '<ul><li><p>one</p><ol start="3"><li>x</li><li>y</li></ol>'
        '<pre><code class="language-python">a = 1b = 2</code></pre></li><li><p>1. two</p></li></ul>'
    )


def test_items_of_a_list_of_tasks():
    def task(text, checked):
        box = nodes.raw("", f'<input class="task-list-item-checkbox"{checked} type="checkbox">', format="html")
        return nodes.list_item("", nodes.paragraph("", "", box, nodes.Text(text)), classes=["task-list-item"])

    tasks = nodes.bullet_list("", task("open", ""), task("done", ' checked="checked"'))
    assert writer().block(tasks) == "- [ ] open\n- [x] done"


def test_boxes_are_quotations_with_a_title():
    box = nodes.admonition("", nodes.title("", "Careful: ", nodes.literal("", "p")), nodes.paragraph("", "A\nB"))
    box += nodes.math_block("", "a\n= b % why\n", number=3)
    assert writer().block(box) == "> **Careful: `p`**\n>\n> A\n> B\n>\n> $$ a = b \\tag{3} $$"
    assert writer().block(nodes.note("", nodes.paragraph("", "x"))) == "> **Note**\n>\n> x"
    assert writer().block(addnodes.seealso("", nodes.paragraph("", "x"))) == "> **See also**\n>\n> x"
    quote = nodes.block_quote("", nodes.paragraph("", "Words."), nodes.attribution("", "Someone"))
    assert writer().block(quote) == "> Words.\n>\n> — Someone"


@pytest.mark.parametrize(("tex", "number", "expected"), [
    ("\na = b\n", None, "$$\na = b\n$$"),
    ("a = b", 2, "$$\na = b\n\\tag{2}\n$$"),
    ("a\n\n= b", None, "$$\na\n= b\n$$"),
    (r"a &= b \\ c &= d", 1, "$$\n\\begin{aligned}\na &= b \\\\ c &= d\n\\end{aligned}\n\\tag{1}\n$$"),
    ("\\begin{align*}\na &= b\n\\end{align*}", 1, "$$\n\\begin{aligned}\na &= b\n\\end{aligned}\n\\tag{1}\n$$"),
    ("\\begin{equation}\na\n\\end{equation}", 4, "$$\na\n\\tag{4}\n$$"),
    ("\\begin{gather}a\\end{gather}", None, "$$\n\\begin{gathered}a\n\\end{gathered}\n$$"),
    ("\\begin{cases} a \\\\ b \\end{cases}", None, "$$\n\\begin{cases} a \\\\ b \\end{cases}\n$$"),
])  # fmt: skip
def test_display_math(tex, number, expected):
    assert display_math(tex, number) == expected


def test_math_in_a_line_and_in_a_table():
    assert inline_math("a\n |b|") == "$a |b|$"
    assert inline_math(r"|b| + \|c\|", in_table=True) == r"$\vert b\vert  + \Vert c\Vert $"


def test_tables():
    def row(*cells):
        return nodes.row("", *(nodes.entry("", nodes.paragraph("", "", *cell)) for cell in cells))

    group = nodes.tgroup("", nodes.thead("", row([nodes.Text("a | b")], [nodes.math("", "|x|")])), cols=2)
    body = row([nodes.literal("", "c|d")], [nodes.Text("e\nf")]), row([nodes.Text("only")])
    group += nodes.tbody("", *body)
    group[1][0][1]["classes"] = ["text-right"]
    table = nodes.table("", nodes.title("", "Results"), group)
    text = writer(number=lambda node: "Table 2").block(table)
    assert text.startswith("**Table 2.** Results\n\n")
    html = READER.render(text)
    assert re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", html) == [
        "a | b", r"$\vert x\vert $", "<code>c|d</code>", "e f", "only", "",
    ]  # fmt: skip
    group.remove(group[0])
    assert len(re.findall(r"<th[ >]", READER.render(writer().block(table)))) == 2, "a table has a head, if an empty one"


def test_links_and_what_has_no_address():
    there = nodes.reference("", "", nodes.inline("", "the [page]"), refuri="https://example.org/a_(b)")
    assert writer().block(nodes.paragraph("", "", there)) == r"[the \[page\]](<https://example.org/a_(b)>)"
    assert writer(link=lambda node: None).block(nodes.paragraph("", "", there)) == r"the \[page\]"


def test_citations_have_round_brackets():
    link = nodes.reference("", "", nodes.Text("2016"), refuri="x.html")
    names = nodes.Text("Goodfellow "), nodes.emphasis("", "et al.")
    cited = nodes.inline("", "", *names, nodes.Text(" ["), link, nodes.Text("]"), classes=["bibtex-citation"])
    assert writer(link=lambda node: None).block(nodes.paragraph("", "", cited)) == "Goodfellow *et al.* (2016)"
    assert cited.astext().endswith("[2016]"), "the page keeps its own"


def test_what_is_not_known_is_a_group_of_paragraphs():
    class strange(nodes.General, nodes.Element):
        pass

    group = strange("", nodes.paragraph("", "one"), nodes.comment("", "no"), nodes.Text("two "), nodes.strong("", "three"))
    assert writer().block(group) == "one\n\ntwo **three**"
    hidden = nodes.container("", nodes.paragraph("", "x"), classes=["book-only"])
    assert writer().block(hidden) == ""


def test_html_of_the_author_stays_and_that_of_the_site_goes():
    def raw(text, format="html"):
        return nodes.raw("", text, format=format)

    key = raw("<kbd>"), nodes.Text("x"), raw("</kbd>")
    paragraph = nodes.paragraph("", "", *key, raw("<br />"), raw("\\\\", "latex"), raw("<svg>…</svg>"))
    assert writer().block(paragraph) == "<kbd>x</kbd><br>"


def test_escape_leaves_words_readable():
    assert escape("snake_case 3 * 4 <tag> a_ AT&T &amp;") == r"snake_case 3 \* 4 \<tag> a\_ AT&T \&amp;"
