"""Images: as light as they can be, the same to the pixel unless they are heavy, and in their place."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from coursebook.page import images


def _picture(mode: str, seed: int, size=(40, 30)) -> Image.Image:
    rng = np.random.default_rng(seed)
    channels = {"L": 1, "LA": 2, "RGB": 3, "RGBA": 4, "P": 1}[mode]
    pixels = np.kron(rng.integers(0, 256, (6, 8, channels)), np.ones((5, 5, 1))).astype(np.uint8)[: size[1], : size[0]]
    return Image.fromarray(pixels.squeeze(), None if mode == "P" else mode).convert(mode)


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(["L", "LA", "RGB", "RGBA", "P"]), st.integers(0, 2**32 - 1))
def test_the_lighter_file_shows_the_same(tmp_path, mode, seed):
    file = tmp_path / f"{mode}{seed}.png"
    _picture(mode, seed).save(file)
    made = images.light(file, tmp_path / "cache")
    assert made.stat().st_size <= file.stat().st_size
    with Image.open(file) as before, Image.open(made) as after:
        assert np.array_equal(np.asarray(before.convert("RGBA")), np.asarray(after.convert("RGBA")))
    assert images.light(file, tmp_path / "cache") == made


def test_a_photograph_may_lose_what_nobody_sees(tmp_path):
    file = tmp_path / "photograph.png"
    waves = np.sin(np.add.outer(np.arange(600) / 90, np.arange(800) / 120)[..., None] + np.arange(3))
    noise = np.random.default_rng(0).normal(0, 4, (600, 800, 3))
    before = np.clip(128 + 100 * waves + noise, 0, 255).astype(np.uint8)
    Image.fromarray(before).save(file)
    made = images.light(file, tmp_path / "cache")
    assert made.suffix == ".webp" and made.stat().st_size < file.stat().st_size / 2
    with Image.open(made) as after:
        apart = np.abs(np.asarray(after.convert("RGB")).astype(int) - before)
    assert apart.mean() < 8


def test_a_file_that_would_not_get_lighter_stays(tmp_path, monkeypatch):
    file = tmp_path / "dot.png"
    Image.new("1", (1, 1)).save(file, optimize=True)
    monkeypatch.setattr(Image.Image, "save", lambda self, path, *_, **__: path.write_bytes(b"x" * 10_000))
    assert images.light(file, tmp_path / "cache") == file
    monkeypatch.setattr(Image.Image, "save", lambda *_, **__: pytest.fail("tried again"))
    assert images.light(file, tmp_path / "cache") == file


def test_a_tag_gets_what_it_lacks():
    tag = '<img alt="Two &quot;digits&quot; &amp; more" src="a.png" style="width: 50px;" />'
    assert images.prepare(tag, (100, 30), "a.webp", first=True) == (
        '<img alt="Two &quot;digits&quot; &amp; more" src="a.webp" style="width: 50px;" width="50" height="15" decoding="async">'
    )
    assert images.prepare("<img src='b.svg' width=7 loading=eager>", (9, 9), None, first=False) == (
        '<img src="b.svg" width="7" loading="eager" decoding="async">'
    )
    assert 'loading="lazy"' in images.prepare('<img src="c.png">', None, None, first=False)
