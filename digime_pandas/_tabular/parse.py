"""The bytes of a file as a pandas frame.

With the schema that was made when the file was written, the frame comes back as it was: dtypes (with the categories
that rows use), index, column labels, and `attrs` where they were sent. Parquet files carry it inside. Without one,
plain rules apply (see `_plain_rules`; for Parquet, the metadata of pandas where there is some).
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator, Sequence
from io import BytesIO
from typing import BinaryIO

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from digime_pandas._tabular.codecs.parquet import ATTRS_KEY, SCHEMA_KEY
from digime_pandas._tabular.codecs.tables import (
    Columns,
    as_columns,
    csv_columns,
    json_columns,
    parquet_columns,
    parquet_tables,
)
from digime_pandas._tabular.fidelity import FidelityWarning
from digime_pandas._tabular.formats import PARQUET, Format
from digime_pandas._tabular.rebuild import FrameBuilder
from digime_pandas._tabular.schema import Schema, schema_from_json, schema_from_text
from digime_pandas.errors import InputError, ReadError

Source = bytes | bytearray | memoryview | BinaryIO


def parse(
    data: Source,
    format: Format,
    schema: str | None = None,
    *,
    columns: Sequence[str] | None = None,
    limit: int | None = None,
) -> pd.DataFrame:
    """Return the frame that a file holds.

    Args:
        data: The file, or a binary stream of it that can seek.
        format: Its format.
        schema: The text that `inspect_frame` made for it, or None. It is not trusted: one that is damaged, or does not
            fit the file, is ignored with a warning.
        columns: Names of the columns that are wanted, as they are in the file; the index comes in any case.
        limit: How many rows are wanted at most, from the first.

    Raises:
        InputError: There is no such column, or `limit` is negative.
        ReadError: It is no file of that format.

    Warns:
        FidelityWarning: The schema was ignored.
    """
    if limit is not None and limit < 0:
        raise InputError(f"limit={limit} is negative. Give the number of rows, or None for all.")
    pieces = _pieces(_stream(data), format, schema, columns, None if limit is None else max(limit, 1))
    return next(pieces).iloc[slice(limit)]


def parse_batches(
    source: Source,
    format: Format,
    schema: str | None = None,
    *,
    columns: Sequence[str] | None = None,
    batch_rows: int = 65_536,
) -> Iterator[pd.DataFrame]:
    """Yield the frame that a file holds in pieces, in bounded memory.

    Without a schema the plain rules look at each piece by itself, so that a column may change its type on the way;
    with one, only the categories of a category whose schema does not list them differ from piece to piece.

    Args:
        source: As for `parse`, and so are the others.
        format: Its format.
        schema: The text that `inspect_frame` made for it, or None.
        columns: Names of the columns that are wanted.
        batch_rows: Rows of each piece; the last one may have fewer. A file without rows gives one empty frame.

    Raises:
        InputError: There is no such column, or `batch_rows` is not positive.
        ReadError: It is no file of that format. Pieces may have been yielded before.
    """
    if batch_rows < 1:
        raise InputError(f"batch_rows={batch_rows} is not positive. Give a number of rows.")
    yield from _pieces(_stream(source), format, schema, columns, batch_rows)


def _stream(data: Source) -> BinaryIO:
    return BytesIO(data) if isinstance(data, bytes | bytearray | memoryview) else data


def _pieces(
    stream: BinaryIO, format: Format, text: str | None, columns: Sequence[str] | None, rows: int | None
) -> Iterator[pd.DataFrame]:
    start = stream.tell()
    schema = _trusted(text, format, stream)
    stream.seek(start)
    if schema is not None:
        pieces = _read(stream, format, schema, columns, rows)
        try:
            first = next(pieces)
        except InputError:
            raise
        except (ValueError, TypeError) as error:
            _ignore(error)
            stream.seek(start)
        else:
            yield first
            yield from _reported(pieces, format)
            return
    yield from _reported(_read(stream, format, None, columns, rows), format)


def _trusted(text: str | None, format: Format, stream: BinaryIO) -> Schema | None:
    try:
        if format.name == "parquet":
            inside = (pq.read_metadata(stream).metadata or {}).get(SCHEMA_KEY)
            return None if inside is None else schema_from_json(inside)
        return None if text is None else schema_from_text(text)
    except pa.ArrowException as error:
        raise ReadError(f"This is no {format.name} file: {error}.") from error
    except ValueError as error:
        _ignore(error)
        return None


def _ignore(error: Exception) -> None:
    reason = str(error).partition("\n")[0]
    text = f"The schema that came with the file is damaged or of another file ({reason}): plain reading rules apply."
    warnings.warn(text, FidelityWarning, stacklevel=5)


def _reported(pieces: Iterator[pd.DataFrame], format: Format) -> Iterator[pd.DataFrame]:
    try:
        yield from pieces
    except InputError:
        raise
    except (ValueError, RecursionError) as error:
        raise ReadError(f"This is no {format.name} file as it should be: {error}.") from error


def _read(
    stream: BinaryIO, format: Format, schema: Schema | None, columns: Sequence[str] | None, rows: int | None
) -> Iterator[pd.DataFrame]:
    """Yield the pieces of a file, at least one."""
    if format.name == "parquet" and schema is None:
        yield from _foreign_parquet(stream, columns, rows)
        return
    rebuild = FrameBuilder(format, schema, columns)
    nothing = True
    for piece in _columns(stream, format, rebuild, rows, typed=schema is not None):
        nothing = False
        yield rebuild.frame(piece)
    if nothing:
        yield rebuild.empty()


def _columns(
    stream: BinaryIO, format: Format, rebuild: FrameBuilder, rows: int | None, *, typed: bool
) -> Iterator[Columns]:
    match format.name:
        case "csv":
            yield from csv_columns(stream, rebuild.types, rows, escaped=rebuild.escaped)
        case "parquet":
            yield from parquet_columns(stream, rebuild.types, rows)
        case name:
            yield from json_columns(stream, rebuild.types if typed else None, rows, array=name == "json")


def _foreign_parquet(stream: BinaryIO, columns: Sequence[str] | None, rows: int | None) -> Iterator[pd.DataFrame]:
    """Yield a Parquet file that was written by others: by the metadata of pandas, or else by plain rules."""
    file = pq.ParquetFile(stream, pre_buffer=False)  # which would keep all that was read
    names = file.schema_arrow.names
    missing = [name for name in columns or () if name not in names]
    if missing:
        raise InputError(f"columns={missing!r} are not in the file. It has {', '.join(map(repr, names))}.")
    metadata = file.schema_arrow.metadata or {}
    by_pandas = b"pandas" in metadata
    for table in parquet_tables(file, columns, rows, use_pandas_metadata=by_pandas):
        frame = table.to_pandas() if by_pandas else FrameBuilder(PARQUET, None, columns).frame(as_columns(table))
        frame.attrs.update(json.loads(metadata.get(ATTRS_KEY, b"{}")))
        yield frame
