"""The bytes of a file as a pandas frame.

With the schema that was made when the file was written, the frame comes back as it was: dtypes (with the categories
that rows use), index, column labels, and `attrs` where they were sent. Parquet files have it inside. Without one, the
rules of `frames/inference.py` apply; for Parquet, the metadata of pandas where there is some.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from io import BytesIO
from typing import BinaryIO, cast

import pandas as pd
import pyarrow as pa

from digime_pandas._tabular.codecs.codec import Columns, FileReader
from digime_pandas._tabular.codecs.reading.signatures import HEAD_BYTES, certain_kind, likely_kind
from digime_pandas._tabular.codecs.registry import CODECS
from digime_pandas._tabular.columns import is_of_a_library
from digime_pandas._tabular.formats import Format
from digime_pandas._tabular.reading.arguments import check_batch_rows, check_columns, check_limit
from digime_pandas._tabular.reading.limits import DEFAULT_LIMITS, Limits
from digime_pandas._tabular.reading.whole_file import WholeFile
from digime_pandas._tabular.rebuild import FrameBuilder
from digime_pandas._tabular.schema.stored import Schema, schema_from_json, schema_from_text
from digime_pandas.errors import DigimeError, FidelityWarning, InputError, ReadError, warn
from digime_pandas.errors.commands import READ_AS_IT_IS
from digime_pandas.errors.names import did_you_mean

Source = bytes | bytearray | memoryview | BinaryIO
_LONGEST_REASON = 300
_MOST_TRIES = 32  # how often a file is read to find the columns that a schema does not fit


def parse(
    data: Source,
    format: Format,
    schema: str | None = None,
    *,
    columns: Sequence[str] | None = None,
    limit: int | None = None,
    own: bool = False,
    limits: Limits = DEFAULT_LIMITS,
) -> pd.DataFrame:
    """Return the frame that a file holds.

    Args:
        data: The file, or a binary stream of it that can seek.
        format: Its format.
        schema: The text that `inspect_frame` made for it, or None. It is not trusted: one that is damaged, or of
            another file, is ignored with a warning, and so is a part of it that does not fit.
        columns: Names of the columns that are wanted, as they are in the file; the index comes in any case.
        limit: How many rows are wanted at most, from the first.
        own: Whether this package wrote the file. Then an empty line in a CSV file of one column is a missing value, and
            no blank line, also without a schema.
        limits: How much may be read. Of rows, those count that `limit` leaves.

    Raises:
        InputError: There is no such column, or an argument is not of its kind.
        ReadError: It is no file of that format, or has more than may be read.

    Warns:
        FidelityWarning: The schema, a part of it, or metadata of pandas in a Parquet file, was ignored.
    """
    wanted, most = check_columns(columns), check_limit(limit)
    stream = _stream(data, format)
    if most is not None and most <= limits.rows:
        limits = replace(limits, rows=sys.maxsize)  # no more than `most` are read
    file = _File(stream, format, limits, own=own)
    pieces = _pieces(file, schema, wanted, None if most is None else max(most, 1))
    return next(_with_read_errors(pieces, file)).iloc[slice(most)]


def parse_batches(
    source: Source,
    format: Format,
    schema: str | None = None,
    *,
    columns: Sequence[str] | None = None,
    batch_rows: int = 65_536,
    own: bool = False,
    limits: Limits = DEFAULT_LIMITS,
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
        own: Whether this package wrote the file.
        limits: How much may be read: rows of the file, and bytes of each piece.

    Raises:
        InputError: There is no such column, or an argument is not of its kind.
        ReadError: It is no file of that format, or has more than may be read. Pieces may have been yielded before.
    """
    wanted, rows = check_columns(columns), check_batch_rows(batch_rows)
    file = _File(_stream(source, format), format, limits, own=own)
    yield from _with_read_errors(_pieces(file, schema, wanted, rows), file)


