import os

import pytest

from coursebook.files import write_whole


def test_written_and_written_again(tmp_path):
    path = tmp_path / "new" / "file.txt"
    for text in ("first\n", "second, ± and \r\n"):
        write_whole(path, text)
        assert path.read_bytes() == text.encode()
        assert os.listdir(path.parent) == ["file.txt"]
    (tmp_path / "plain").write_text("")
    assert path.stat().st_mode == (tmp_path / "plain").stat().st_mode, "others may read it, as any file"


def test_what_cannot_be_written_leaves_the_old_file(tmp_path):
    write_whole(tmp_path / "file.txt", "old")
    with pytest.raises(UnicodeEncodeError):
        write_whole(tmp_path / "file.txt", "new \udc80")
    assert (tmp_path / "file.txt").read_text() == "old"
    assert os.listdir(tmp_path) == ["file.txt"]
