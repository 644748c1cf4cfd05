"""Formulas: what KaTeX makes of them, what it refuses, and what a page shows of them."""

import json
import re
import shutil
import subprocess
from html import unescape
from xml.etree import ElementTree

import pytest
from bs4 import BeautifulSoup
from hypothesis import given, settings
from hypothesis import strategies as st
from jupyter_book.sphinx import build_sphinx
from PIL import Image

from coursebook import node
from coursebook.mathematics import formulas as mathematics, katex
from coursebook.mathematics.katex import Formula, FormulaError, Renderer
from coursebook.mathematics.plain_formulas import plain


@pytest.fixture(scope="module")
def renderer(tmp_path_factory):
    return Renderer(tmp_path_factory.mktemp("katex") / "store.json", {r"\RR": r"\mathbb{R}"})


@pytest.fixture
def no_node(monkeypatch):
    def fail():
        raise FileNotFoundError("no Node in this test")

    monkeypatch.setattr(node, "executable", fail)


def annotation(html: str) -> str:
    return unescape(re.search(r'<annotation encoding="application/x-tex">(.*?)</annotation>', html, re.DOTALL)[1])


def cell(code: str) -> str:
    return f"```{{code-cell}} python\n{code}\n```\n"


NOTEBOOK = "---\nfile_format: mystnb\n---\n"


# The renderer

letters = st.sampled_from(["x", "y", "J", r"\theta", r"\varepsilon", r"\mathbf{W}", "12", "0.5", r"\odot", "<", r"\&", r"\text{if } "])
formulas = st.recursive(
    letters,
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=4).map(" ".join),
        st.tuples(inner, inner).map(lambda ab: rf"\frac{{{ab[0]}}}{{{ab[1]}}}"),
        st.tuples(letters, inner, inner).map(lambda abc: f"{{{abc[0]}}}_{{{abc[1]}}}^{{{abc[2]}}}"),
        inner.map(lambda a: rf"\sqrt{{{a}}}"),
        inner.map(lambda a: rf"\left( {a} \right)"),
        st.tuples(inner, inner).map(lambda ab: rf"\begin{{cases}} {ab[0]} & {ab[1]} \\ 0 & \text{{else}} \end{{cases}}"),
    ),
    max_leaves=12,
)


@settings(max_examples=5)
@given(st.lists(st.builds(Formula, formulas, st.booleans()), min_size=30, max_size=100, unique=True))
def test_formulas_are_rendered_for_eyes_and_for_screen_readers(renderer, asked):
    renderer.render(asked)
    for formula in asked:
        html = renderer.html(formula)
        tree = ElementTree.fromstring(html)  # well-formed
        assert annotation(html) == formula.tex
        assert ("katex-display" in html) == formula.display
        math = tree.find(".//{*}math")
        assert (math.get("display") == "block") == formula.display
        hidden = [element for element in tree.iter() if element.get("aria-hidden") == "true"]
        assert [element.get("class") for element in hidden] == ["katex-html"]
        assert math not in hidden[0].iter()
        assert plain(html), "there is something to read"


BAD = {
    r"\frac{1": "Unexpected end of input",
    r"\nonsense + 1": r"Undefined control sequence: \nonsense",
    r"\begin{multline} a \end{multline}": "No such environment: multline",
    "x % a comment": "no terminating newline",
    "a é": "LaTeX-incompatible: Accented Unicode text character",
    r"\text{😀}": "Unrecognized Unicode character",
    r"\href{https://example.org}{x}": r"\href is not allowed",
    r"\includegraphics{x.png}": r"\includegraphics is not allowed",
    "x_a_b": "Double subscript",
    "#": "Expected",
}


def test_bad_formulas_are_refused_on_every_run(renderer):
    good = Formula("a + b", display=False)
    bad = {Formula(tex, display=False): said for tex, said in BAD.items()}
    for each in (renderer, Renderer(renderer.store, renderer.macros)):
        each.render([*bad, good])
        assert annotation(each.html(good)) == "a + b"
        for formula, said in bad.items():
            with pytest.raises(FormulaError, match=re.escape(said)):
                each.html(formula)


def test_an_error_knows_its_place(renderer):
    with pytest.raises(FormulaError) as caught:
        renderer.html(Formula("a +\nb + \\nonsense", display=True))
    assert caught.value.position == len("a +\nb + ")