@dataclass(frozen=True, slots=True)
class _File:
    """A file, and how it is read; see `parse`."""

    stream: BinaryIO
    format: Format
    limits: Limits
    own: bool

    def open(self, *, escaped: bool = False, typed: bool = False) -> FileReader:
        """Start to read the file from its present position; see `Codec.open`."""
        return CODECS[self.format.name].open(self.stream, escaped=escaped, typed=typed, limits=self.limits)


def reads_in_place(format: Format) -> bool:
    """Return whether `parse` reads files of a format without copying a view of memory that it is given."""
    return format.rules != "json"  # which is searched as bytes


def _stream(data: Source, format: Format) -> BinaryIO:
    if not isinstance(data, bytes | bytearray | memoryview):
        return data
    return cast(BinaryIO, WholeFile(data)) if reads_in_place(format) else BytesIO(data)


def _pieces(file: _File, text: str | None, wanted: Sequence[str] | None, rows: int | None) -> Iterator[pd.DataFrame]:
    """Yield a file by its schema, or by the rules of inference when the schema does not fit its first piece."""
    stream = file.stream
    start = stream.tell()
    schema = _trusted_schema(text, file)
    stream.seek(start)
    if schema is not None:
        pieces = _read(file, schema, wanted, rows)
        try:
            first = next(pieces)
        except (DigimeError, Warning, MemoryError):
            raise
        except Exception as error:  # noqa: BLE001 - whatever comes of a schema that is not to be trusted
            stream.seek(start)
            readable = _without_unreadable(schema, file, rows)
            stream.seek(start)
            if readable is not None:
                yield from _read(file, readable, wanted, rows)
                return
            _warn_of_ignored(error)
        else:
            yield first
            yield from pieces
            return
    yield from _read(file, None, wanted, rows)


def _without_unreadable(schema: Schema, file: _File, rows: int | None) -> Schema | None:
    """Return the schema without the specs of the columns that cannot be read by it, or None where that is no cure."""
    start = file.stream.tell()

    def first_piece(types: Mapping[str, pa.DataType | None]) -> bool:
        file.stream.seek(start)
        try:
            next(file.open(escaped=schema.escaped, typed=True).columns(types, rows), None)
        except Exception:  # noqa: BLE001 - whatever comes of types that are not to be trusted
            return False
        return True

    try:
        reader = file.open(escaped=schema.escaped, typed=True)
        builder = FrameBuilder(file.format, schema, None, reader.names)
    except ValueError:
        return None
    types = builder.types() or {}
    if not first_piece(dict.fromkeys(types, pa.string() if file.format.only_text else None)):
        return None
    unreadable = _narrowed(list(types), lambda names: first_piece({name: types[name] for name in names}))
    return builder.without(schema, unreadable) if unreadable else None


def _narrowed(names: list[str], is_readable: Callable[[list[str]], bool]) -> list[str]:
    """Return the names that are not readable. After some tries, all of a group with one are taken for it."""
    waiting, found = [names] if names else [], []
    for _ in range(_MOST_TRIES):
        if not waiting:
            break
        group = waiting.pop()
        if is_readable(group):
            continue
        half = len(group) // 2
        if half:
            waiting += [group[half:], group[:half]]
        else:
            found += group
    return found + [name for group in waiting for name in group]


def _trusted_schema(text: str | None, file: _File) -> Schema | None:
    """Return the schema inside the file, or else the one that was sent beside it; None when it is damaged."""
    inside = file.open().stored_schema if file.format.stores_types else None
    try:
        if file.format.stores_types:
            return None if inside is None else schema_from_json(inside)
        return None if text is None else schema_from_text(text)
    except ValueError as error:
        _warn_of_ignored(error)
        return None


def _warn_of_ignored(error: Exception) -> None:
    reason = str(error).partition("\n")[0]
    text = f"The schema that came with the file is damaged or of another file ({reason}): plain reading rules apply."
    warn(text, FidelityWarning)


