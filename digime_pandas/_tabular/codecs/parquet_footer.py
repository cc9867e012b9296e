"""Row groups that were encoded side by side, each as a Parquet file of its own, joined to one file.

The columns are copied as they are. What changes is the metadata at the end (`FileMetaData` of parquet.thrift, in
Thrift's compact protocol): the row groups come together in one list, and the places in the file that they name move
with the columns.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

_MAGIC = b"PAR1"
_LENGTH_BYTES = 4
_TAIL_BYTES = _LENGTH_BYTES + len(_MAGIC)

# Types of the compact protocol. It has maps too, and parquet.thrift has none.
_TRUE, _FALSE, _BYTE, _I16, _I32, _I64, _DOUBLE, _BINARY, _LIST, _SET = range(1, 11)
_STRUCT = 12
_SIZES = {_TRUE: 0, _FALSE: 0, _BYTE: 1, _DOUBLE: 8}
_MORE = 0x80  # in a byte of a varint: another one follows
_LONG = 15  # in the head of a list: its length follows

# Fields by their numbers in parquet.thrift: what to find in a struct, and under 0 what the struct itself is.
_COLUMN_META_DATA = {9: "place", 10: "place", 11: "place", 14: "place"}
_COLUMN_CHUNK = {2: "place", 3: _COLUMN_META_DATA, 4: "place", 6: "place"}
_ROW_GROUP = {0: "group", 1: _COLUMN_CHUNK, 5: "place", 7: "ordinal"}
_FILE_META_DATA = {3: "rows", 4: _ROW_GROUP}

_Rules = Mapping[int, Any]


class _FieldSpan(NamedTuple):
    what: str
    start: int
    end: int


class RowGroupJoiner:
    """Joins files of one row group each. They have one schema; the other metadata is that of the first."""

    def __init__(self) -> None:
        self._position = 0
        self._rows = 0
        self._groups: list[bytes] = []
        self._frame = (b"", b"", b"")

    def add(self, file: memoryview) -> memoryview:
        """Take the next file; return what comes next in the joined one."""
        end = len(file) - _TAIL_BYTES - int.from_bytes(file[-_TAIL_BYTES : -len(_MAGIC)], "little")
        start = len(_MAGIC) if self._groups else 0
        footer = bytes(file[end:-_TAIL_BYTES])
        found: list[_FieldSpan] = []
        _walk_struct(footer, 0, _FILE_META_DATA, found)
        rows = next(each for each in found if each.what == "rows")
        group = next(each for each in found if each.what == "group")
        if not self._groups:
            # One byte before the group is the head of the list it is the only one of.
            self._frame = footer[: rows.start], footer[rows.end : group.start - 1], footer[group.end :]
        self._rows += _integer(footer, rows.start)
        self._groups.append(self._moved(footer, group, found, by=self._position - start))
        self._position += end - start
        return file[start:end]

    def finish(self) -> bytes:
        """Return the end of the joined file."""
        before, between, after = self._frame
        count = len(self._groups)
        head = bytes([min(count, _LONG) << 4 | _STRUCT]) + (_varint(count) if count >= _LONG else b"")
        footer = b"".join([before, _varint(self._rows << 1), between, head, *self._groups, after])
        return footer + len(footer).to_bytes(_LENGTH_BYTES, "little") + _MAGIC

    def _moved(self, footer: bytes, group: _FieldSpan, found: list[_FieldSpan], *, by: int) -> bytes:
        pieces: list[bytes] = []
        copied = group.start
        for what, start, end in found:
            if what not in {"place", "ordinal"}:
                continue
            value = _integer(footer, start)
            if what == "ordinal":
                value = len(self._groups)
            elif value:  # nothing is at 0, where the magic is
                value += by
            pieces += [footer[copied:start], _varint(value << 1)]
            copied = end
        return b"".join([*pieces, footer[copied : group.end]])


def _walk_struct(data: bytes, position: int, rules: _Rules, found: list[_FieldSpan]) -> int:
    """Note where the fields that `rules` name are, the nested ones too; return where the struct ends."""
    start, number = position, 0
    while head := data[position]:
        position += 1
        if head >> 4:
            number += head >> 4
        else:
            number, position = _integer(data, position), _after_varint(data, position)
        position = _walk(data, position, head & 0x0F, rules.get(number, {}), found)
    if 0 in rules:
        found.append(_FieldSpan(rules[0], start, position + 1))
    return position + 1


def _walk(data: bytes, position: int, kind: int, rule: _Rules | str, found: list[_FieldSpan]) -> int:
    """Return where a value ends; note it when its rule is a name."""
    if isinstance(rule, str):
        end = _walk(data, position, kind, {}, found)
        found.append(_FieldSpan(rule, position, end))
        return end
    if kind == _STRUCT:
        return _walk_struct(data, position, rule, found)
    if kind in {_LIST, _SET}:
        return _walk_list(data, position, rule, found)
    if kind == _BINARY:
        return _after_varint(data, position) + _unsigned(data, position)
    if kind in {_I16, _I32, _I64}:
        return _after_varint(data, position)
    return position + _SIZES[kind]


def _walk_list(data: bytes, position: int, rules: _Rules, found: list[_FieldSpan]) -> int:
    count, kind = data[position] >> 4, data[position] & 0x0F
    position += 1
    if count == _LONG:
        count, position = _unsigned(data, position), _after_varint(data, position)
    for _ in range(count):
        # Beside a struct's field numbers a truth value takes no room, in a list it takes a byte.
        position = _walk(data, position, _BYTE if kind in {_TRUE, _FALSE} else kind, rules, found)
    return position


def _after_varint(data: bytes, position: int) -> int:
    while data[position] & _MORE:
        position += 1
    return position + 1


def _unsigned(data: bytes, position: int) -> int:
    value = shift = 0
    while data[position] & _MORE:
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