def test_what_a_formula_does_ends_with_it(renderer):
    renderer.render([Formula(r"\gdef\foo{x} \foo", False)])
    assert "<mi>x</mi>" in renderer.html(Formula(r"\gdef\foo{x} \foo", False))
    with pytest.raises(FormulaError, match="Undefined control sequence"):
        renderer.html(Formula(r"\foo", False))
    assert "<mi>x</mi>" in renderer.html(Formula(r"\message{to standard output} x", False))
    assert 'mathvariant="double-struck">R<' in renderer.html(Formula(r"\RR", False)), "a macro of the book"


def test_what_is_stored_needs_no_node(renderer, no_node):
    formula = Formula("s + 1", display=False)
    with pytest.raises(RuntimeError, match="formulas need KaTeX and Node: no Node in this test"):
        Renderer(renderer.store, renderer.macros).html(formula)


def test_the_store_serves_until_something_changes(tmp_path, monkeypatch):
    store, formula = tmp_path / "katex.json", Formula(r"\RR", display=False)
    first = Renderer(store, {r"\RR": "R"}).html(formula)
    assert [path.name for path in tmp_path.iterdir()] == ["katex.json"], "nothing half-written is left"

    with monkeypatch.context() as without:
        without.setattr(Renderer, "_run", lambda *_: pytest.fail("Node was started"))
        assert Renderer(store, {r"\RR": "R"}).html(formula) == first
    assert Renderer(store, {r"\RR": r"\mathbb{R}"}).html(formula) != first, "other macros"
    for damaged in ("", "[]", '{"identity": ', "\x00"):
        store.write_text(damaged, encoding="utf-8")
        assert Renderer(store, {r"\RR": "R"}).html(formula) == first
    with monkeypatch.context() as other:
        other.setattr(katex, "version", lambda: "0.0")
        runs = []
        other.setattr(Renderer, "_run", lambda _, formulas: runs.append(formulas) or [{"html": "other"}])
        assert Renderer(store, {r"\RR": "R"}).html(formula) == "other"
        assert runs == [[formula]]


