"""Rows of JSON as columns: by Arrow where it keeps every value as JSON has it, by the json module where it does not."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from itertools import chain
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json as pajson

from digime_pandas._tabular.arrow import as_columns
from digime_pandas._tabular.codecs.codec import Columns
from digime_pandas._tabular.codecs.reading.json_block import LineBlock
from digime_pandas._tabular.codecs.reading.json_keys import check_names
from digime_pandas._tabular.codecs.reading.json_rows import check_values, parse_object
from digime_pandas._tabular.engines.json_depth import check_json_depth
from digime_pandas._tabular.reading.limits import Limits
from digime_pandas.errors import ReadError

_FIRST_ROUNDED = float(2**53)
_LARGEST_BLOCK = (1 << 31) - 1
_ARROW_BLOCK_BYTES = 4 << 20  # which each thread reads at a time
_FIRST_OBJECT = re.compile(rb"[ \t\r\n]*\{")
_CELL_BYTES = 8
_FIRST_ROWS, _SAMPLE_ROWS = 100, 1_000


def _checked_block(lines: Sequence[bytes], limits: Limits) -> bytes | bytearray:
    """Return lines as one block that Arrow can read without ending the process."""
    block = lines.text if isinstance(lines, LineBlock) else b"".join(lines)
    limits.check_text(0 if len(block) <= limits.text_bytes else _longest(lines))
    if len(block) > _LARGEST_BLOCK:
        raise ReadError("More than 2 GiB of JSON are too much for one frame. Read it in pieces, with read_batches.")
    if not _FIRST_OBJECT.match(block):
        raise ValueError("an element is not an object")  # at null in the first place, Arrow ends the process
    check_json_depth(block)
    return block


def _longest(lines: Sequence[bytes]) -> int:
    return lines.longest if isinstance(lines, LineBlock) else max(map(len, lines))


def _bytes_at_once(lines: Sequence[bytes], block: bytes | bytearray) -> int:
    """Return how many bytes a thread may read: all, where a line may be null, at which Arrow ends the process."""
    return max(_ARROW_BLOCK_BYTES, lines.longest) if isinstance(lines, LineBlock) else len(block)


def _read_typed(
    block: bytes | bytearray, schema: pa.Schema, bytes_at_once: int, *, others: Literal["ignore", "error"] = "ignore"
) -> pa.Table:
    parsing = pajson.ParseOptions(explicit_schema=schema, unexpected_field_behavior=others)
    return _read_block(block, parsing, bytes_at_once)


def _read_untyped(block: bytes | bytearray) -> pa.Table:
    # Where a column is of another kind in another block than the first one, Arrow ends the process: one block has all.
    return _read_block(block, pajson.ParseOptions(), len(block))


def _read_block(block: bytes | bytearray, parsing: pajson.ParseOptions, bytes_at_once: int) -> pa.Table:
    table = pajson.read_json(pa.BufferReader(block), pajson.ReadOptions(block_size=bytes_at_once), parsing)
    table.validate(full=True)  # that all text is UTF-8
    return table


def _columns_of(table: pa.Table) -> Columns:
    return Columns(as_columns(table), rows=table.num_rows)


def typed_columns(lines: Sequence[bytes], types: Mapping[str, pa.DataType | None] | None, limits: Limits) -> Columns:
    """Read lines by the types of their columns; those without a type as JSON has them.

    Args:
        lines: Objects of JSON, one a line.
        types: The types; None for those that Arrow finds.
        limits: How much may be read.

    Raises:
        ValueError: A line is no object, or a value is not of its type.
        ReadError: There is more than may be read.
    """
    typed = {} if types is None else {name: each for name, each in types.items() if each is not None}
    untyped = [] if types is None else [name for name in types if name not in typed]
    columns = Columns({}, rows=len(lines))
    if typed or not untyped:
        block = _checked_block(lines, limits)
        if types is None:
            check_names(lines, len(block), limits)
            table = _read_untyped(block)
        else:
            table = _read_typed(block, pa.schema(list(typed.items())), _bytes_at_once(lines, block))
        if _has_other_lines(lines, table):
            raise ValueError("a line is not one object")
        columns.update(as_columns(table))
    if untyped:
        found = columns_of_lines(lines, limits)
        columns.update({name: found.get(name, pa.nulls(len(lines))) for name in untyped})
    return columns


def columns_of_lines(lines: Sequence[bytes], limits: Limits) -> Columns:
    """Read lines as JSON has them.

    Args:
        lines: Objects of JSON, one a line.
        limits: How much may be read.

    Raises:
        ValueError: A line is no object.
        ReadError: There is more than may be read.
    """
    columns = columns_by_arrow(lines, limits)
    return _parsed(lines, limits) if columns is None else columns


def columns_by_arrow(lines: Sequence[bytes], limits: Limits) -> Columns | None:
    """Read lines with Arrow.

    Args:
        lines: As for `columns_of_lines`.
        limits: How much may be read.

    Returns:
        The columns, or None where Arrow may not keep every value as JSON has it.

    Raises:
        ReadError: There is more than may be read.
    """
    try:
        block = _checked_block(lines, limits)
        check_names(lines, len(block), limits)
        table = _inferred(lines, block)
    except ValueError:
        return None
    if _has_other_lines(lines, table) or any(map(_may_differ, table.columns)):
        return None
    return _columns_of(table)


def _inferred(lines: Sequence[bytes], block: bytes | bytearray) -> pa.Table:
    """Read lines by the types that Arrow finds in them, but for dates and times, which are strings."""
    if isinstance(lines, LineBlock) and len(block) > _ARROW_BLOCK_BYTES:
        # By types, several blocks are read at the same time.
        with suppress(ValueError):
            return _read_typed(block, _sampled_schema(lines), _bytes_at_once(lines, block), others="error")
    table = _read_untyped(block)
    schema = _without_times(table.schema)
    return table if schema == table.schema else _read_typed(block, schema, _bytes_at_once(lines, block))


def _sampled_schema(lines: LineBlock) -> pa.Schema:
    """Return the types of some rows, if the first one has all names of these: of others, the order is not known."""
    rows = [*lines[:_FIRST_ROWS], *lines[_FIRST_ROWS :: max(1, len(lines) // _SAMPLE_ROWS)]]
    schema = _read_untyped(b"\n".join(rows)).schema
    if schema.names != list(parse_object(lines[0])):
        raise ValueError("the first row has not all names")
    return _without_times(schema)


def _without_times(schema: pa.Schema) -> pa.Schema:
    return pa.schema([(each.name, pa.string() if pa.types.is_temporal(each.type) else each.type) for each in schema])


def _has_other_lines(lines: Sequence[bytes], table: pa.Table) -> bool:
    """Return whether lines may be something else than one object each: Arrow reads ``null``, and any layout, too."""
    if table.num_rows != len(lines):
        return True
    if isinstance(lines, LineBlock):
        return False  # all begin with an object
    if any(not column.null_count for column in table.columns):
        return False  # where a line is null, every column has a null
    return not all(line.lstrip().startswith(b"{") for line in lines)


def _may_differ(column: pa.ChunkedArray) -> bool:
    """Return whether values may have been read in another form: whole numbers as floats that cannot hold them."""
    if not pa.types.is_floating(column.type):
        return bool(pa.types.is_nested(column.type))
    largest = pc.max(pc.abs(column)).as_py()
    return bool(largest is not None and largest >= _FIRST_ROUNDED)


def _parsed(lines: Sequence[bytes], limits: Limits) -> Columns:
    """Read lines with the json module."""
    check_values(lines, limits)
    return columns_of_objects(list(map(parse_object, lines)), limits)


def columns_of_objects(objects: list[dict[str, Any]], limits: Limits) -> Columns:
    """Return the values of rows by the names of their columns.

    Args:
        objects: The rows.
        limits: How much may be read.

    Raises:
        ReadError: There are too many columns, or they take too much memory.
    """
    names = dict.fromkeys(chain.from_iterable(objects))
    limits.check_columns(len(names))
    limits.check_bytes(len(names) * len(objects) * _CELL_BYTES)
    return Columns({name: _array_or_list([each.get(name) for each in objects]) for name in names}, rows=len(objects))


def _array_or_list(values: list[Any]) -> Any:
    """Return the values as an Arrow array where one type holds them exactly, or else as they are."""
    kinds = {type(each) for each in values} - {type(None)}
    if kinds == {int, float}:
        # Arrow would cut off the fractions of some, and round others.
        fits = all(abs(each) <= _FIRST_ROUNDED for each in values if type(each) is int)
        return pa.array(values, pa.float64()) if fits else values
    if len(kinds) > 1 or kinds & {list, dict}:
        return values
    for type_ in (None, pa.uint64()):
        try:
            return pa.array(values, type_)
        except (pa.ArrowException, OverflowError, UnicodeEncodeError):  # lone surrogates are JSON, and no UTF-8
            continue
    return values
