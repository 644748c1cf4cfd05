"""Bring the files of a data set from its mirrors into a cache folder.

A file stays in memory until its content is known to be right (MNIST's largest has 10 MB),
and every write goes to a name of its own that then replaces the wanted one in one step.
So a half-written file never has a final name, and two processes need no lock, which one
of them could die with. What an interrupted download had is kept as ``<name>.gz.part``, and
the next one asks for the rest only.
"""

import contextlib
import gzip
import hashlib
import http.client
import os
import queue
import tempfile
import threading
import time
import urllib.error
import urllib.request
import warnings
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

__all__ = ["DataError", "DataUnavailable", "File", "Source", "WrongContent", "download", "unpack"]

SLOWEST = 10_000  # bytes a second; a mirror that stays below counts as stalled


class DataError(Exception):
    """A file of a data set is missing, damaged or not what its name says."""


class DataUnavailable(DataError):
    """The data set cannot be had at all: not here, and no mirror can be reached."""


class WrongContent(DataError):
    """Something came, or was kept, but it is not the wanted file."""


@dataclass(frozen=True)
class File:
    """One file of a data set: its name without ``.gz``, and what its content must be."""

    name: str
    sha256: str  # of the decompressed content: mirrors may compress differently
    dimensions: int  # of the array in it: 3 for images, 1 for labels

    @property
    def header(self) -> int:
        """The number of bytes before the data: the magic number and the sizes."""
        return 4 + 4 * self.dimensions


@dataclass(frozen=True)
class Source:
    """A data set in IDX files: training images and labels, then the test set's."""

    name: str
    files: tuple[File, File, File, File]
    mirrors: tuple[str, ...]  # addresses of folders that hold <name>.gz
    timeout: float = 5.0  # seconds: for an answer, and then for each further piece

    @property
    def help(self) -> str:
        """What a user can do when the files do not come."""
        return (
            "Check the network and run this again: what has arrived is kept. Or put "
            f"{', '.join(file.name + '.gz' for file in self.files)} into a folder, from "
            "wherever you can get them, and set the environment variable DLCOURSE_DATA to it."
        )


def download(files: Iterable[File], source: Source, cache: Path) -> tuple[dict[File, bytes], list[str]]:
    """Fetch ``files`` from the first mirror that has them, and keep them in ``cache``.

    A cache that cannot be written costs a warning, not the data.

    Returns
    -------
    contents : dict of File to bytes
        The decompressed, verified content of each file.
    used : list of str
        The mirrors they came from.

    Raises
    ------
    DataUnavailable
        When no mirror can be reached, or none has the file.
    DataError
        When a mirror was reached, but the file broke off or is not the right one.
    """
    contents, used, mirrors, unwritable = {}, [], list(source.mirrors), None
    for file in files:
        problems = []
        for mirror in tuple(mirrors):
            try:
                body, contents[file] = _fetch(file, mirror, cache, source.timeout)
            except DataError as problem:
                problems.append(problem)
                mirrors.append(mirrors.pop(0))  # the next file does not wait for it again
            else:
                used += [mirror] if mirror not in used else []
                break
        else:
            reasons = "".join(f"\n  {problem}" for problem in problems)
            unreachable = all(isinstance(problem, DataUnavailable) for problem in problems)
            kind = DataUnavailable if unreachable else DataError
            raise kind(f"{file.name}.gz could not be downloaded:{reasons}\n{source.help}")
        try:
            _write(cache / f"{file.name}.gz", body)
            _partial(cache, file).unlink(missing_ok=True)
        except OSError as error:
            unwritable = error
    if unwritable:
        warnings.warn(
            f"{source.name} was downloaded but cannot be kept in {cache} ({unwritable.strerror}), so it "
            f"will be downloaded again next time. {source.help}",
            stacklevel=4,  # the line that calls load_mnist
        )
    return contents, used


def unpack(data: bytes) -> bytes:
    """Decompress ``data`` where it is gzip; servers and browsers unpack some on the way.

    Raises
    ------
    WrongContent
        When the compressed data is damaged or ends early.
    """
    if not data.startswith(b"\x1f\x8b"):
        return data
    try:
        return gzip.decompress(data)
    except (EOFError, OSError, zlib.error) as error:
        raise WrongContent(f"damaged gzip data: {error}") from error


def _partial(cache: Path, file: File) -> Path:
    return cache / f"{file.name}.gz.part"


