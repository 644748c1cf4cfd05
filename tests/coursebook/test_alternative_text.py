"""Images and pages that are not described fail the build, and say which they are."""

import re

import pytest
from bs4 import BeautifulSoup
from hypothesis import given
from hypothesis import strategies as st

from coursebook.page.alternative_text import complaint

SQUARE = '<svg xmlns="http://www.w3.org/2000/svg" width="10" height="10"/>'
words = st.text(st.characters(categories=["Ll"]), min_size=1, max_size=8)


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        (None, "no alternative text"),
        ("", "no alternative text"),
        ("  \n", "no alternative text"),
        ("curve.png", "name of a file"),
        ("other.SVG", "name of a file"),
        ("_images/other", "name of a file"),
        ("curve", "name of a file"),
        ("<Figure size 640x480 with 1 Axes>", "Matplotlib's"),
        ("Loss curves", "too short"),
    ],
)
def test_what_is_no_alternative_text(text, wrong):
    assert wrong in complaint(text, "folder/curve.png")


@given(st.lists(words, min_size=3))
def test_a_sentence_is_one(text):
    assert complaint(" ".join(text), "folder/curve.png") is None


def test_decoration_has_none():
    assert complaint("", "wave.svg", decorative=True) is None
    assert "came 'A blue wave below'" in complaint("A blue wave below", "wave.svg", decorative=True)


PAGE = """\
---
file_format: mystnb
---
# Images

```{code-cell} python
1 + 1
```

Words and ![](bare.svg) more words.

![Two words](short.svg)

:::{figure} uncaptioned.svg
A caption is no alternative text.
:::

:::{image} named.svg
:alt: named.svg
:::

<p><img src="raw.svg"></p>

<p><svg role="img" viewBox="0 0 1 1" class="drawing"></svg></p>

```{code-cell} python
import matplotlib.pyplot as plt
plt.plot([1, 2]);
```

```{code-cell} python
from IPython.display import HTML
HTML('<img alt="" src="output.svg">')
```
"""

MENDED = """\
---
file_format: mystnb
---
# Images

![A small empty square](bare.svg) ![](short.svg){.decorative}

:::{figure} uncaptioned.svg
:alt: Another small empty square
A caption.
:::

:::{image} named.svg
:class: decorative
:::

<p><img class="decorative" alt="" src="https://example.org/raw.svg"></p>

<p><svg role="img" viewBox="0 0 1 1" aria-label="One more empty square"></svg></p>

```{code-cell} python
---
mystnb:
  image:
    alt: A line that rises from one to two
---
import matplotlib.pyplot as plt
plt.plot([1, 2]);
```

```{code-cell} python
---
mystnb:
  image:
    classes: decorative
---
plt.plot([2, 1]);
```
"""


def test_an_image_without_words_fails_every_build(book):
    for name in ("bare", "short", "uncaptioned", "named"):
        book.write(f"book/{name}.svg", SQUARE)
    book.page("images", PAGE)
    lines = PAGE.split("\n")
    for strict in (False, True):
        result = book.build(strict)
        assert result.status == 1
        summary = result.output[result.output.rindex("the book has problems:") :]
        found = re.findall(r"book/images\.md:(\d+): (.+?):", summary)
        assert [name for _, name in found] == [
            "image bare.svg", "image short.svg", "image uncaptioned.svg", "image named.svg",
            "figure of a cell", "image raw.svg", "image drawing", "image output.svg",
        ]
        # The line is that of the element, or one inside it.
        for line, name in found:
            mark = "plt.plot" if name == "figure of a cell" else name.split()[1]
            assert abs(lines.index(next(text for text in lines if mark in text)) + 1 - int(line)) <= 1, name
    assert "the alternative text is the name of a file, 'named.svg'" in result.last_lines

    book.page("images", MENDED)
    assert book.build(strict=True).status == 0
    images = BeautifulSoup(book.html("images"), "html.parser").article.find_all("img")
    assert [image["alt"] for image in images] == [
        "A small empty square", "", "Another small empty square", "", "", "A line that rises from one to two", "",
    ]


def test_a_page_without_description_fails_every_build(book):
    book.page("silent", "# Silent\n", described=False)
    book.page("brief", "---\ndescription: Too brief\n---\n# Brief\n")
    book.page("number", "---\ndescription: 7\n---\n# Number\n")
    for strict in (False, True):
        result = book.build(strict)
        assert result.status == 1
        assert "book/silent.md:1: front matter: description: missing; expected a sentence" in result.last_lines
        assert "book/brief.md:1: front matter: description: expected a sentence of 4 to 50 words" in result.last_lines
        assert "book/number.md:1: front matter: description: expected a text, came 7" in result.last_lines