def test_a_store_that_cannot_be_written_stays_as_it_was(tmp_path, monkeypatch):
    store = tmp_path / "katex.json"
    Renderer(store).html(Formula("a", False))
    before = store.read_bytes()

    def fail(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("coursebook.files.os.replace", fail)
    with pytest.raises(KeyboardInterrupt):
        Renderer(store).html(Formula("b", False))
    assert store.read_bytes() == before
    assert list(tmp_path.iterdir()) == [store]


def test_node_ends_with_its_input():
    """Whatever ends a build closes Node's input."""
    module = (node.package("katex") / "dist/katex.mjs").as_uri()
    process = subprocess.Popen(
        [node.executable(), str(katex.SCRIPT), module], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    process.stdin.write(b'{"macros": {}, "formulas": [')
    process.stdin.flush()
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.3)
    process.communicate(timeout=20)
    assert process.returncode != 0


def test_a_missing_katex_or_node_says_what_to_do(tmp_path, monkeypatch):
    with monkeypatch.context() as without:
        without.setattr(node, "PACKAGES", tmp_path)
        with pytest.raises(RuntimeError, match="'katex' is not in .*: run `make setup`"):
            Renderer(tmp_path / "store.json").html(Formula("a", False))
    monkeypatch.setattr(katex, "SCRIPT", tmp_path / "katex.mjs")
    (tmp_path / "katex.mjs").write_text("throw new Error('broken')", encoding="utf-8")
    with pytest.raises(RuntimeError, match="(?s)KaTeX did not run in Node: .*broken"):
        Renderer(tmp_path / "store.json").html(Formula("a", False))
    assert not (tmp_path / "store.json").exists()


@pytest.mark.parametrize(
    ("tex", "taken"),
    [
        ("a = b", "a = b"),
        ("\n a = b \n", "a = b"),
        (r"a \\ b", r"\begin{gathered}a \\ b\end{gathered}"),
        (r"a &= b \\ &= c", r"\begin{aligned}a &= b \\ &= c\end{aligned}"),
        ("p = 1\n\nq = 2", "\\begin{gathered}p = 1\\\\\n\nq = 2\\end{gathered}"),
        (r"\begin{cases} a & b \\ c & d \end{cases}", r"\begin{cases} a & b \\ c & d \end{cases}"),
        (r"\sum_{\substack{a \\ b}} \{ \& \}", r"\sum_{\substack{a \\ b}} \{ \& \}"),
        (r"\begin{align} a &= b \end{align}", r"\begin{align*} a &= b \end{align*}"),
        (r"\begin{equation} \begin{aligned} a \\ b \end{aligned} \end{equation}",
         r"\begin{equation*} \begin{aligned} a \\ b \end{aligned} \end{equation*}"),
        (r"\begin{align*} a \end{align*}", r"\begin{align*} a \end{align*}"),
        (r"\begin{alignedat}{2} a & b \end{alignedat}", r"\begin{alignedat}{2} a & b \end{alignedat}"),
    ],
)
def test_lines_are_put_into_an_environment(renderer, tex, taken):
    assert mathematics.for_katex(tex) == taken
    html = renderer.html(Formula(taken, display=True))
    assert "katex-tag" not in html and "eqn-num" not in html, "Sphinx alone numbers"


@pytest.mark.parametrize(
    ("tex", "text"),
    [
        (r"\theta", "θ"),
        (r"\theta_k^2", "θₖ²"),
        ("x^{12} = 1", "x¹² = 1"),
        (r"e^{-\lambda t}", "e^(−λt)"),
        (r"\frac{1}{n}", "1/n"),
        (r"\frac{\partial L}{\partial \theta}", "(∂L)/(∂θ)"),
        (r"\sqrt{2}", "√(2)"),
        (r"\hat{y} \in \mathbb{R}^n", "y ∈ Rⁿ"),
        (r"\ln x", "lnx"),
        (r"2 / \lambda_{\max}", "2/λ_(max)"),
        (r"\max_k z_k", "maxₖzₖ"),
        ("a < b", "a < b"),
    ],
)
def test_a_formula_as_text(renderer, tex, text):
    assert plain(renderer.html(Formula(tex, display=False))) == text


def test_plain_text_needs_a_formula():
    with pytest.raises(ValueError, match="expected a formula with MathML, came '<b>x</b>'"):
        plain("<b>x</b>")


def test_the_style_has_its_fonts_in_woff2_alone(tmp_path):
    katex.copy_style(tmp_path)
    style = (tmp_path / "katex.min.css").read_text(encoding="utf-8")
    named = set(re.findall(r"url\(([^)]*)\)", style))
    files = {path.relative_to(tmp_path).as_posix(): path for path in tmp_path.rglob("*") if path.is_file()}
    assert named == set(files) - {"katex.min.css", "LICENSE"}
    assert len(named) == style.count("@font-face") >= 20
    assert all(files[name].read_bytes().startswith(b"wOF2") for name in named)
    assert "woff)" not in style and "ttf" not in style

    times = {path: path.stat().st_mtime_ns for path in files.values()}
    katex.copy_style(tmp_path)
    assert {path: path.stat().st_mtime_ns for path in files.values()} == times


# Books


def soup(book, name: str) -> BeautifulSoup:
    return BeautifulSoup(book.html(name), "html.parser")


def build(book) -> str:
    result = book.build(strict=True)
    assert result.status == 0, result.output
    return result.output


def styles(book, name: str) -> str:
    """All style sheets that a page loads, one after the other."""
    folder = book.root / "_build/html/book"
    links = soup(book, name).select("link[rel=stylesheet]")
    return "".join((folder / link["href"].partition("?")[0]).read_text(encoding="utf-8") for link in links)


FORMS = NOTEBOOK + r"""# Forms

Inline $a < b$, as a role {math}`\sqrt{2}`, and joined ($k$, $n$-dimensional).

$$ e = mc^2 $$ (eq:energy)

$$
c &= d \\
  &= e
$$

\begin{align}
f &= g \label{eq:two-lines} \\
  &= h
\end{align}

\begin{gather*}
x \\ y
\end{gather*}

```{math}
:label: eq:directive
p = 1
```

| the $t_1$ | |
|---|---|
| $\sum_i x_i$ | |

:::{admonition} On $\lambda$
$$ \mu $$
:::

:::{dropdown} Solve $x^2 = 2$
Here.
:::

:::{figure} x.png
:alt: A small black square

With $\alpha$.
:::

See {eq}`eq:energy`, {eq}`eq:two-lines`, {eq}`eq:directive` and {eq}`eq:elsewhere`.

"""
DISPLAYED = r"""from IPython.display import Latex, Markdown, Math, display
display(Math(r"\frac{u}{v}"))
display(Latex(r"\begin{align} q &= r \\ s &= t \end{align}"))
display(Markdown("with $\\beta$"))"""


def test_every_way_to_write_a_formula(book, monkeypatch):
    book.page("forms", FORMS + cell(DISPLAYED))
    book.page("other", "# Other\n\nBack to {eq}`eq:energy`.\n\n$$ z $$ (eq:elsewhere)\n")
    Image.new("L", (8, 8)).save(book.root / "book/x.png")
    build(book)
    page = soup(book, "forms")

    shown = [element.string for element in page.article.select("annotation")]
    assert shown == [
        "a < b", r"\sqrt{2}", "k", "n", "e = mc^2",
        "\\begin{aligned}c &= d \\\\\n  &= e\\end{aligned}",
        "\\begin{align*}\nf &= g  \\\\\n  &= h\n\\end{align*}",
        "\\begin{gather*}\nx \\\\ y\n\\end{gather*}",
        "p = 1", "t_1", r"\sum_i x_i", r"\lambda", r"\mu", "x^2 = 2", r"\alpha",
        r"\displaystyle \frac{u}{v}", r"\begin{align*} q &= r \\ s &= t \end{align*}", r"\beta",
    ]  # fmt: skip
    assert len(page.article.select(".math .katex math")) == len(shown)
    assert len(page.article.select("div.math > .math-scroll > .katex-display")) == 8

    # Sphinx's numbers, beside the formula that has the anchor, through the whole book.
    numbered = {element["id"]: element.select_one(".eqno").text.strip("#") for element in page.select("div.math[id]")}
    assert numbered == {"equation-eq-energy": "(1)", "equation-eq-two-lines": "(2)", "equation-eq-directive": "(3)"}
    other = soup(book, "other")
    assert other.select_one("#equation-eq-elsewhere .eqno").text.startswith("(4)")
    references = {link["href"]: link.text for link in page.article.select("p a.internal")}
    assert references == {
        "#equation-eq-energy": "(1)",
        "#equation-eq-two-lines": "(2)",
        "#equation-eq-directive": "(3)",
        "other.html#equation-eq-elsewhere": "(4)",
    }
    assert other.article.select_one("p a.internal")["href"] == "forms.html#equation-eq-energy"

    # A line does not break between a formula and what touches it.
    joined = [[part for part in element.contents if isinstance(part, str)] for element in page.select(".formula-joined")]
    assert joined == [[","], [","], ["(", ","], ["-"], ["."]]

    # The style is there, with the fonts that are shown, and no page asks for MathJax.
    for rule in (".katex-mathml", ".math-scroll", ".more-after", ".formula-joined", "KaTeX_Math-Italic"):
        assert rule in styles(book, "forms")
    for path in book.root.glob("_build/html/**/*.html"):
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"mathjax|tex2jax|\\\(", text, re.IGNORECASE), path
        assert not BeautifulSoup(text, "html.parser").select("script[src*='//'], link[rel=stylesheet][href*='//']")

    # Another sentence: no formula is new, and Node is not needed.
    monkeypatch.setattr(katex.Renderer, "_run", lambda *_: pytest.fail("Node was started"))
    book.replace("book/forms.md", "Here.", "There.")
    build(book)
    assert "There." in book.html("forms")
    assert [element.string for element in soup(book, "forms").article.select("annotation")] == shown