def _fetch(file: File, mirror: str, cache: Path, timeout: float) -> tuple[bytes, bytes]:
    """Return the file as it came and its verified content, from one mirror."""
    url = f"{mirror.rstrip('/')}/{file.name}.gz"
    partial = _partial(cache, file)
    try:
        kept = partial.read_bytes()
    except OSError:
        kept = b""
    if kept:
        # A part of another version of the file cannot be continued, which only shows at
        # the end: then it is dropped and the file fetched afresh, once.
        with contextlib.suppress(WrongContent):
            return _verified(url, _receive(url, kept, partial, timeout), file)
        with contextlib.suppress(OSError):
            partial.unlink()
    return _verified(url, _receive(url, b"", partial, timeout), file)


def _verified(url: str, body: bytes, file: File) -> tuple[bytes, bytes]:
    try:
        content = unpack(body)
    except WrongContent as error:
        raise WrongContent(f"{url}: {error}") from error
    found = hashlib.sha256(content).hexdigest()
    if found != file.sha256:
        # On a campus or hotel network this is often the page that asks for a log-in.
        raise WrongContent(
            f"{url}: answered with other content (a log-in page?): SHA-256 {found}, expected {file.sha256}"
        )
    return body, content


def _receive(url: str, kept: bytes, partial: Path, timeout: float) -> bytes:
    """Return the body at ``url``, whose first bytes may be ``kept`` already.

    Whatever ends the transfer early, what has come is saved to ``partial``, and also every
    ``timeout`` seconds, for a killed process saves nothing any more.
    """
    try:
        response = _open(url, len(kept), timeout)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            raise WrongContent(f"{url}: has no more than the {len(kept):,} bytes kept") from error
        raise DataUnavailable(f"{url}: answered {error.code} {error.reason}") from error
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", error)
        if isinstance(reason, TimeoutError):
            reason = f"no answer in {timeout:g} s"
        raise DataUnavailable(f"{url}: not reached: {reason}") from error
    with response:
        body = bytearray(kept if response.status == http.HTTPStatus.PARTIAL_CONTENT else b"")
        # A broken connection looks like the end of the body, so the length is compared.
        whole = None if response.length is None else len(body) + response.length
        try:
            mark, before = time.monotonic(), len(body)
            while len(body) != whole and (piece := response.read1(1 << 16)):
                body += piece
                elapsed = time.monotonic() - mark
                if elapsed > timeout and len(body) != whole:
                    if len(body) - before < SLOWEST * elapsed:
                        raise TimeoutError(f"less than {SLOWEST:,} bytes a second")
                    _save(partial, body)
                    mark, before = time.monotonic(), len(body)
            if whole is not None and len(body) != whole:
                raise ConnectionError("connection closed")
        except (OSError, http.client.HTTPException) as error:
            _save(partial, body)
            of_whole = "" if whole is None else f" of {whole:,}"
            raise DataError(f"{url}: broke off after {len(body):,}{of_whole} bytes: {error}") from error
        except KeyboardInterrupt:
            _save(partial, body)
            raise
    return bytes(body)


def _open(url: str, start: int, timeout: float) -> http.client.HTTPResponse:
    """``urlopen``, bounded as a whole.

    Its own time limit holds for each address of a host and each piece of the answer's
    head, and not for the look-up of the name: without a network that adds up to a minute.
    """
    request = urllib.request.Request(url, headers={"Range": f"bytes={start}-"} if start else {})
    answers, given_up = queue.SimpleQueue(), threading.Event()

    def ask():
        try:
            answer = urllib.request.urlopen(request, timeout=timeout)
        except Exception as error:  # it belongs to the thread that waits
            answer = error
        answers.put(answer)
        if given_up.is_set() and not isinstance(answer, Exception):
            answer.close()

    threading.Thread(target=ask, daemon=True).start()
    try:
        answer = answers.get(timeout=timeout)
    except queue.Empty:
        given_up.set()
        raise TimeoutError from None
    if isinstance(answer, Exception):
        raise answer
    return answer


def _save(partial: Path, body: bytes) -> None:
    """Keep the first part of a file; where that fails, only the saving of time is lost."""
    with contextlib.suppress(OSError):
        if body:
            _write(partial, body)


def _write(path: Path, data: bytes) -> None:
    """Write ``data`` so that ``path`` is at every moment absent, as before, or whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f"{path.name}.", suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
