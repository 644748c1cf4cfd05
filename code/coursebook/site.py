"""Where the book is found: its address, its repository, and the places inside them.

Both are empty until somebody publishes the book. Sphinx calls the address
``html_baseurl``; the repository is ``repository: url`` in ``_config.yml``.
"""

import posixpath
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

from docutils import nodes
from sphinx.application import Sphinx

__all__ = ["BRANCH", "Links", "Repository", "address", "has_notebook", "in_bundle", "is_built", "repository"]

BRANCH = "notebooks"  # of the repository: the publishing workflow puts the bundle's content there


def address(app: Sphinx) -> str:
    """The site's address with a slash at its end, empty where none is configured."""
    base = app.config.html_baseurl.strip()
    return f"{base.rstrip('/')}/" if base else ""


@dataclass(frozen=True)
class Repository:
    """A repository on GitHub, the one host that Colab reads from."""

    owner: str
    name: str

    @property
    def raw(self) -> str:
        """Where the files of the branch with the notebooks are served as they are."""
        return f"https://raw.githubusercontent.com/{self.owner}/{self.name}/{BRANCH}/"


def repository(app: Sphinx) -> Repository | None:
    """The book's repository; None where none is configured, or it is not on GitHub."""
    parts = urlsplit(app.config.html_theme_options.get("repository_url", "").strip())
    path = [part for part in parts.path.rstrip("/").removesuffix(".git").split("/") if part]
    return Repository(*path) if parts.hostname == "github.com" and len(path) == 2 else None


def is_built(app: Sphinx) -> bool:
    """Whether this build makes the site, and not one page to print or a list of links."""
    return app.builder.name in ("html", "dirhtml")


def has_notebook(app: Sphinx, docname: str) -> bool:
    """Whether a page was executed, and thus offers a notebook."""
    return bool(getattr(app.env, "nb_metadata", {}).get(docname, {}).get("exec_data"))


def in_bundle(app: Sphinx) -> dict[str, str]:
    """The path of each page's notebook in the bundle, by page.

    The folder of the landing page is the bundle's own: ``book/labs/mnist`` becomes
    ``labs/mnist.ipynb``. So links from one notebook to another hold here and there.
    """
    names = sorted(name for name in app.env.found_docs if has_notebook(app, name))
    folder = posixpath.dirname(app.config.root_doc)
    prefix = f"{folder}/" if folder and all(name.startswith(f"{folder}/") for name in names) else ""
    return {name: f"{name.removeprefix(prefix)}.ipynb" for name in names}


class Links:
    """What a reference of a page becomes in its notebook.

    With an address it leads to the site. Without one it leads to the notebook of the page
    it names, or is None and stays the text that it is.
    """

    def __init__(self, app: Sphinx, docname: str) -> None:
        self.app = app
        self.docname = docname
        self.base = address(app)
        self.page = app.builder.get_target_uri(docname)

    def __call__(self, node: nodes.Element) -> str | None:
        if "filename" in node:  # a file to download
            return self.base and f"{self.base}_downloads/{node['filename']}"
        uri = node.get("refuri", "")
        parts = urlsplit(uri)
        if parts.scheme or parts.netloc:
            return uri
        if not parts.path:
            return None  # a place on this page
        path = posixpath.normpath(posixpath.join(posixpath.dirname(self.page), parts.path))
        if "bibtex-citation" in node.parent.get("classes", ()) and not self.base:
            return None  # the works are listed at the end
        if self.base:
            return urljoin(self.base, path) + (f"#{parts.fragment}" if parts.fragment else "")
        if not hasattr(self.app, "coursebook_pages"):
            names = self.app.env.found_docs
            self.app.coursebook_pages = {self.app.builder.get_target_uri(name): name for name in names}
        name = self.app.coursebook_pages.get(path)
        if name is None or name == self.docname or not has_notebook(self.app, name):
            return None
        return posixpath.relpath(f"{name}.ipynb", posixpath.dirname(self.docname) or ".")
