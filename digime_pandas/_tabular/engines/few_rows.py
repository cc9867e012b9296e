"""CSV lines and JSON objects of few values, made by Python: polars takes longer to begin, and much longer to load.

The text is the one that polars writes, by the byte. Types of which that is not known by a test are left to polars.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from functools import lru_cache
from json.encoder import encode_basestring
from typing import Any, NamedTuple

import pyarrow as pa

_FEW = 1_024  # values that take Python no longer than polars takes to begin
_FEW_WITHOUT_POLARS = 32_768  # values that take Python no longer than polars takes to load
_QUOTED = re.compile('[",\r\n]')
_PLAIN_EXPONENT = -5  # polars writes 0.00001, Python 1e-05


class TextRows(NamedTuple):
    """Rows of types that text formats have, without what it takes to make a batch of them.

    Attributes:
        names: Names of the columns.
        arrays: Their values, of equal lengths.
    """

    names: Sequence[str]
    arrays: Sequence[pa.Array]

    def batch(self) -> pa.RecordBatch:
        """Return them as a batch."""
        return pa.RecordBatch.from_arrays(self.arrays, names=self.names)


def is_few(rows: TextRows) -> bool:
    """Return whether rows are faster written here than by polars.

    Args:
        rows: The rows, with columns.
    """
    most = _FEW if "polars" in sys.modules else _FEW_WITHOUT_POLARS
    return len(rows.arrays[0]) * len(rows.arrays) <= most and all(each.type.id in _CSV_TEXT for each in rows.arrays)


def csv_lines(rows: TextRows, *, header: bool, line_end: str) -> bytes:
    """Return the lines of rows for which `is_few` is true.

    Args:
        rows: What is written.
        header: Whether the names come first.
        line_end: What ends each line.
    """
    lines = [",".join(map(_quoted, rows.names))] if header else []
    lines += map(",".join, zip(*_texts(rows, _CSV_TEXT, missing=""), strict=True))
    lines.append("")
    return line_end.join(lines).encode()


def json_objects(rows: TextRows) -> list[str]:
    """Return each of the rows, for which `is_few` is true, as a JSON object; NaN and the infinities become null.

    Args:
        rows: What is written.
    """
    template = _object_template(tuple(rows.names))
    return [template % row for row in zip(*_texts(rows, _JSON_TEXT, missing="null"), strict=True)]


def _texts(rows: TextRows, text_of: Any, *, missing: str) -> list[list[str]]:
    found = []
    for array in rows.arrays:
        make = text_of[array.type.id]
        found.append([missing if value is None else make(value) for value in array.to_pylist()])
    return found


@lru_cache(maxsize=128)
def _object_template(names: tuple[str, ...]) -> str:
    members = (f"{encode_basestring(name)}:".replace("%", "%%") + "%s" for name in names)
    return f"{{{','.join(members)}}}"


def _quoted(text: str) -> str:
    if text and not _QUOTED.search(text):
        return text
    doubled = text.replace('"', '""')
    return f'"{doubled}"'


def _truth(value: bool) -> str:
    return "true" if value else "false"


def _csv_number(value: float) -> str:
    text = repr(value)
    return _with_exponent(text) if "e" in text else "NaN" if text == "nan" else text


def _json_number(value: float) -> str:
    text = repr(value)
    return _with_exponent(text) if "e" in text else "null" if "n" in text else text


def _with_exponent(text: str) -> str:
    digits, _, exponent = text.partition("e")
    power = int(exponent)
    if power != _PLAIN_EXPONENT:
        return f"{digits}e{power:+d}"
    sign = "-" if digits.startswith("-") else ""
    return f"{sign}0.0000{digits.removeprefix('-').replace('.', '')}"


_WHOLE = [getattr(pa, name)().id for name in ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")]
_SHARED: dict[int, Any] = {pa.null().id: str, pa.bool_().id: _truth, **dict.fromkeys(_WHOLE, str)}
_TEXT_TYPES = pa.string().id, pa.large_string().id
_CSV_TEXT = {**_SHARED, pa.float64().id: _csv_number, **dict.fromkeys(_TEXT_TYPES, _quoted)}
_JSON_TEXT = {**_SHARED, pa.float64().id: _json_number, **dict.fromkeys(_TEXT_TYPES, encode_basestring)}
