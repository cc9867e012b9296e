"""A frame as the bytes of a file, in slices.

`prepare` finds out everything that can be found out before the first byte is sent; `Prepared.chunks` then serializes
slice by slice in bounded memory, anew at each call.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import pyarrow as pa

from digime_pandas import _csv, _json, _parquet
from digime_pandas._fidelity import ColumnVerdict
from digime_pandas._formats import Format
from digime_pandas._frame import Frame, look_at
from digime_pandas._schema import schema_of
from digime_pandas._text import plain

SLICE_BYTES = 4 << 20
ROW_GROUP_BYTES = 16 << 20
_PROBE_ROWS = 64
_GROWTH = 4

_NO_OPTIONS: Mapping[str, object] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Prepared:
    """A frame that can be serialized.

    Attributes:
        format: The format of the file.
        rows: How many rows it has; None for a one-shot stream.
        one_shot: Whether `chunks` works only once.
        columns: What becomes of each column, index levels first.
        schema: The text by which the file comes back typed, or None where it is not needed (or not wanted).
    """

    format: Format
    rows: int | None
    one_shot: bool
    columns: tuple[ColumnVerdict, ...]
    schema: str | None
    _frame: Frame = field(repr=False)
    _options: Mapping[str, Any] = field(repr=False)

    def chunks(self) -> Iterator[bytes]:
        """Serialize from the first row, in pieces of about 4 MiB."""
        if self.format.name == "parquet":
            schema = _parquet.file_schema(self._frame, schema_of(self._frame).to_json())
            return _parquet.chunks(_row_groups(self._frame, schema), schema, compression="snappy")
        return _text_chunks(self._frame, self.format.name, self._options)


def prepare(
    frame: object, format: Format, *, index: bool | None = None, options: Mapping[str, object] = _NO_OPTIONS
) -> Prepared:
    """Look at a frame and refuse what the format cannot hold.

    Args:
        frame: A pandas DataFrame or Series, or an object that exports Arrow streams. It is never changed.
        format: The format to write.
        index: Whether the index is kept; None keeps every index but a default RangeIndex.
        options: Options of the format.
    """
    known = look_at(frame, index=index)
    schema = None if known.labels is None or format.name == "parquet" else schema_of(known).to_text()
    return Prepared(format, known.rows, known.one_shot, (), schema, known, options)


def _text_chunks(frame: Frame, format: str, options: Mapping[str, Any]) -> Iterator[bytes]:
    take = frame.open()
    if format == "csv":
        yield _csv.header([each.name for each in frame.columns])
    first = True
    count = _PROBE_ROWS
    while (batch := take(count)) is not None:
        text = _serialized(_plain(batch), format, options, first=first)
        first = False
        yield text
        count = max(1, min(count * _GROWTH, SLICE_BYTES * batch.num_rows // max(len(text), 1)))
    if format == "json":
        yield b"[]\n" if first else b"]\n"


def _row_groups(frame: Frame, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    take = frame.open()
    count = _PROBE_ROWS * 1000
    while (batch := take(count)) is not None:
        yield batch.cast(schema) if batch.schema != schema else batch
        count = max(1, ROW_GROUP_BYTES * batch.num_rows // max(batch.nbytes, 1))


def _plain(batch: pa.RecordBatch) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays([plain(each) for each in batch.columns], names=batch.schema.names)


def _serialized(batch: pa.RecordBatch, format: str, options: Mapping[str, Any], *, first: bool) -> bytes:
    if format == "csv":
        return _csv.rows(batch, **options)
    return _json.lines(batch) if format == "ndjson" else _json.elements(batch, first=first)
