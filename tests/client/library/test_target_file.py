"""Files of the user's own: whole or not at all, and what is no file stays what it is."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from digime_pandas._client.library.target_file import put_file
from digime_pandas._service.streams import Buffer
from digime_pandas.errors import InputError

PIECES: list[Buffer] = [b"one", memoryview(b"two")]


def test_a_file_is_replaced_and_so_is_what_a_link_leads_to(tmp_path: Path) -> None:
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_bytes(b"before")
    link.symlink_to(target)
    assert put_file(link, PIECES) == 6
    assert link.is_symlink()
    assert target.read_bytes() == b"onetwo"


def test_where_it_breaks_off_nothing_changes(tmp_path: Path) -> None:
    def broken() -> Iterator[bytes]:
        yield b"one"
        raise RuntimeError("broken")

    target = tmp_path / "target"
    target.write_bytes(b"before")
    with pytest.raises(RuntimeError, match="broken"):
        put_file(target, broken())
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"before"]


def test_a_pipe_is_written_to_and_stays_one(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()))
    reader.start()
    put_file(pipe, PIECES)
    reader.join()
    assert read == [b"onetwo"]
    assert pipe.is_fifo()


def test_a_device_stays_one() -> None:
    put_file(Path(os.devnull), PIECES)
    assert Path(os.devnull).is_char_device()


@pytest.mark.parametrize("name", ["nowhere/file", "folder"])
def test_what_cannot_be_written_is_an_error_that_names_it(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(InputError, match=f"{name}' cannot be written"):
        put_file(tmp_path / name, PIECES)