BAD_PAGE = NOTEBOOK + r"""# Bad

One line,
and $\inline$ in the next.

$$
a &= b \\
  &= \display
$$ (eq:bad)

| a | $\table$ |
|---|---|
| b | c |

:::{dropdown} About $\title$
Inside

$$ \inside $$
:::

$$ t \tag{7} $$ (eq:tagged)

"""


def test_bad_formulas_fail_every_build_with_their_lines(book):
    book.page("bad", BAD_PAGE + cell(r"from IPython.display import Math; Math(r'\output')"))
    lines = (book.root / "book/bad.md").read_text(encoding="utf-8").split("\n")
    for strict in (False, True):
        result = book.build(strict)
        assert result.status == 1
        said = {
            match[2]: int(match[1])
            for match in re.finditer(r"book/bad\.md:(\d+): formula .*: Undefined control sequence: (.*)", result.last_lines)
        }
        fence = next(i for i, text in enumerate(lines, 1) if "code-cell" in text)
        assert fence <= said.pop(r"\output") <= fence + 2, "what a cell displays has the cell's line"
        in_text = (r"\inline", r"\display", r"\table", r"\title", r"\inside")
        assert said == {command: next(i for i, text in enumerate(lines, 1) if command in text) for command in in_text}
        tagged = next(i for i, text in enumerate(lines, 1) if r"\tag" in text)
        assert rf"book/bad.md:{tagged}: equation eq:tagged is numbered: \tag would number it twice" in result.last_lines
    assert r"<code>\inline</code>" in book.html("bad"), "the page is there to be looked at"

    book.page("bad", "# Good\n\n$a$\n")
    build(book)


