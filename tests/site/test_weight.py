"""What a reader's browser loads: little, and from the site alone."""

import re
from collections import Counter
from urllib.parse import urlsplit

import pytest
from conftest import document

LIMIT = 300_000  # bytes on the first visit, compressed


def _visit(reader, address: str, size: str = "phone") -> dict[str, int]:
    """What is transferred on a first visit, headers included, by the path that was asked."""
    with reader.tab(size) as tab:
        session = tab.page.context.new_cdp_session(tab.page)
        session.send("Network.enable")
        asked, loaded = {}, Counter()
        session.on("Network.requestWillBeSent", lambda event: asked.update({event["requestId"]: event["request"]["url"]}))
        session.on(
            "Network.loadingFinished",
            lambda event: loaded.update({asked[event["requestId"]]: int(event["encodedDataLength"])}),
        )
        tab.page.goto(f"{reader.root}/{address}", wait_until="networkidle")
        tab.page.wait_for_timeout(200)  # what is loaded lazily, near the screen
    return {urlsplit(url).path: size for url, size in loaded.items() if not url.startswith("data:")}


@pytest.mark.parametrize("size", ["phone"])
def test_first_visits_are_light(survey, reader, addresses, capsys, size):
    weights = {address: survey.visit(size, address).transferred for address in addresses}
    weights["index.html"] = _visit(reader, "index.html")  # with the page that it leads to
    with capsys.disabled():
        print("\nfirst visit on a phone, compressed:")
        for address, files in weights.items():
            fonts = sum(size for path, size in files.items() if path.endswith(".woff2"))
            print(f"  {sum(files.values()) / 1000:7.1f} kB, {len(files):2} files, {fonts / 1000:5.1f} kB of fonts: {address}")
    assert {address: sum(files.values()) for address, files in weights.items() if sum(files.values()) > LIMIT} == {}
    assert all(files for files in weights.values())


@pytest.mark.parametrize("size", ["laptop"])
def test_nothing_is_asked_of_another_host(survey, reader, addresses, size):
    asked = {address: survey.visit(size, address).requests for address in addresses}
    with reader.tab() as tab:
        tab.open("no/such/page.html")
        tab.page.wait_for_load_state("networkidle")
        asked["no/such/page.html"] = list(tab.requests)
        tab.open("search.html?q=network")
        tab.page.wait_for_selector("#search-results li")
        tab.page.wait_for_load_state("networkidle")
        asked["search for a word"] = list(tab.requests)
    own = urlsplit(reader.root).netloc
    assert all(asked.values())
    elsewhere = {
        address: others
        for address, urls in asked.items()
        if (others := [url for url in urls if urlsplit(url).netloc not in (own, "") and not url.startswith("data:")])
    }
    assert elsewhere == {}


# Elements that load what they name by themselves, and where the name stands
LOADS = {
    "script[src]": "src", "img[src]": "src", "iframe[src]": "src", "source[src]": "src", "video[src]": "src",
    "audio[src]": "src", "embed[src]": "src", "track[src]": "src", "input[src]": "src", "object[data]": "data",
    "video[poster]": "poster", "img[srcset]": "srcset", "source[srcset]": "srcset", "svg image": "href",
    'link[href]:not([rel="canonical"], [rel="next"], [rel="prev"], [rel="search"], [rel="index"])': "href",
}
ELSEWHERE = re.compile(r"^\s*(?:[a-z][a-z0-9+.-]*:)?//", re.IGNORECASE)


def test_no_page_names_a_file_elsewhere(site):
    found = []
    for path in site.rglob("*.html"):
        soup = document(path)
        for selector, attribute in LOADS.items():
            for element in soup.select(selector):
                value = element.get(attribute) or ""
                parts = value.split(",") if attribute == "srcset" and not value.startswith("data:") else [value]
                found += [f"{path.relative_to(site)}: {value}" for value in parts if ELSEWHERE.match(value)]
        styles = [element.get_text() for element in soup.find_all("style")]
        styles += [element["style"] for element in soup.find_all(style=True)]
        found += [f"{path.relative_to(site)}: {url}" for style in styles for url in _loaded_by(style)]
    for path in site.rglob("*.css"):
        found += [f"{path.relative_to(site)}: {url}" for url in _loaded_by(path.read_text(encoding="utf-8"))]
    assert found == []


def _loaded_by(style: str) -> list[str]:
    named = re.findall(r"url\(\s*[\"']?([^\"')]+)|@import\s+[\"']([^\"']+)", style)
    return [url for pair in named for url in pair if ELSEWHERE.match(url)]


def test_no_script_asks_another_host(site):
    """Scripts may hold addresses, of licences say; none may stand where it would be loaded."""
    calls = r"(?:\bfetch|\bimport|importScripts|new (?:Worker|EventSource|WebSocket|URL)|\.open|sendBeacon)\s*\(\s*[\"'`]"
    found = []
    for path in [*site.rglob("*.js"), *site.rglob("*.html")]:
        text = path.read_text(encoding="utf-8")
        scripts = [text] if path.suffix == ".js" else re.findall(r"<script[^>]*>(.*?)</script>", text, re.DOTALL)
        for script in scripts:
            for match in re.finditer(rf"(?:{calls}|\.(?:src|href)\s*=\s*[\"'`])(?:[a-z+.-]*:)?//[^\"'`]*", script):
                found.append(f"{path.relative_to(site)}: {match[0]}")
    assert found == []


def test_the_site_holds_only_what_it_uses(site):
    files = [path.relative_to(site).as_posix() for path in site.rglob("*") if path.is_file()]
    unwanted = r"\.(?:map|mo|po|ttf|eot|scss|pyc|tmp)$|fontawesome\.js|bootstrap\.js|/locales/|__pycache__|/\.[^/]*$"
    assert [name for name in files if re.search(unwanted, name)] == []
    images = {name for name in files if name.startswith("_images/")}
    pages = "".join(path.read_text(encoding="utf-8") for path in site.rglob("*.html"))
    assert {name for name in images if name not in pages} == set()


def test_each_page_names_the_style_sheet_and_the_script_that_are_there(site, addresses):
    named = {
        re.sub(r"^(?:\.\./|\./|/)*", "", name)
        for address in addresses
        for name in re.findall(r'(?:href|src)="([^"]*_static/book\.(?:css|js)[^"]*)"', (site / address).read_text("utf-8"))
    }
    assert len(named) == 2, named
    assert all((site / name.partition("?")[0]).is_file() for name in named)


def test_images_keep_their_place_and_wait(page):
    images = page.article.find_all("img")
    for image in images:
        assert int(image["width"]) > 0 and int(image["height"]) > 0, image["src"]
        assert image["decoding"] == "async"
    waits = [image.get("loading", "eager") for image in images]  # what is not said is "eager"
    assert waits == ["eager", *["lazy"] * (len(images) - 1)][: len(images)]


@pytest.mark.parametrize("size", ["laptop", "phone"])
def test_the_console_is_quiet(survey, addresses, size):
    said = {address: survey.visit(size, address).complaints for address in addresses}
    assert {address: complaints for address, complaints in said.items() if complaints} == {}
