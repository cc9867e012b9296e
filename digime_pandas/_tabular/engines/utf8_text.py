"""Whether texts of Arrow are UTF-8, found out by polars, which looks at many bytes at a time and Arrow at one."""

from __future__ import annotations

import sys

import pyarrow as pa

from digime_pandas._tabular.engines.polars_text import polars_is_usable

_LEAST_BYTES = 1 << 20
_LEAST_BYTES_TO_LOAD = 128 << 20  # Arrow takes longer for them than polars takes to load
_MOST_BYTES = 2 << 30
_SLICE_ROWS = 1 << 18  # polars takes 16 bytes for each value


def is_found_utf8(texts: pa.Array) -> bool:
    """Return whether all texts are UTF-8; also False where Arrow is as quick to find it out.

    Args:
        texts: Binary values whose offsets are within their bytes.
    """
    least = _LEAST_BYTES if "polars" in sys.modules else _LEAST_BYTES_TO_LOAD
    letters = texts.buffers()[2]
    if letters is None or not least <= texts.nbytes <= letters.size + texts.nbytes <= _MOST_BYTES:
        return False
    return polars_is_usable() and all(
        _is_utf8(texts.slice(start, _SLICE_ROWS)) for start in range(0, len(texts), _SLICE_ROWS)
    )


def _is_utf8(texts: pa.Array) -> bool:
    import polars as pl

    values = pl.from_arrow(texts)
    assert isinstance(values, pl.Series)
    try:
        values.cast(pl.String, strict=True)
    except pl.exceptions.PolarsError:
        return False
    return True