def test_without_katex_or_node_the_build_says_what_to_do(book, monkeypatch, no_node):
    book.page("page", "# Page\n\n$x$\n")
    result = book.build()
    assert "formulas need KaTeX and Node: no Node in this test" in result.last_lines
    assert result.status not in (0, None)
    monkeypatch.setattr(node, "PACKAGES", book.root)
    result = book.build()
    assert "The book cannot be built: formulas need KaTeX: the npm package 'katex' is not in" in result.status
    assert "Traceback" not in result.output


def test_formulas_in_titles(book):
    book.page("rate", "# The rate $\\varepsilon_k$ of $a < b$\n\nText.\n\n## Section $\\theta$\n\nWords with $\\frac{1}{2}$.\n")
    book.page("next", "# Next\n")
    build(book)
    page, after = soup(book, "rate"), soup(book, "next")
    title = "The rate εₖ of a < b"
    assert page.title.text.startswith(f"{title} — ")
    assert after.select_one(".prev-next-title").text.strip() == title
    assert not re.search(r"\\varepsilon|\\theta", re.sub(r"(?s)<annotation.*?</annotation>", "", book.html("rate")))
    assert after.select_one("link[rel=prev]")["title"] == title
    for place in (page.article.h1, after.select_one("nav.bd-links a[href='rate.html']")):
        assert [element.string for element in place.select("annotation")] == [r"\varepsilon_k", "a < b"]
    assert [element.string for element in page.select(".page-toc annotation, .bd-toc-nav annotation")] == [r"\theta"]
    assert ".katex-mathml" in styles(book, "next"), "its sidebar shows the title"

    index = json.loads(re.search(r"\{.*\}", (book.root / "_build/html/searchindex.js").read_text(encoding="utf-8"))[0])
    assert "The rate εₖ of a &lt; b" in index["titles"]
    assert {title, "Section θ"} <= set(index["alltitles"])
    assert not {"varepsilon", "frac", "annot", "span", "theta"} & {*index["terms"], *index["titleterms"]}
    assert {"word", "rate"} <= {*index["terms"], *index["titleterms"]}


def test_numbers_are_right_on_every_page_after_every_build(book):
    book.page("first", "# First\n\n$$ a $$ (eq:a)\n")
    book.page("second", "# Second\n\n\\begin{align}\nb\n\\end{align}\n\n$$ c $$ (eq:c)\n")
    book.page("third", "# Third\n\nSee {eq}`eq:c`.\n")

    def state():
        build(book)
        second = soup(book, "second")
        numbers = {element["id"]: element.select_one(".eqno").text.strip("#") for element in second.select("div.math")}
        return numbers, soup(book, "third").article.select_one("p a.internal").text

    before = state()
    assert before == ({"equation-book-second-1": "(2)", "equation-eq-c": "(3)"}, "(3)")
    book.page("first", "# First\n\n$$ a $$ (eq:a)\n\n$$ x $$ (eq:x)\n")
    assert state() == ({"equation-book-second-1": "(3)", "equation-eq-c": "(4)"}, "(4)")
    book.page("first", "# First\n\n$$ a $$ (eq:a)\n")
    shutil.rmtree(book.root / "_build")
    assert state() == before, "anchors and numbers stay from one build to the next"


def test_labels_of_environments_are_checked(book):
    book.page("first", "# First\n\n\\begin{align}\na \\label{eq:a} \\\\\nb \\label{eq:b}\n\\end{align}\n")
    book.page("second", "# Second\n\n\\begin{gather}\nc \\label{eq:a}\n\\end{gather}\n")
    for _ in range(2):
        last_lines = book.build().last_lines
        assert "book/first.md:6: an environment has one number and takes one label, came eq:a, eq:b" in last_lines
        assert "book/second.md:6: equation label eq:a is taken in book/first" in last_lines


