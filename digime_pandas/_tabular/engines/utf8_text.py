"""Whether texts of Arrow are UTF-8, found out by polars, which looks at many bytes at a time and Arrow at one."""

from __future__ import annotations

import sys

import numpy as np
import pyarrow as pa

from digime_pandas._tabular.engines.polars_text import polars_is_usable

_LEAST_BYTES = 1 << 20
_LEAST_BYTES_TO_LOAD = 128 << 20  # Arrow takes longer for them than polars takes to load
_MOST_BYTES = 2 << 30
_BLOCK_BYTES = 4 << 20
_LEAST_START = -64  # as a signed number; the bytes below are those within a letter, after its first one


def is_found_utf8(texts: pa.Array) -> bool:
    """Return whether all texts are UTF-8; also False where Arrow is as quick to find it out.

    Args:
        texts: Binary values whose offsets are within their bytes.
    """
    least = _LEAST_BYTES if "polars" in sys.modules else _LEAST_BYTES_TO_LOAD
    letters = texts.buffers()[2]
    if letters is None or not least <= texts.nbytes <= letters.size + texts.nbytes <= _MOST_BYTES:
        return False
    rows = max(1, len(texts) * _BLOCK_BYTES // max(texts.nbytes, 1))
    return polars_is_usable() and all(_is_utf8(texts.slice(start, rows)) for start in range(0, len(texts), rows))


def _is_utf8(texts: pa.Array) -> bool:
    """Return whether texts are UTF-8, all of them as one and each from the first byte of a letter on."""
    import polars as pl

    _, offsets, letters = texts.buffers()
    width = np.int32 if pa.types.is_binary(texts.type) else np.int64
    ends = np.frombuffer(offsets, width)[texts.offset : texts.offset + len(texts) + 1]
    starts = ends[: ends.searchsorted(ends[-1])]  # without empty texts at the end, which start behind the last letter
    if (np.frombuffer(letters, np.int8)[starts] < _LEAST_START).any():
        return False
    span = pa.py_buffer(ends[[0, -1]].astype(np.int64))
    values = pl.from_arrow(pa.Array.from_buffers(pa.large_binary(), 1, [None, span, letters]))
    assert isinstance(values, pl.Series)
    try:
        values.cast(pl.String, strict=True)
    except pl.exceptions.PolarsError:
        return False
    return True
