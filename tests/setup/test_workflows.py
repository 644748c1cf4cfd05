"""The workflows, as far as a machine without GitHub can tell; and the push of notebooks, for real."""

import re
import subprocess
import zipfile
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
PUSH = ROOT / ".github/push-notebooks"
WORKFLOWS = {
    path.stem: yaml.safe_load(path.read_text(encoding="utf-8")) for path in (ROOT / ".github/workflows").glob("*.yml")
}
JOBS = {f"{name}/{job}": body for name, flow in WORKFLOWS.items() for job, body in flow["jobs"].items()}
STEPS = [(name, step) for name, job in JOBS.items() for step in job["steps"]]
RUNS = [(name, step["run"]) for name, step in STEPS if "run" in step]


def test_the_workflows_are_there():
    assert set(WORKFLOWS) == {"publish", "test"}
    assert set(JOBS) == {"publish/build", "publish/deploy", "publish/notebooks", "test/dlcourse"}


def test_a_job_may_do_what_it_has_to_and_no_more():
    for flow in WORKFLOWS.values():
        assert flow["permissions"] == {"contents": "read"}
    assert {name: job["permissions"] for name, job in JOBS.items() if "permissions" in job} == {
        "publish/build": {"contents": "read", "pages": "read"},
        "publish/deploy": {"pages": "write", "id-token": "write"},
        "publish/notebooks": {"contents": "write"},
    }
    for name, step in STEPS:
        if step.get("uses", "").startswith("actions/checkout@") and name != "publish/notebooks":
            assert step["with"]["persist-credentials"] is False, name


def test_only_the_default_branch_goes_out():
    condition = JOBS["publish/deploy"]["if"]
    assert "github.event_name != 'pull_request'" in condition
    assert "github.ref_name == github.event.repository.default_branch" in condition
    assert JOBS["publish/deploy"]["needs"] == "build"
    assert JOBS["publish/notebooks"]["needs"] == "deploy", "which is skipped, and this with it"


def test_actions_are_github_s_own_and_pinned():
    used = [step["uses"] for _, step in STEPS if "uses" in step]
    assert used
    assert [name for name in used if not re.fullmatch(r"actions/[a-z-]+@(v\d+|[0-9a-f]{40})", name)] == []


@pytest.mark.parametrize(("job", "run"), RUNS, ids=[f"{job}: {run.splitlines()[0][:40]}" for job, run in RUNS])
def test_a_step_is_a_script_that_bash_reads_and_this_repository_can_run(job, run):
    # An expression in a script would be a way in for whoever names a branch or a title.
    assert "${{" not in run
    assert subprocess.run(["bash", "-n", "-c", run], capture_output=True).returncode == 0
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    called = re.findall(r"^make(?: [A-Z]+=\S+)* ([a-z]+)", run, re.MULTILINE)
    assert len(called) == len(re.findall(r"\bmake\b", run))
    assert set(called) <= targets
    for path in re.findall(r"TESTS=(\S+)", run) + re.findall(r"^\.github/\S+", run, re.MULTILINE):
        assert (ROOT / path).exists()


def test_nothing_secret_is_named():
    for path in (ROOT / ".github").rglob("*"):
        if path.is_file():
            assert not re.search(r"secrets\.|token(?!: write)|password", path.read_text().lower()), path


def test_names_are_those_of_the_code():
    from coursebook import address
    from coursebook.notebooks import bundle
    from coursebook.printing import chromium, pdf

    text = (ROOT / ".github/workflows/publish.yml").read_text()
    assert set(re.findall(r"COURSEBOOK_\w+", text)) == {
        address.ADDRESS, address.REPOSITORY, address.BRANCH, "COURSEBOOK_BROWSER",
    }
    assert f"_build/html/{bundle.NAME}" in text
    assert f"_build/pdf/{pdf.NAME}" in text
    assert "google-chrome" in chromium.NAMES
    assert 'Store(Path(app.outdir).parent / ".results")' in (ROOT / "code/coursebook/execution/pages.py").read_text()


def test_the_code_is_tested_on_every_python_of_the_book():
    matrix = JOBS["test/dlcourse"]["strategy"]["matrix"]["python"]
    versions = re.search(r"^VERSIONS := (.+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)[1].split()
    assert sorted(matrix) == sorted(versions)


def git(folder, *arguments):
    done = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture
def clone(tmp_path, monkeypatch):
    """A clone with one commit, and the bare repository that it comes from."""
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    git(tmp_path, "init", "--quiet", "--bare", "--initial-branch=main", "origin.git")
    git(tmp_path, "clone", "--quiet", "origin.git", "clone")
    clone = tmp_path / "clone"
    (clone / ".gitignore").write_text("*.whl\n")
    git(clone, "add", ".")
    git(clone, "-c", "user.name=A", "-c", "user.email=a@b", "commit", "--quiet", "-m", "First")
    git(clone, "push", "--quiet", "origin", "HEAD:main")
    return clone


def push(clone, files):
    packed = clone.parent / "notebooks.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return subprocess.run([PUSH, packed], cwd=clone, capture_output=True, text=True)


def test_the_notebooks_are_the_one_commit_of_their_branch(clone):
    files = {"labs/a.ipynb": "{}", "dlcourse-1-py3-none-any.whl": "wheel", "README.md": "Read."}
    origin = clone.parent / "origin.git"
    before = git(clone, "rev-parse", "HEAD"), git(origin, "rev-parse", "main")

    done = push(clone, files)
    assert done.returncode == 0, done.stderr
    assert set(git(origin, "ls-tree", "-r", "--name-only", "notebooks").splitlines()) == set(files)
    assert git(origin, "show", "notebooks:labs/a.ipynb") == "{}"
    first = git(origin, "rev-parse", "notebooks")

    again = push(clone, files)
    assert again.returncode == 0
    assert "already" in again.stdout
    assert git(origin, "rev-parse", "notebooks") == first

    assert push(clone, {"labs/b.ipynb": "{}"}).returncode == 0
    assert git(origin, "ls-tree", "-r", "--name-only", "notebooks") == "labs/b.ipynb"
    assert git(origin, "rev-list", "--count", "notebooks") == "1", "no history piles up"

    assert (git(clone, "rev-parse", "HEAD"), git(origin, "rev-parse", "main")) == before
    assert git(clone, "status", "--porcelain") == "", "the clone is as it was"


def test_a_bundle_without_notebooks_is_not_pushed(clone):
    done = push(clone, {"README.md": "Read."})
    assert done.returncode == 1
    assert done.stderr.startswith("push-notebooks: no notebook in ")
    missing = subprocess.run([PUSH, "no.zip"], cwd=clone, capture_output=True, text=True)
    assert missing.returncode == 1
    assert missing.stderr == "push-notebooks: no such file: no.zip\n"
    assert git(clone.parent / "origin.git", "branch", "--format=%(refname:short)") == "main"


def test_a_push_that_is_refused_fails(clone):
    git(clone, "remote", "set-url", "origin", str(clone.parent / "nowhere.git"))
    assert push(clone, {"a.ipynb": "{}"}).returncode != 0