def test_macros_of_the_book(book):
    book.replace("_config.yml", "    nb_code_prompt_show: Show the code", '    coursebook_macros: {"\\\\RR": "\\\\mathbb{R}"}')
    book.page("page", "# Page\n\n$\\RR$\n")
    build(book)
    assert soup(book, "page").select_one("math mi")["mathvariant"] == "double-struck"


def test_one_page_for_printing_has_all_equations(book):
    book.page("first", "# First\n\n$$ a $$ (eq:a)\n\nSee {eq}`eq:b`.\n")
    book.page("second", "# Second with $\\theta$\n\n$$ b $$ (eq:b)\n")
    build_sphinx(
        str(book.root), str(book.root / "_build/singlehtml"), noconfig=True, builder="singlehtml",
        path_config=str(book.root / "_config.yml"),
        confoverrides={"external_toc_path": str(book.root / "_toc.yml"), "latex_individualpages": False},
    )  # fmt: skip
    page = BeautifulSoup((book.root / "_build/singlehtml/book/index.html").read_text(encoding="utf-8"), "html.parser")
    assert [element.text.strip("#") for element in page.select(".eqno")] == ["(1)", "(2)"]
    assert [link.text for link in page.article.select("p a.internal")] == ["(2)"]
    assert {"a", "b", r"\theta"} <= {element.string for element in page.article.select("annotation")}
    assert page.select("link[rel=stylesheet][href*='katex/katex.min.css']")
    assert (book.root / "_build/singlehtml/_static/katex/katex.min.css").is_file()


# In a browser

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
             "--disable-component-update", "--disable-sync"]  # fmt: skip


@pytest.mark.skipif(not CHROMIUM, reason="no Chromium on this machine")
def test_in_a_browser(book):
    from playwright.sync_api import sync_playwright

    wide = " + ".join(rf"\frac{{x_{{{i}}}}}{{{i}}}" for i in range(1, 60))
    book.page("page", f"# Page\n\nBold $\\mathbf{{y}}$ is the target.\n\n$$ {wide} $$ (eq:wide)\n\n$$ z $$ (eq:short)\n")
    build(book)
    address = (book.root / "_build/html/book/page.html").as_uri()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)

        # A wide formula scrolls by itself, by finger and by key; its number stays in sight.
        page = browser.new_page(viewport={"width": 390, "height": 800})
        requests = []
        page.on("request", lambda request: requests.append(request.url))
        page.goto(address)
        page.wait_for_selector(".math-scroll[tabindex]")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert page.eval_on_selector_all(".math-scroll", "all => all.map(one => one.tabIndex)") == [0, -1]
        assert all(box.bounding_box()["x"] + box.bounding_box()["width"] <= 390 for box in page.query_selector_all(".eqno"))
        page.focus("#equation-eq-wide .math-scroll")
        page.keyboard.press("ArrowRight")
        page.wait_for_selector(".math-scroll.more-before.more-after")
        page.eval_on_selector("#equation-eq-wide .math-scroll", "formula => formula.scrollLeft = formula.scrollWidth")
        page.wait_for_selector(".math-scroll.more-before:not(.more-after)")
        assert [url for url in requests if not url.startswith(("file:", "data:"))] == []

        # A screen reader is told of the formula once, as mathematics.
        tree = page.context.new_cdp_session(page).send("Accessibility.getFullAXTree")["nodes"]
        told = [each for each in tree if not each["ignored"]]
        assert [each["role"]["value"] for each in told].count("MathMLMath") == 3
        assert not [each for each in told if "mathbf" in str(each.get("name"))], "the TeX is not read"
        paragraph = page.locator("p", has_text="is the target").aria_snapshot()
        assert re.findall(r"[a-z.]+", paragraph.lower()) == "paragraph text bold math y text is the target.".split()

        # Without JavaScript it is the same formula, in KaTeX's fonts.
        still = browser.new_context(java_script_enabled=False).new_page()
        still.goto(address)
        drawn = still.locator("#equation-eq-short .katex-html")
        assert drawn.bounding_box()["height"] > 5
        assert still.locator("#equation-eq-short .katex-mathml").bounding_box()["height"] <= 1, "the style is loaded"
        browser.close()
