"""Arrow values of other libraries as columns: checked, and of types that files and schemas have.

Arrow does not check what it is given: text may be no UTF-8, offsets and codes may point nowhere, and reading these may
end the process. So nothing is read before it was checked.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from digime_pandas._tabular.arrow import as_array
from digime_pandas._tabular.columns import (
    Column,
    Finding,
    first_line_of,
    is_of_a_library,
    raise_about_column,
    unreadable,
    unsupported_column,
)
from digime_pandas._tabular.engines.utf8_text import is_found_utf8
from digime_pandas._tabular.fidelity_rules import RULES
from digime_pandas._tabular.frames.arrow_input.type_facts import facts_of
from digime_pandas._tabular.frames.used_values import dictionaries_in, has_dictionary, with_used_values
from digime_pandas.errors import FidelityError

_BYTES_OF = {pa.string(): pa.binary(), pa.large_string(): pa.large_binary()}
_FEW = 1_000  # texts, which are checked in less time than it takes to find out how
_BLOCK_BYTES = 1 << 20  # a multiple of 8; text that is not ASCII is mostly known by its first ones
_HIGH_BITS = 0x8080_8080_8080_8080  # of eight letters, of which none that is ASCII has one


class ArrowColumn(NamedTuple):
    """A column of Arrow values.

    Attributes:
        column: What is known of it.
        chunks: All its values, of the type of the column where this can be read.
    """

    column: Column
    chunks: pa.ChunkedArray


def describe_arrow(name: str, values: pa.ChunkedArray, *, keep_unused: bool = False) -> ArrowColumn:
    """Return the column of Arrow values; one that is damaged, or that Arrow fails to read, is described as such.

    Args:
        name: Its name in the file.
        values: All its values, which may be damaged.
        keep_unused: Whether dictionary values that no row has stay.
    """
    try:
        return _described(name, values, keep_unused=keep_unused)
    except BaseException as error:
        if not is_of_a_library(error):
            raise
        return ArrowColumn(unsupported_column(name, values.type, unreadable(error), error), values)


def describe_type(name: str, type: pa.DataType) -> Column:
    """Return what the type of a column says of it.

    Args:
        name: Its name in the file.
        type: Its type.
    """
    facts = facts_of(type)
    if facts.unsupported is not None:
        return unsupported_column(name, type, facts.unsupported)
    return facts.column(name, _no_slices, facts.findings)


def describe_stream(name: str, type: pa.DataType, *, keep_unused: bool) -> Column:
    """Return a column of a stream that can be read once, whose values are not known yet.

    Args:
        name: Its name in the file.
        type: Its type in the stream.
        keep_unused: Whether dictionary values that no row has stay.
    """
    column = describe_type(name, type)
    dictionaries = list(dictionaries_in(column.type)) if column.readable else []
    if keep_unused and dictionaries:
        return replace(column, findings=(*column.findings, Finding("unused dictionary values sent")))
    if any(each.ordered for each in dictionaries):
        return replace(column, findings=(*column.findings, Finding("ordered dictionary of a stream")))
    return column


def checked_batches(
    batches: Iterable[pa.RecordBatch], columns: tuple[Column, ...], *, keep_unused: bool
) -> Iterator[pa.RecordBatch]:
    """Yield the batches of a stream with the values and types that its file will have.

    Args:
        batches: As they come, which may be damaged.
        columns: What `describe_stream` returned for each column.
        keep_unused: Whether dictionary values that no row has stay.

    Raises:
        FidelityError: A batch is damaged, or holds text that is not UTF-8.
    """

    def used_only(values: pa.Array) -> pa.Array:
        return as_array(_with_used_values(pa.chunked_array([values]), keep_unused=keep_unused)[0])

    schema = pa.schema([(each.name, each.type) for each in columns])
    position = 0
    for batch in batches:
        arrays = []
        for column, array in zip(columns, batch.columns, strict=True):
            arrays.append(checked_array(column, array, position, used_only))
        yield pa.RecordBatch.from_arrays(arrays, schema=schema)
        position += batch.num_rows


def checked_array(column: Column, array: pa.Array, position: int, written: Callable[[pa.Array], pa.Array]) -> pa.Array:
    """Return values of a batch, which may be damaged, as they are written.

    Args:
        column: What their type says of the column.
        array: The values.
        position: Position of the first row.
        written: Returns checked values, of the type of the column's specification, as they are written.

    Raises:
        FidelityError: They are damaged, hold text that is not UTF-8, or cannot be read.
    """
    try:
        invalid = first_invalid(pa.chunked_array([array]))
        if invalid is None:
            return written(cast_values(array, column.spec.type))
    except BaseException as error:  # noqa: BLE001 - raised again
        raise_about_column(error, column.name)
    raise _refusal(column.name, invalid, position)


def first_invalid(values: pa.ChunkedArray) -> Finding | None:
    """Return what is wrong with the first value that is not what its type says, or None.

    Args:
        values: Arrow values, which may be damaged.
    """
    position = 0
    for chunk in values.chunks:
        error = _error_of(chunk)
        if error is not None:
            row = None if _error_of(chunk.slice(0, 0)) else position + _first_invalid_row(chunk)
            if "UTF8" in str(error):
                return Finding("text that is not UTF-8", row)
            return Finding("invalid Arrow values", row, seen=first_line_of(error))
        position += len(chunk)
    return None


def _is_ascii(texts: pa.Array) -> bool:
    width = np.int32 if pa.types.is_string(texts.type) else np.int64
    _, offsets, letters = texts.buffers()
    if letters is None or not len(texts):
        return True
    ends = np.frombuffer(offsets, width)
    used = np.frombuffer(letters, np.uint8)[ends[texts.offset] : ends[texts.offset + len(texts)]]
    whole = len(used) // 8 * 8
    blocks = (used[start : min(start + _BLOCK_BYTES, whole)] for start in range(0, whole, _BLOCK_BYTES))
    has_others = any(int(np.bitwise_or.reduce(block.view(np.uint64))) & _HIGH_BITS for block in blocks)
    return not (has_others or (used[whole:] >> 7).any())


def _described(name: str, values: pa.ChunkedArray, *, keep_unused: bool) -> ArrowColumn:
    facts = facts_of(values.type)
    if facts.unsupported is not None:
        return ArrowColumn(unsupported_column(name, values.type, facts.unsupported), values)
    invalid = first_invalid(values)
    if invalid is not None:
        return ArrowColumn(unsupported_column(name, values.type, invalid), values)
    stored, unused = _with_used_values(cast_values(values, facts.spec.type), keep_unused=keep_unused)
    findings = (*facts.findings, *dictionary_findings(unused, keep_unused=keep_unused))
    return ArrowColumn(facts.column(name, partial(_slice, stored), findings), stored)


def _with_used_values(values: pa.ChunkedArray, *, keep_unused: bool) -> tuple[pa.ChunkedArray, int]:
    return with_used_values(values, keep_unused=keep_unused) if has_dictionary(values.type) else (values, 0)


def dictionary_findings(unused: int, *, keep_unused: bool) -> tuple[Finding, ...]:
    """Return what there is to say of dictionary values that no row has."""
    if not unused:
        return ()
    return (Finding("unused dictionary values sent" if keep_unused else "unused dictionary values", None, unused),)


def _first_invalid_row(array: pa.Array) -> int:
    return bisect_left(range(len(array)), True, key=lambda row: _error_of(array.slice(0, row + 1)) is not None)


def _error_of(array: pa.Array) -> Exception | None:
    try:
        if len(array) > _FEW and array.type in _BYTES_OF:
            # Most text is ASCII: to find this out of sound offsets takes a fifth of the time.
            viewed = array.view(_BYTES_OF[array.type])
            viewed.validate(full=True)
            if _is_ascii(array) or is_found_utf8(viewed):
                return None
        array.validate(full=True)
    except (pa.ArrowException, ValueError, IndexError) as error:
        return error
    return None


def cast_values(values: pa.Array | pa.ChunkedArray, type: pa.DataType) -> pa.Array | pa.ChunkedArray:
    """Return values in the type in which a schema says them."""
    return values if type.equals(values.type) else values.cast(type)


def _refusal(name: str, finding: Finding, position: int) -> FidelityError:
    rule = RULES[finding.rule]
    row = None if finding.row is None else position + finding.row
    where = "" if row is None else f" (first in row {row})"
    return FidelityError(f"Column {name!r}{where}: {rule.about}: {rule.parquet.form}.", column=name, row=row)


def _slice(values: pa.ChunkedArray, start: int, stop: int) -> pa.Array:
    return as_array(values.slice(start, stop - start))


def _no_slices(start: int, stop: int) -> pa.Array:
    """Stand for `Column.read` of a stream, whose rows can be read only once, by the reader that `open` returns."""
    raise NotImplementedError(f"rows {start} to {stop} of an Arrow stream are only there once")
