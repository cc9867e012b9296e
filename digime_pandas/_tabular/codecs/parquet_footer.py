"""Row groups that were encoded side by side, each as a Parquet file of its own, joined to one file.

The columns are copied as they are. What changes is the footer (`FileMetaData` of parquet.thrift, in Thrift's compact
protocol): the row groups come together in one list, and the offsets of their columns grow by what precedes them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any, Literal, NamedTuple

import pyarrow.parquet as pq

_MAGIC = b"PAR1"
_LENGTH_BYTES = 4
_TAIL_BYTES = _LENGTH_BYTES + len(_MAGIC)

# Types of the compact protocol. It has maps too, and parquet.thrift has none.
_TRUE, _FALSE, _BYTE, _I16, _I32, _I64, _DOUBLE, _BINARY, _LIST, _SET = range(1, 11)
_STRUCT = 12
_INTEGERS = frozenset((_I16, _I32, _I64))
_KIND_BITS = 0x0F  # of the head of a field; the others say by how much its number is greater than that before
_SIZES = {_TRUE: 0, _FALSE: 0, _BYTE: 1, _DOUBLE: 8}
_MORE = 0x80  # in a byte of a varint: another one follows
_MOST_BITS = 64
_LONG = 15  # in the head of a list: its length follows

_Meaning = Literal["rows", "row group", "offset", "ordinal"]


@dataclass(frozen=True, slots=True)
class _StructRule:
    """What is noted of a struct of parquet.thrift, by the numbers of its fields.

    Attributes:
        integers: The integers that are noted, with what they mean.
        structs: The structs, or lists of structs, in which something is noted.
        meaning: What the struct as a whole is noted as, or None.
    """

    integers: Mapping[int, _Meaning] = field(default_factory=dict)
    structs: Mapping[int, _StructRule] = field(default_factory=dict)
    meaning: _Meaning | None = None


_NOTHING = _StructRule()
_COLUMN_META_DATA = _StructRule(
    {
        9: "offset",  # data_page_offset
        10: "offset",  # index_page_offset
        11: "offset",  # dictionary_page_offset
        14: "offset",  # bloom_filter_offset
    }
)
_COLUMN_CHUNK = _StructRule(
    {
        2: "offset",  # file_offset
        4: "offset",  # offset_index_offset
        6: "offset",  # column_index_offset
    },
    {3: _COLUMN_META_DATA},
)
_ROW_GROUP = _StructRule(
    {
        5: "offset",  # file_offset
        7: "ordinal",
    },
    {1: _COLUMN_CHUNK},
    meaning="row group",
)
_FILE_META_DATA = _StructRule({3: "rows"}, {4: _ROW_GROUP})


class _FieldSpan(NamedTuple):
    """Where something that was noted starts and ends in the footer."""

    meaning: _Meaning
    start: int
    end: int


class _FooterParts(NamedTuple):
    """The first footer up to the number of rows, from there to the row groups, and from their end on."""

    before_rows: bytes
    before_groups: bytes
    after_groups: bytes


_Offsets = list[tuple[int, int | None]]
"""Where the data and the dictionary of each column start."""


class RowGroupJoiner:
    """Joins files of one row group each. They have one schema; the other metadata is that of the first."""

    def __init__(self) -> None:
        self._position = 0
        self._rows = 0
        self._groups: list[bytes] = []
        self._offsets: list[_Offsets] = []
        self._footer_parts = _FooterParts(b"", b"", b"")

    def add(self, file: memoryview) -> memoryview:
        """Take the next file; return what comes next in the joined one.

        Raises:
            ValueError: The footer is not one of a single row group, in the layout that is known here.
        """
        end = len(file) - _TAIL_BYTES - int.from_bytes(file[-_TAIL_BYTES : -len(_MAGIC)], "little")
        start = len(_MAGIC) if self._groups else 0
        footer = bytes(file[end:-_TAIL_BYTES])
        spans: list[_FieldSpan] = []
        _walk_struct(footer, 0, _FILE_META_DATA, spans)
        rows, group = _only(spans, "rows"), _only(spans, "row group")
        if not self._groups:
            # One byte before the group is the head of the list it is the only one of.
            self._footer_parts = _FooterParts(
                footer[: rows.start], footer[rows.end : group.start - 1], footer[group.end :]
            )
        by = self._position - start
        self._offsets += [
            [(data + by, None if dictionary is None else dictionary + by) for data, dictionary in columns]
            for columns in _column_offsets(bytes(file[end:]))
        ]
        self._rows += _integer(footer, rows.start)
        self._groups.append(self._moved(footer, group, spans, by=by))
        self._position += end - start
        return file[start:end]

    def finish(self) -> bytes:
        """Return the end of the joined file.

        Raises:
            ValueError: pyarrow reads other offsets in it than those to which the columns were copied.
        """
        parts = self._footer_parts
        count = len(self._groups)
        head = bytes([min(count, _LONG) << 4 | _STRUCT]) + (_varint(count) if count >= _LONG else b"")
        rows = _varint(self._rows << 1)
        footer = b"".join([parts.before_rows, rows, parts.before_groups, head, *self._groups, parts.after_groups])
        tail = footer + len(footer).to_bytes(_LENGTH_BYTES, "little") + _MAGIC
        if _column_offsets(tail) != self._offsets:
            raise ValueError("the joined Parquet file would not name the places of its columns")
        return tail

    def _moved(self, footer: bytes, group: _FieldSpan, spans: Sequence[_FieldSpan], *, by: int) -> bytes:
        """Return a row group with its offsets greater by `by` bytes, and its place among the row groups."""
        pieces: list[bytes] = []
        copied = group.start
        for meaning, start, end in spans:
            if meaning not in {"offset", "ordinal"}:
                continue
            value = _integer(footer, start)
            if meaning == "ordinal":
                value = len(self._groups)
            elif value:  # 0 stands for no offset: the magic is there
                value += by
            pieces += [footer[copied:start], _varint(value << 1)]
            copied = end
        return b"".join([*pieces, footer[copied : group.end]])


def joins_as_written(parts: Sequence[memoryview], whole: memoryview) -> bool:
    """Return whether files of one row group each are joined to the very file that pyarrow writes of all their rows.

    Args:
        parts: Files of one row group each.
        whole: What pyarrow writes when it is given these row groups one after the other.
    """
    joiner = RowGroupJoiner()
    try:
        joined = b"".join([*[bytes(joiner.add(part)) for part in parts], joiner.finish()])
    except (ValueError, IndexError):  # a layout that is not known here
        return False
    return joined == whole


def read_integers(data: bytes, *, depth: int) -> tuple[dict[tuple[int, ...], int], int]:
    """Return the integers of a struct, by the numbers of the fields that lead to them, and where the struct ends.

    Args:
        data: The struct in Thrift's compact protocol, and perhaps more.
        depth: How deep structs are looked into: 1 for the struct alone.

    Raises:
        IndexError: The struct does not end in the data.
        ValueError: It is no such struct.
    """
    found: dict[tuple[int, ...], int] = {}
    return found, _read_struct(data, 0, (), depth, found)


def _read_struct(data: bytes, position: int, path: tuple[int, ...], depth: int, found: dict[Any, int]) -> int:
    number = 0
    # A file has thousands of these: what is met most is done here, without a call.
    while head := data[position]:
        kind = head & _KIND_BITS
        number, position = (number + (head >> 4), position + 1) if head > _KIND_BITS else _numbered(data, position)
        if kind in _INTEGERS:
            value = data[position]
            if value < _MORE:
                position += 1
            else:
                value, position = _unsigned(data, position), _after_varint(data, position)
            found[*path, number] = value >> 1 if not value & 1 else -(value >> 1) - 1
        elif kind == _STRUCT and depth > 1:
            position = _read_struct(data, position, (*path, number), depth - 1, found)
        else:
            position = _walk_value(data, position, kind, _NOTHING, [])
    return position + 1


def _column_offsets(tail: bytes) -> list[_Offsets]:
    """Return the offsets that pyarrow reads in the end of a file, from its footer on, one list per row group."""
    metadata = pq.read_metadata(BytesIO(_MAGIC + tail))
    groups = [metadata.row_group(i) for i in range(metadata.num_row_groups)]
    chunks = [[group.column(i) for i in range(group.num_columns)] for group in groups]
    return [[(each.data_page_offset, each.dictionary_page_offset) for each in columns] for columns in chunks]


def _only(spans: Sequence[_FieldSpan], meaning: _Meaning) -> _FieldSpan:
    found = [each for each in spans if each.meaning == meaning]
    if len(found) != 1:
        raise ValueError(f"the footer has {len(found)} fields of the meaning {meaning!r} instead of one")
    return found[0]


def _walk_struct(data: bytes, position: int, rule: _StructRule, spans: list[_FieldSpan]) -> int:
    """Note what `rule` names in the struct that starts at `position`, in its order; return where it ends."""
    start, number = position, 0
    integers, structs = rule.integers, rule.structs
    # A file has thousands of these: what is met most is done here, without a call.
    while head := data[position]:
        kind = head & _KIND_BITS
        number, position = (number + (head >> 4), position + 1) if head > _KIND_BITS else _numbered(data, position)
        end = position
        if kind in _INTEGERS:
            while data[end] >= _MORE:
                end += 1
            end += 1
        elif kind == _BINARY and data[end] < _MORE:
            end += 1 + data[end]
        else:
            end = _walk_value(data, position, kind, structs.get(number, _NOTHING), spans)
        if number in integers:
            spans.append(_FieldSpan(integers[number], position, end))
        position = end
    if rule.meaning is not None:
        spans.append(_FieldSpan(rule.meaning, start, position + 1))
    return position + 1


def _numbered(data: bytes, position: int) -> tuple[int, int]:
    """Return the number of the field at `position`, which says it in full, and where its value is."""
    return _integer(data, position + 1), _after_varint(data, position + 1)


def _walk_value(data: bytes, position: int, kind: int, rule: _StructRule, spans: list[_FieldSpan]) -> int:
    """Return where a value ends; `rule` is for the struct that it is, or for those in the list that it is."""
    if kind == _STRUCT:
        return _walk_struct(data, position, rule, spans)
    if kind in {_LIST, _SET}:
        return _walk_list(data, position, rule, spans)
    if kind == _BINARY:
        return _after_varint(data, position) + _unsigned(data, position)
    if kind in _INTEGERS:
        return _after_varint(data, position)
    if kind not in _SIZES:
        raise ValueError(f"type {kind} of Thrift's compact protocol is not known here")
    return position + _SIZES[kind]


def _walk_list(data: bytes, position: int, rule: _StructRule, spans: list[_FieldSpan]) -> int:
    count, kind = data[position] >> 4, data[position] & 0x0F
    position += 1
    if count == _LONG:
        count, position = _unsigned(data, position), _after_varint(data, position)
    for _ in range(count):
        # A truth value takes no byte as a field of a struct, where the head has it, and one byte in a list.
        position = _walk_value(data, position, _BYTE if kind in {_TRUE, _FALSE} else kind, rule, spans)
    return position


def _after_varint(data: bytes, position: int) -> int:
    while data[position] & _MORE:
        position += 1
    return position + 1


def _unsigned(data: bytes, position: int) -> int:
    value = shift = 0
    while data[position] & _MORE:
        if shift > _MOST_BITS:
            raise ValueError("an integer of Thrift's compact protocol has more than 64 bits")
        value |= (data[position] & 0x7F) << shift
        position, shift = position + 1, shift + 7
    return value | data[position] << shift


def _integer(data: bytes, position: int) -> int:
    """Return an integer that is not negative: in the zigzag form it is doubled."""
    return _unsigned(data, position) >> 1


def _varint(value: int) -> bytes:
    out = bytearray()
    while value >= _MORE:
        out.append(value & 0x7F | _MORE)
        value >>= 7
    out.append(value)
    return bytes(out)
