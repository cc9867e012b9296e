"""Parquet files, by path or opened."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from digime_pandas._tabular.columns import BLOCK_ROWS
from digime_pandas._tabular.frames.streamed.batch_source import BatchSource, raise_unreadable
from digime_pandas.errors import InputError

_BUFFER_BYTES = 1 << 16  # per column, of a column chunk that is read piece by piece
_LONGEST_PATH = 1_024  # characters


def parquet_path(path: str | os.PathLike[str]) -> BatchSource:
    """Return the rows of a Parquet file.

    Args:
        path: Where it is. It is opened for each reading.

    Raises:
        InputError: There is no such file, or it is no Parquet file.
    """
    given = os.fsdecode(path)
    if not given or len(given) > _LONGEST_PATH or "\n" in given:
        # Not shown, since it may be the content of a file.
        raise InputError(
            f"frame is a {type(path).__name__} of {len(given):,} characters, which is not the path of a Parquet file. "
            "Give its path, a pandas DataFrame or another frame; client.write sends ready bytes."
        )
    what, taken = f"The Parquet file {given!r}", f"frame is a {type(path).__name__}, the path {given!r}"
    try:
        absolute = Path(given).expanduser().absolute()
        if absolute.is_dir():
            raise InputError(f"{taken}, which is a folder. Give pyarrow.dataset.dataset({given!r}).")
        with _opened(absolute) as file:
            schema = file.schema_arrow
    except FileNotFoundError as error:
        raise InputError(f"{taken}, where there is no file. Give the path of a Parquet file, or a frame.") from error
    except BaseException as error:  # noqa: BLE001 - raised again
        raise_unreadable(
            error,
            f"{taken}, which cannot be read as a Parquet file",
            "Other files are read by pandas or polars first; client.write sends ready bytes.",
            "Say with --from which format it is.",
        )

    def batches() -> Iterator[pa.RecordBatch]:
        with _opened(absolute) as file:
            yield from file.iter_batches(BLOCK_ROWS)

    return BatchSource(what, schema, batches)


def parquet_file(file: pq.ParquetFile) -> BatchSource:
    """Return the rows of an opened Parquet file, which stays open."""

    def batches() -> Iterator[pa.RecordBatch]:
        # By row groups, as with ``pre_buffer`` all that was asked for is kept until the end.
        for group in range(file.num_row_groups):
            yield from file.iter_batches(BLOCK_ROWS, row_groups=[group])

    return BatchSource("The ParquetFile", file.schema_arrow, batches)


def _opened(path: Path) -> pq.ParquetFile:
    return pq.ParquetFile(path, pre_buffer=False, buffer_size=_BUFFER_BYTES)