def _with_read_errors(pieces: Iterator[pd.DataFrame], file: _File) -> Iterator[pd.DataFrame]:
    """Yield the pieces; whatever a reader raises at a file that is damaged or of another format becomes a ReadError."""
    start = file.stream.tell()
    try:
        yield from pieces
    except (DigimeError, Warning):
        raise
    except MemoryError as error:
        raise ReadError(
            "There is not enough memory to read the file.",
            remedy="Read it in pieces, with read_batches, or only some of its columns, with columns=.",
            command=READ_AS_IT_IS,
        ) from error
    except BaseException as error:
        if not is_of_a_library(error):
            raise
        text = f"This is no {file.format.name} file as it should be: {_reason(error)}."
        file.stream.seek(start)
        kind = likely_kind(file.stream.read(HEAD_BYTES), file.format.name)
        raise ReadError(text if kind is None else f"{text} It looks like {kind}.") from error


def _reason(error: BaseException) -> str:
    text = str(error).partition("\n")[0].rstrip(".")
    if len(text) > _LONGEST_REASON:
        text = text[:_LONGEST_REASON] + "..."
    return text if text and isinstance(error, ValueError | OSError) else f"{type(error).__name__}: {text}".rstrip(": ")


def _read(file: _File, schema: Schema | None, wanted: Sequence[str] | None, rows: int | None) -> Iterator[pd.DataFrame]:
    """Yield the pieces of a file, at least one."""
    if schema is None and not file.format.stores_types:
        _check_kind(file.stream, file.format)
    # To CSV, which is read as text in any case, this says that blank lines are rows.
    typed = schema is not None or (file.own and file.format.only_text)
    reader = file.open(escaped=schema is not None and schema.escaped, typed=typed)
    builder = FrameBuilder(file.format, schema, _names_of(wanted, reader), reader.names)
    frames = None if schema is not None else reader.pandas_frames(wanted, rows)
    ignored = None
    if frames is not None:
        try:
            first = next(frames)
        except (DigimeError, MemoryError):
            raise
        except Exception as error:  # noqa: BLE001 - whatever pandas raises at metadata that is not to be trusted
            ignored = error
        else:
            yield first
            yield from frames
            return
    for frame in _built(reader, builder, wanted, rows):
        if ignored is not None:
            _warn_of_pandas_metadata(ignored)
            ignored = None
        yield frame if reader.labels is None else frame.rename(columns=reader.labels)


def _built(
    reader: FileReader, builder: FrameBuilder, wanted: Sequence[str] | None, rows: int | None
) -> Iterator[pd.DataFrame]:
    is_empty = True
    for columns in reader.columns(builder.types(), rows):
        is_empty = False
        _add_columns_of_other_rows(columns, reader, wanted or ())
        yield builder.frame(columns)
    if is_empty:
        yield builder.empty()


def _check_kind(stream: BinaryIO, format: Format) -> None:
    start = stream.tell()
    kind = certain_kind(stream.read(HEAD_BYTES), format.name)
    stream.seek(start)
    if kind is not None:
        raise ReadError(f"This is no {format.name} file. It looks like {kind}.")


def _names_of(wanted: Sequence[str] | None, reader: FileReader) -> Sequence[str] | None:
    """Return the names of the wanted columns where several of them may have one label."""
    labels = reader.labels
    if wanted is None or not labels:
        return wanted
    names = {label: [name for name in reader.names or () if labels.get(name, name) == label] for label in wanted}
    return [name for label in wanted for name in names[label] or [label]]


def _add_columns_of_other_rows(columns: Columns, reader: FileReader, wanted: Sequence[str]) -> None:
    """Add the wanted columns that only other rows of a JSON file have, as missing values."""
    if reader.names is not None or all(name in columns for name in wanted):
        return
    known = reader.find_names()
    missing = [name for name in wanted if name not in known]
    if missing:
        raise InputError(
            f"columns={missing!r} are not in the file. It has {', '.join(map(repr, known))}.",
            remedy=did_you_mean(missing[0], known),
        )
    columns.update({name: pa.nulls(columns.rows) for name in wanted if name not in columns})


def _warn_of_pandas_metadata(error: Exception) -> None:
    warn(
        f"The metadata of pandas in the file is damaged or of another file ({_reason(error)}): it was read without it.",
        FidelityWarning,
    )
