"""The bytes of a file as a pandas frame.

With the schema that was made when the file was written, the frame comes back as it was: dtypes (with the categories
that rows use), index, column labels, and `attrs` where they were sent. Parquet files have it inside. Without one, the
rules of `frames/inference.py` apply; for Parquet, the metadata of pandas where there is some.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from io import BytesIO
from typing import BinaryIO

import pandas as pd
import pyarrow as pa

from digime_pandas._tabular.codecs.registry import CODECS
from digime_pandas._tabular.formats import Format
from digime_pandas._tabular.rebuild import FrameBuilder
from digime_pandas._tabular.schema import Schema, schema_from_json, schema_from_text
from digime_pandas.errors import FidelityWarning, InputError, ReadError, warn

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

    Without a schema the types of each piece are inferred by itself, so that a column may change its type between
    pieces; with one, only the categories of a category whose schema does not list them differ from piece to piece.

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
    stream: BinaryIO, format: Format, text: str | None, wanted: Sequence[str] | None, rows: int | None
) -> Iterator[pd.DataFrame]:
    """Yield a file by its schema, or by the rules of inference when the schema does not fit its first piece."""
    start = stream.tell()
    schema = _trusted_schema(text, format, stream)
    stream.seek(start)
    if schema is not None:
        pieces = _read(stream, format, schema, wanted, rows)
        try:
            first = next(pieces)
        except InputError:
            raise
        except (ValueError, TypeError) as error:
            _warn_of_ignored(error)
            stream.seek(start)
        else:
            yield first
            yield from _with_read_errors(pieces, format)
            return
    yield from _with_read_errors(_read(stream, format, None, wanted, rows), format)


def _trusted_schema(text: str | None, format: Format, stream: BinaryIO) -> Schema | None:
    """Return the schema inside the file, or else the one that was sent beside it; None when it is damaged."""
    try:
        if format.stores_types:
            inside = CODECS[format.name].open(stream).stored_schema
            return None if inside is None else schema_from_json(inside)
        return None if text is None else schema_from_text(text)
    except pa.ArrowException as error:
        raise ReadError(f"This is no {format.name} file: {error}.") from error
    except ValueError as error:
        _warn_of_ignored(error)
        return None


def _warn_of_ignored(error: Exception) -> None:
    reason = str(error).partition("\n")[0]
    text = f"The schema that came with the file is damaged or of another file ({reason}): plain reading rules apply."
    warn(text, FidelityWarning)


def _with_read_errors(pieces: Iterator[pd.DataFrame], format: Format) -> Iterator[pd.DataFrame]:
    """Yield the pieces; errors that say that the file is not of its format become a ReadError."""
    try:
        yield from pieces
    except InputError:
        raise
    except (ValueError, RecursionError) as error:
        raise ReadError(f"This is no {format.name} file as it should be: {error}.") from error


def _read(
    stream: BinaryIO, format: Format, schema: Schema | None, wanted: Sequence[str] | None, rows: int | None
) -> Iterator[pd.DataFrame]:
    """Yield the pieces of a file, at least one."""
    reader = CODECS[format.name].open(stream, escaped=schema is not None and schema.escaped, typed=schema is not None)
    builder = FrameBuilder(format, schema, wanted, reader.names)
    frames = None if schema is not None else reader.pandas_frames(wanted, rows)
    if frames is not None:
        yield from frames
        return
    is_empty = True
    for columns in reader.columns(builder.types(), rows):
        is_empty = False
        yield builder.frame(columns)
    if is_empty:
        yield builder.empty()
