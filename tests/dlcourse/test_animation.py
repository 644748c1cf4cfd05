import io
import re
from html.parser import HTMLParser
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from installed_chromium import executable
from PIL import Image

from dlcourse.animation import Animation, animate_paths

ALT = "Two paths in a valley: one goes from side to side, the other along it."


class Bowl:
    def value(self, theta):
        return 0.5 * (theta[..., 0] ** 2 + 50 * theta[..., 1] ** 2)


def path(factors, steps=60):
    """From (-1.8, 0.3); each step multiplies the coordinates by the factors."""
    return np.array([-1.8, 0.3]) * np.array(factors) ** np.arange(steps + 1)[:, None]


PATHS = {"side to side": path((0.96, -0.96)), "along": path((0.8, -0.7), steps=30)}
FRAME = {"x": (-2, 0.4), "y": (-0.5, 0.5)}


@pytest.fixture(scope="module")
def animation():
    return animate_paths(Bowl(), PATHS, **FRAME, alt=ALT, seconds=2)


def drawing(animation):
    """The SVG, read as XML."""
    return ElementTree.fromstring(re.search(r"<svg.*</svg>", animation.html, re.DOTALL)[0])


class Tags(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.found = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.found.append((tag, dict(attributes)))


def test_it_is_html_and_a_picture_with_the_same_words(animation):
    assert isinstance(animation, Animation)
    assert animation._repr_html_() == animation.html
    png, metadata = animation._repr_png_()
    assert metadata["alt"] == ALT
    image = np.asarray(Image.open(io.BytesIO(png)).convert("RGB"), dtype=float)
    assert image.shape[1] == metadata["width"]
    assert (image[0] == 255).all(), "a white ground"
    for color in ((0x29, 0x48, 0x8F), (0xF1, 0x6A, 0x3D)):  # both paths are there
        assert (np.abs(image - color).max(axis=-1) < 40).sum() > 100
    assert len(repr(animation)) < 200


def test_it_has_no_script_and_asks_for_nothing(animation):
    tags = Tags(animation.html).found
    assert not {tag for tag, _ in tags} & {"script", "link", "iframe", "object", "a", "animate", "foreignobject", "use"}
    for tag, attributes in tags:
        assert not [name for name in attributes if name.startswith("on")]
        for name in ("src", "href", "xlink:href"):
            assert attributes.get(name, "data:").startswith("data:"), tag
    assert "http" not in animation.html and "@import" not in animation.html
    assert re.findall(r"url\((?!#)", animation.html) == []


def test_it_is_small(animation):
    assert len(animation.html) < 60_000
    assert len(animate_paths(Bowl(), {"a": path((0.9, -0.9), 5000), "b": path((-0.99, -0.99), 3000)}, alt=ALT).html) < 150_000


def test_names_are_its_own_and_the_same_each_time(animation):
    again = animate_paths(Bowl(), PATHS, **FRAME, alt=ALT, seconds=2)
    other = animate_paths(Bowl(), PATHS, **FRAME, alt=ALT, seconds=3)
    assert again.html == animation.html
    assert again.png == animation.png
    one, two = (set(re.findall(r"paths-[0-9a-f]+", each.html)) for each in (animation, other))
    assert len(one) == len(two) == 1
    assert one != two
    ids = [attributes["id"] for _, attributes in Tags(animation.html + other.html).found if "id" in attributes]
    assert len(ids) == len(set(ids))
    style = re.search(r"<style>(.*?)</style>", animation.html, re.DOTALL)[1]
    for selector in re.findall(r"(?:^|[}\n])([^{}@]*?)\{", re.sub(r"@keyframes [^\n]*", "", style)):
        assert not selector.strip() or all(re.match(r"\s*(html\[data-theme=dark\] )?(#|div:has\(>#)paths-", part) for part in selector.split(",")), selector


def test_words_of_others_are_no_html():
    made = animate_paths(Bowl(), {"<b>&\"'": path((0.9, 0.9))}, alt='a "quoted" <script>alert(1)</script> path')
    tags = Tags(made.html).found
    assert {"b", "script"}.isdisjoint(tag for tag, _ in tags)
    assert [text.text for text in drawing(made).iter("text")][0] == "<b>&\"'"
    assert [attributes["alt"] for tag, attributes in tags if tag == "img"] == [made.alt]
    assert drawing(made).get("aria-label") == made.alt


def test_drawing_and_controls_have_names(animation):
    svg = drawing(animation)
    assert svg.get("role") == "img"
    assert svg.get("aria-label") == ALT
    inputs = [attributes for tag, attributes in Tags(animation.html).found if tag == "input"]
    assert [attributes["type"] for attributes in inputs] == ["checkbox", "checkbox"]
    for attributes, word in zip(inputs, ("Pause", "Restart"), strict=True):
        assert attributes["aria-label"].startswith(word)
        assert f'.{attributes["class"]}::before{{content:"{word}"}}' in animation.html, "what is read aloud begins with what is seen"


def test_without_its_style_the_picture_stays(animation):
    """As JupyterLab shows it before the notebook is trusted: no style, no SVG, ``hidden`` kept."""
    bare = re.sub(r"<style>.*?</style>|</?(?:svg|path|rect|text|mask)\b[^>]*>", "", animation.html, flags=re.DOTALL)
    outside = re.sub(r"<div hidden>.*?</div>", "", bare, flags=re.DOTALL)
    seen = [(tag, attributes) for tag, attributes in Tags(outside).found if "hidden" not in attributes]
    assert [tag for tag, _ in seen] == ["div", "img"]
    assert re.sub(r"<[^>]*>", "", outside).strip() == ""


def test_keyframes_lie_on_the_path(animation):
    """Where the ball is at each moment, read back into the units of the surface."""
    frames = re.search(r"@keyframes \S+-ball1a\{(.*)\}\n", animation.html)[1]
    moments = re.findall(r"([\d.]+)%(?:,to)?\{transform:translate\((-?[\d.]+)px,(-?[\d.]+)px\)\}", frames)
    expected = PATHS["along"]
    assert len(moments) == len(expected)
    inner = drawing(animation).find("svg")
    scale = float(inner.get("width")) / 2.4
    for step, (moment, across, down) in enumerate(moments):
        assert float(moment) == pytest.approx(80 * step / 60, abs=0.01), "the time of the longest path"
        point = float(across) / scale - 2, 0.5 - float(down) / scale
        assert point == pytest.approx(tuple(expected[step]), abs=0.06 / scale)


def test_contours_are_where_the_surface_has_one_height(animation):
    inner = drawing(animation).find("svg")
    scale = float(inner.get("width")) / 2.4
    rings = inner.find("path").get("d").split("M")[1:]
    assert len(rings) >= 8
    for ring in rings:
        points = np.array([point.split() for point in ring.split("L")], dtype=float) / scale * (1, -1) + (-2, 0.5)
        heights = Bowl().value(points)
        assert np.ptp(heights) < 0.25 + 0.05 * heights.mean(), "within what a grid and rounding leave"


@pytest.mark.parametrize(
    ("changed", "error", "said"),
    [
        ({"paths": {}}, ValueError, "paths must be one to 5, got 0"),
        ({"paths": dict.fromkeys("abcdef", path((1, 1)))}, ValueError, "got 6"),
        ({"paths": [path((1, 1))]}, TypeError, "paths must be a mapping"),
        ({"paths": {"a": np.zeros((5, 3))}}, ValueError, r"paths\['a'\] must have shape .* got \(5, 3\)"),
        ({"paths": {"a": np.zeros((1, 2))}}, ValueError, "one step or more"),
        ({"paths": {"a": [[0, 0], [np.nan, 1]]}}, ValueError, "must be finite"),
        ({"x": (1, 1)}, ValueError, "x must be a low and a higher value"),
        ({"y": (0, np.inf)}, ValueError, "y must be a finite number"),
        ({"y": (0, 1, 2)}, ValueError, "y must be a low and a high value"),
        ({"alt": ""}, ValueError, "alt must say in words"),
        ({"alt": None}, TypeError, "alt must be a text, got NoneType"),
        ({"seconds": 0}, ValueError, "seconds must be a finite number above 0"),
        ({"surface": type("Wrong", (), {"value": lambda self, theta: 1.0})()}, ValueError, "one height a point"),
    ],
)
def test_bad_input_is_named(changed, error, said):
    arguments = {"surface": Bowl(), "paths": PATHS, "alt": ALT} | changed
    with pytest.raises(error, match=said):
        animate_paths(arguments.pop("surface"), arguments.pop("paths"), **arguments)


@settings(max_examples=15)
@given(
    st.lists(
        st.lists(st.tuples(*[st.floats(-1e9, 1e9)] * 2), min_size=2, max_size=200), min_size=1, max_size=5
    )
)
def test_any_path_is_drawn(points):
    made = animate_paths(Bowl(), {f"path {number}": each for number, each in enumerate(points)}, alt=ALT)
    assert drawing(made).get("aria-label") == ALT
    assert "nan" not in re.sub(r"base64,[^\"]*", "", made.html)


def test_a_flat_surface_has_no_contours_and_a_path_may_stand_still():
    flat = type("Flat", (), {"value": lambda self, theta: np.zeros(theta.shape[:-1])})()
    made = animate_paths(flat, {"still": np.zeros((5, 2))}, alt=ALT)
    assert drawing(made) is not None


@pytest.fixture(scope="module")
def browser():
    path = executable()
    from playwright.sync_api import sync_playwright

    from coursebook.printing import chromium

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=chromium.ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def page(browser, animation):
    """A page with the animation, as one without scripts has it."""
    page = browser.new_page(viewport={"width": 390, "height": 600})
    page.set_content(f"<!doctype html><title>Test</title><style>[hidden]{{display:none!important}}</style>{animation.html}")
    yield page
    page.close()


BALL = ".ball0"
PLACE = "e => { const box = e.getBoundingClientRect(); return [box.x, box.y]; }"
AT = "e => e.getAnimations()[0].currentTime"


def test_it_moves_pauses_and_restarts(page):
    ball = page.locator(BALL)
    assert ball.evaluate("e => e.getAnimations().length") == 1
    first = ball.evaluate(PLACE)
    page.wait_for_function("first => document.querySelector('.ball0').getBoundingClientRect().x > first + 20", arg=first[0])

    page.get_by_role("checkbox", name="Pause").click()
    assert ball.evaluate("e => e.getAnimations()[0].playState") == "paused"
    there = ball.evaluate(PLACE)
    page.wait_for_timeout(200)
    assert ball.evaluate(PLACE) == there

    page.get_by_role("checkbox", name="Pause").press("Space")
    assert ball.evaluate("e => e.getAnimations()[0].playState") == "running"

    for _ in range(2):  # each time, whichever of the two names it has
        page.wait_for_function("document.querySelector('.ball0').getAnimations()[0].currentTime > 300")
        before = ball.evaluate(AT)
        page.get_by_role("checkbox", name="Restart").click()
        assert ball.evaluate(AT) < before


def test_it_starts_with_nothing_drawn_and_ends_with_all(page):
    page.get_by_role("checkbox", name="Pause").click()
    for moment, drawn in ((0, 0.0), (2000, 1.0), (2400, 1.0)):  # of 2.5 seconds
        page.evaluate("moment => document.getAnimations().forEach(a => { a.currentTime = moment; })", moment)
        for line in page.locator(".grow").all():
            offset = line.evaluate("e => parseFloat(getComputedStyle(e).strokeDashoffset)")
            assert 1 - offset == pytest.approx(drawn, abs=1e-3)


@pytest.mark.parametrize("medium", [{"reduced_motion": "reduce"}, {"media": "print"}])
def test_it_stands_still_with_whole_paths(page, medium):
    page.emulate_media(**medium)
    assert page.evaluate("document.getAnimations().length") == 0
    for line in page.locator(".grow").all():
        assert line.evaluate("e => getComputedStyle(e).strokeDashoffset") in ("0", "0px")
    assert page.get_by_role("checkbox").count() == 0
    assert page.get_by_role("img", name=ALT).is_visible()
    end = page.locator(BALL).evaluate(PLACE)
    page.wait_for_timeout(200)
    assert page.locator(BALL).evaluate(PLACE) == end


def test_it_fits_a_phone_and_shows_one_picture(page):
    assert page.evaluate("document.scrollingElement.scrollWidth") <= 390
    assert page.get_by_role("img", name=ALT).count() == 1
    assert not page.locator("img").is_visible()
