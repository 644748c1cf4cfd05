"""Every labelled equation leads to code and tests, every public name of the package has an entry."""

import ast
import re
from urllib.parse import unquote, urlsplit

from conftest import ROOT, document

LABELLED = re.compile(r"^\$\$[ \t]*\((eq:[\w.-]+)\)|^:label:[ \t]*(eq:[\w.-]+)|\\label\{(eq:[\w.-]+)\}", re.MULTILINE)


def labels(page):
    return ["".join(forms) for forms in LABELLED.findall(page.source)]


def leads_to(site, page, link) -> str:
    """The line of source at the other end of a link."""
    parts = urlsplit(link["href"])
    path = ((site / page.name).parent / unquote(parts.path)).resolve()
    return document(path).find(id=parts.fragment).get_text()


def test_labelled_equations_lead_to_code_and_tests(page, site):
    for label in labels(page):
        equation = page.article.find(id="equation-" + label.replace(":", "-"))
        line = equation.find_next(class_="equation-trace")
        assert re.fullmatch(r"Implemented by .+, tested by .+\.", line.get_text().strip(), re.DOTALL)
        links = [link for link in line.find_all("a") if link.code]
        for link in links:
            name = link.get_text().split(".")[-1]
            assert re.match(rf"\s*(?:class|def) {re.escape(name)}\b", leads_to(site, page, link)), link
        kinds = {link["href"].partition("source/")[2].startswith("tests/") for link in links}
        assert kinds == {True, False}, "both code and tests"
        names = [link.get_text() for link in line.find_all("a")]
        assert len(names) == len(set(names))


def test_there_are_equations(pages):
    found = [label for page in pages for label in labels(page)]
    assert len(found) == len(set(found)) >= 11


def test_the_list_has_every_equation(pages, site):
    (index,) = [page for page in pages if "```{equations}" in page.source]
    listed = [entry["id"] for entry in index.article.select(".equation-entry")]
    assert listed == ["trace-" + label.replace(":", "-") for page in pages for label in labels(page)]
    for entry in index.article.select(".equation-entry"):
        assert entry.select_one("div.math")
        for item in entry.select("li"):
            name = item.a.get_text().split(".")[-1]
            assert re.match(rf"\s*(?:class|def) {re.escape(name)}\b", leads_to(site, index, item.a))


def public(source) -> list[str]:
    """What a module says that it offers, or defines, and doesn't import."""
    tree = ast.parse(source)
    defined, offered = [], None
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            defined.append(node.name)
        elif isinstance(node, ast.Assign):
            names = [target.id for target in node.targets if isinstance(target, ast.Name)]
            if names == ["__all__"]:
                offered = ast.literal_eval(node.value)
            defined += names
    if offered is None:
        offered = [node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name[0] != "_"]
    return [name for name in offered if name in defined]


def test_every_public_name_has_an_entry(pages, site):
    entries = {element["id"] for page in pages for element in page.article.select("dt.sig[id]")}
    modules = [path for path in ROOT.glob("code/dlcourse/*.py") if path.stem != "__init__"]
    assert modules
    for path in modules:
        names = public(path.read_text(encoding="utf-8"))
        assert [name for name in names if f"dlcourse.{path.stem}.{name}" not in entries] == [], path.stem


def test_entries_lead_to_their_source(page, site):
    for link in page.article.select("dt.sig .source-link a"):
        name = link.find_parent("dt")["id"].split(".")[-1]
        assert re.match(rf"\s*(?:(?:class|def) )?{re.escape(name)}\b", leads_to(site, page, link)), name


def test_source_pages_show_the_sources(site):
    for folder in ("code/dlcourse", "tests/dlcourse"):
        for path in ROOT.glob(f"{folder}/*.py"):
            shown = document(site / "source" / folder.removeprefix("code/") / f"{path.stem}.html")
            lines = [line.get_text() for line in shown.select(".source-page .line")]
            assert lines == path.read_text(encoding="utf-8").removesuffix("\n").split("\n"), path


