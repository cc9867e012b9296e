"""Joins the files of a dataset to one file of the same format, for readers that take one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing

import pandas as pd

from digime_pandas._tabular.formats import CSV, JSON, NDJSON, PARQUET, Format, FormatName
from digime_pandas._tabular.serialize import inspect_frame
from digime_pandas.errors import ReadError, collected_warnings

_QUOTE, _LINE_END = b'"', b"\n"


def join_texts(format: Format, names: Sequence[str], contents: Sequence[bytes]) -> bytes:
    """Return the rows of text files as one file; each row has the bytes that it has in its own file.

    Args:
        format: Their format; not Parquet.
        names: The files' names, for errors.
        contents: The files; at least one.

    Raises:
        ReadError: They cannot be joined: they do not have the same columns, or one is not of its format.
    """
    return _JOINERS[format.name](names, contents)


def join_as_parquet(frame: pd.DataFrame) -> bytes:
    """Return the frame that a dataset of Parquet files holds as one Parquet file.

    Parquet files that were written alone may differ in their types, as those of columns that one has no value of; so
    they are not joined as they are.

    Args:
        frame: The frame.
    """
    with collected_warnings():  # of what the files themselves are without
        inspected = inspect_frame(frame, PARQUET, index=None, options={}).checked()
        with closing(inspected), closing(inspected.chunks()) as chunks:
            return b"".join(map(bytes, chunks))


def _join_csv(names: Sequence[str], contents: Sequence[bytes]) -> bytes:
    header = contents[0][: _header_bytes(contents[0])]
    for name, content in zip(names, contents, strict=True):
        if not content.startswith(header) or _header_bytes(content) != len(header):
            raise ReadError(f"{name!r} has other columns than {names[0]!r}: they are no one table.")
    return header + b"".join(content[len(header) :] for content in contents)


def _header_bytes(content: bytes) -> int:
    """Return how long the first record is; a line end within quotes does not end it."""
    end = content.find(_LINE_END)
    while end >= 0 and content.count(_QUOTE, 0, end) % 2:
        end = content.find(_LINE_END, end + 1)
    return len(content) if end < 0 else end + 1


def _join_json(names: Sequence[str], contents: Sequence[bytes]) -> bytes:
    rows = []
    for name, content in zip(names, contents, strict=True):
        text = content.strip()
        if not (text.startswith(b"[") and text.endswith(b"]")):
            raise ReadError(f"{name!r} is no JSON array of rows.")
        rows.append(text[1:-1].strip())
    return b"[" + b",\n".join(filter(None, rows)) + b"]"


def _join_ndjson(_: Sequence[str], contents: Sequence[bytes]) -> bytes:
    return b"".join(each if each.endswith(_LINE_END) else each + _LINE_END for each in contents if each)


_JOINERS: Mapping[FormatName, Callable[[Sequence[str], Sequence[bytes]], bytes]] = {
    CSV.name: _join_csv,
    JSON.name: _join_json,
    NDJSON.name: _join_ndjson,
}
