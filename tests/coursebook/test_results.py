"""Whatever happens to the folder of results, a build finds whole results or none."""

import multiprocessing
import os
import random
import signal
import time
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from coursebook.execution.results import DAYS, Store
from coursebook.execution.runner import Failure, Run

RUN = Run(
    cells=[{"execution_count": 1, "outputs": [{"output_type": "stream", "name": "stdout", "text": "0.1 ± 2 \u2028"}]}],
    metadata={"language_info": {"name": "python"}},
    seconds=1.25,
    finished=1e9,
)


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "results")


def names(store):
    return sorted(path.name for path in store.folder.glob("*"))


def test_a_result_comes_back_as_it_was(store):
    assert store.get("a") is None
    store.put("a", RUN)
    assert store.get("a") == RUN
    assert store.get("b") is None
    assert names(store) == ["a.json"]


def test_a_failure_is_no_result(store):
    with pytest.raises(ValueError, match="ZeroDivisionError"):
        store.put("a", replace(RUN, failure=Failure("ZeroDivisionError", "", "", 0)))
    assert names(store) == []


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(st.data())
def test_a_damaged_file_counts_as_absent(store, data):
    store.put("a", RUN)
    path = store.folder / "a.json"
    whole = path.read_bytes()
    at = data.draw(st.integers(0, len(whole) - 1))
    flipped = whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :]
    damaged = data.draw(st.sampled_from([whole[:at], flipped, whole + b"x"]))
    path.write_bytes(damaged)
    assert store.get("a") is None
    store.put("a", RUN)
    assert store.get("a") == RUN


@pytest.mark.parametrize("content", [b"", b"{}", b"\x80\x04.", b"no newline", b"0" * 64 + b"\n{}"])
def test_a_foreign_file_counts_as_absent(store, content):
    store.folder.mkdir()
    (store.folder / "a.json").write_bytes(content)
    assert store.get("a") is None


def test_a_file_under_another_name_counts_as_absent(store):
    store.put("a", RUN)
    os.replace(store.folder / "a.json", store.folder / "b.json")
    assert store.get("b") is None


def test_times(store):
    assert store.times() == {}
    store.put_times({"a": 1.234, "b": 2})
    store.put_times({"a": 3})
    assert store.times() == {"a": 3, "b": 2}
    for content in ("", "[1]", '{"a": "soon"}'):
        (store.folder / "times.json").write_text(content)
        assert store.times() == {}


def test_results_that_no_build_uses_are_deleted(store):
    for key in ("used", "unused"):
        store.put(key, RUN)
        os.utime(store.folder / f"{key}.json", (0, time.time() - (DAYS + 1) * 24 * 3600))
    for name in ("old.part", "new.part"):
        (store.folder / name).touch()
    os.utime(store.folder / "old.part", (0, time.time() - 7200))
    store.get("used")
    store.prune()
    assert names(store) == ["new.part", "used.json"]


def _write_for_ever(folder, text):
    store = Store(folder)
    run = replace(RUN, cells=[{"execution_count": 1, "outputs": [text * 100_000]}])
    while True:
        for key in ("a", "b"):
            store.put(key, run)
        store.put_times({text: 1.0})


def test_writers_that_are_killed_and_writers_at_once_leave_whole_results(store):
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_write_for_ever, args=(store.folder, text)) for text in "xy"]
    for writer in writers:
        writer.start()
    deadline = time.monotonic() + 60
    while not (store.folder / "b.json").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    for _ in range(100):
        assert store.get("a").cells[0]["outputs"][0][0] in "xy"
        assert set(store.times()) <= set("xy")
    time.sleep(random.random() / 50)
    for writer in writers:
        os.kill(writer.pid, getattr(signal, "SIGKILL", signal.SIGTERM))
        writer.join()
    assert store.get("a") and store.get("b")
    assert {name for name in names(store) if not name.endswith(".part")} == {"a.json", "b.json", "times.json"}
