"""Style sheets: what pages use is found, and what they use stays."""

import base64
import io
import re
import shutil
from pathlib import Path

import pydata_sphinx_theme
import pytest
from bs4 import BeautifulSoup
from fontTools.ttLib import TTFont
from hypothesis import given
from hypothesis import strategies as st

from coursebook.assets import icons, stylesheet, usage
from coursebook.assets.usage import Usage
from coursebook.files import write_whole

THEME = Path(pydata_sphinx_theme.__file__).parent / "theme/pydata_sphinx_theme/static"
NAMES = st.from_regex(r"[a-z][a-z0-9_-]{0,8}", fullmatch=True)
VALUES = st.text(st.characters(blacklist_characters="\"\r\x00", blacklist_categories=["Cs", "Cc"]), max_size=12)


@given(st.lists(st.tuples(NAMES, st.lists(NAMES), VALUES), max_size=6))
def test_the_markup_is_read_as_a_parser_reads_it(elements):
    html = "".join(
        f'<{tag} class="{" ".join(classes)}" data-x="{value}">a &lt; b</{tag}>' for tag, classes, value in elements
    )
    tags = BeautifulSoup(html, "html.parser").find_all(True)
    used = usage.of_page(html)
    assert used.tags == {tag.name for tag in tags}
    assert used.classes == {name for tag in tags for name in tag["class"] if name}
    assert used.values >= used.classes
    assert used.attributes == ({"class", "data-x"} if elements else set())


def test_scripts_say_what_they_may_set():
    script = """e.classList.add("is-open", 'a b'); t.innerHTML = `<b class="mark ${x}">`; s="var(--ink)" """
    used = usage.of_script(script)
    assert {"is-open", "a", "b", "mark"} <= used.words
    assert used.variables == {"--ink"}
    page = usage.of_page(f"<p class='x'><script>{script}</script></p>")
    assert page.classes == {"x"} and "is-open" in page.words


def test_another_link_or_anchor_asks_nothing_new():
    css = ".a[data-theme=dark] b{} [class*=-C9]{}"
    pages = [f'<b class="a {more}" id="{more}" href="{more}.html" data-theme="dark">' for more in ("", "other")]
    one, two = (usage.reduced(usage.of_page(html), css) for html in pages)
    assert one == two
    assert one["classes"] == ["a"] and one["tags"] == ["b"] and one["values"] == ["dark"]


def test_sheets_are_merged_with_imports_media_and_addresses(tmp_path):
    for name, css in {
        "base.css": '@charset "utf-8"; i{background:url(i.png)}',
        "styles/main.css": '@import "../base.css"; b{background:url("../fonts/b.woff2?x#y")} /*# sourceMappingURL=m */',
        "print.css": "u{color:red}",
        "data.css": "s{background:url(data:image/png;base64,AA)} a{b:url(#c)}",
    }.items():
        write_whole(tmp_path / name, css)
    merged = stylesheet.merge(tmp_path, {"styles/main.css": "", "base.css": "", "print.css": "print", "data.css": ""})
    assert re.sub(r"\s+", "", merged) == (
        "i{background:url(i.png)}b{background:url(fonts/b.woff2?x#y)}@mediaprint{u{color:red}}"
        "s{background:url(data:image/png;base64,AA)}a{b:url(#c)}"
    )


CSS = """
/*! A licence */ /* a comment */
:root { --used: 1px; --base: 2px; --unused: 3px; --script: 4px; }
.card, .absent > b { margin: calc(var(--used) + 1px); }
.absent { color: red }
html[data-theme="dark"] .card { color: white } html[data-theme="blue"] .card { color: blue }
.card:hover, .card.is-open, .card:not(.absent) { top: 0; animation: spin 1s }
@media print { .card { display: none } .absent { display: none } }
@media (max-width: 9em) { .absent { display: none } }
@keyframes spin { to { rotate: 1turn } } @keyframes never { to { top: 0 } }
@font-face { font-family: "Absent Sans"; src: url(absent.woff2) }
"""


def test_what_is_used_stays_and_the_rest_goes(tmp_path):
    used = usage.of_page('<html data-theme="auto"><p class="card"></p></html>')
    used |= usage.of_script('x.theme = y ? "dark" : "light"; e.classList.add("is-open"); "var(--script)"')
    css = stylesheet.trim(CSS, used, tmp_path, tmp_path / "cache")
    assert css.strip() == (
        "/*! A licence */"
        ":root{--used:1px;--script:4px}"
        ".card{margin:calc(var(--used) + 1px)}"
        'html[data-theme="dark"] .card{color:white}'
        ".card:hover,.card.is-open,.card:not(.absent){top:0;animation:spin 1s}"
        "@media print{.card{display:none}}"
        "@keyframes spin{to{rotate:1turn}}"
    )


def test_nothing_is_trimmed_twice(tmp_path, monkeypatch):
    used = Usage(tags={"p"})
    css = stylesheet.trim("p{top:0} b{top:0}", used, tmp_path, tmp_path / "cache")
    monkeypatch.setattr(stylesheet.node, "executable", lambda: "no such program")
    assert stylesheet.trim("p{top:0} b{top:0}", used | Usage(classes={"new"}), tmp_path, tmp_path / "cache") == css
    with pytest.raises(FileNotFoundError):
        stylesheet.trim("p{top:0} b{top:0}", used | Usage(tags={"b"}), tmp_path, tmp_path / "cache")


def test_a_broken_style_sheet_is_an_error(tmp_path):
    with pytest.raises(RuntimeError, match="(?s)could not be trimmed.*Unclosed"):
        stylesheet.trim("p { top: 0", Usage(tags={"p"}), tmp_path, tmp_path / "cache")
    assert not list((tmp_path / "cache").glob("*")) if (tmp_path / "cache").exists() else True


def test_icon_fonts_hold_the_icons_that_show(tmp_path):
    fonts = tmp_path / "vendor/fontawesome/webfonts"
    shutil.copytree(THEME / "vendor/fontawesome/webfonts", fonts)
    faces = [
        ("Font Awesome 6 Free", 900, "fa-solid-900"), ("Font Awesome 6 Free", 400, "fa-regular-400"),
        ("Font Awesome 6 Brands", 400, "fa-brands-400"),
    ]
    css = "".join(
        f"@font-face{{font-family:{family};font-weight:{weight};"
        f'src:url(vendor/fontawesome/webfonts/{file}.woff2) format("woff2"),url(x.ttf)}}'
        for family, weight, file in faces
    )
    css += '.fa-bars:before{content:"\\f0c9"}html{--bell:"\uf0f3"}p:before{content:"\\201c"}'
    made = icons.embed(css, tmp_path)
    [data] = re.findall(r"base64,([^)]*)\)", made)
    assert made.count("@font-face") == 1, "no outlined icon and no brand is shown"
    assert set(TTFont(io.BytesIO(base64.b64decode(data))).getBestCmap()) == {0xF0C9, 0xF0F3}
    assert len(data) < 2000
    assert icons.embed(made, tmp_path) == made
    brand = icons.embed(css + '.fa-github:before{content:"\\f09b"}', tmp_path)
    assert brand.count("@font-face") == 2
