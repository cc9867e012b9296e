"""The bytes of a file as a pandas frame."""

from __future__ import annotations

import json
from collections.abc import Sequence
from io import BytesIO
from typing import Any, BinaryIO

import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pyarrow.json
import pyarrow.parquet as pq

from digime_pandas._formats import Format
from digime_pandas._restore import restore, stored_type
from digime_pandas._schema import Schema, schema_from_json, schema_from_text

Source = bytes | memoryview | BinaryIO


def parse(
    data: Source,
    format: Format,
    schema: str | None = None,
    *,
    columns: Sequence[str] | None = None,
    limit: int | None = None,
) -> pd.DataFrame:
    """Return the frame that a file holds."""
    known = None if schema is None else schema_from_text(schema)
    raw = data if isinstance(data, bytes | memoryview) else data.read()
    if format.name == "parquet":
        table = pq.read_table(pa.BufferReader(raw))
        text = (table.schema.metadata or {}).get(b"digime_pandas")
        return _restored(table, schema_from_json(text), plain=False) if text else table.to_pandas()
    table = {"csv": _read_csv, "ndjson": _read_lines, "json": _read_array}[format.name](raw, known)
    return table.to_pandas() if known is None else _restored(table, known, plain=True)


def _read_csv(raw: bytes | memoryview, schema: Schema | None) -> pa.Table:
    options = pa.csv.ReadOptions(use_threads=True, block_size=1 << 24)
    names = pa.csv.open_csv(BytesIO(raw), parse_options=_CSV).schema.names
    types = {} if schema is None else dict(zip(names, map(stored_type, schema.columns), strict=True))
    convert = pa.csv.ConvertOptions(
        null_values=[""], strings_can_be_null=True, quoted_strings_can_be_null=False, column_types=types
    )
    return pa.csv.read_csv(pa.BufferReader(raw), options, _CSV, convert)


_CSV = pa.csv.ParseOptions(newlines_in_values=True, ignore_empty_lines=False)


def _read_lines(raw: bytes | memoryview, schema: Schema | None) -> pa.Table:
    if schema is None or not len(raw):
        return pa.Table.from_pylist([json.loads(line) for line in bytes(raw).splitlines()])
    names = json.loads(bytes(raw[: bytes(raw).index(b"\n")])).keys()
    fields = pa.schema(list(zip(names, map(stored_type, schema.columns), strict=True)))
    return pa.json.read_json(
        pa.BufferReader(raw),
        pa.json.ReadOptions(block_size=1 << 24),
        pa.json.ParseOptions(explicit_schema=fields, newlines_in_values=False),
    )


def _read_array(raw: bytes | memoryview, schema: Schema | None) -> pa.Table:
    return _read_lines(bytes(raw)[1:-3].replace(b"},\n", b"}\n") + b"}\n", schema)


def _restored(table: pa.Table, schema: Schema, *, plain: bool) -> pd.DataFrame:
    arrays = [restore(values, spec, plain=plain) for values, spec in zip(table.columns, schema.columns, strict=True)]
    levels = len(schema.index)
    frame = pd.DataFrame(dict(enumerate(arrays[levels:])), index=pd.RangeIndex(table.num_rows))
    frame.columns = _labels(table.column_names[levels:], schema)
    if levels == 1:
        frame.index = pd.Index(arrays[0], name=schema.index[0])
    elif levels:
        frame.index = pd.MultiIndex.from_arrays(arrays[:levels], names=schema.index)
    if schema.freq is not None:
        frame.index.freq = schema.freq  # type: ignore[attr-defined]
    frame.attrs.update(schema.attrs or {})
    return frame


def _labels(names: list[str], schema: Schema) -> pd.Index[Any]:
    if not schema.labels:
        return pd.Index(names, name=schema.label_names[0])
    levels = [restore(each.array, each.spec, plain=True) for each in schema.labels]
    if len(levels) == 1:
        return pd.Index(levels[0], name=schema.label_names[0])
    return pd.MultiIndex.from_arrays(levels, names=schema.label_names)
