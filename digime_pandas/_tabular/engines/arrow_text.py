"""CSV lines and JSON texts made by Arrow alone, for forked children, in which the threads of polars do not exist.

This is slower. The text is the one that polars writes, but for the notation of some floats (``1e-05``, ``0.00001``).
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

_TEXT = pa.large_string()
_QUOTED = '[",\r\n]'


def csv_lines(batch: pa.RecordBatch, *, header: bool, line_end: str) -> bytes:
    """Return the lines of a batch of integers, floats, booleans and text.

    Args:
        batch: What to write; it has columns.
        header: Whether the names come first.
        line_end: What ends each line.
    """
    names = ",".join(_quoted(pa.array(batch.schema.names, _TEXT)).to_pylist()) + line_end if header else ""
    fields = [_field(array).fill_null("") for array in batch.columns]
    lines = _joined(_joined(*fields, between=","), "", between=line_end)
    return (names + "".join(lines.to_pylist())).encode()


def json_texts(array: pa.Array) -> pa.Array:
    """Return each value as its own JSON text; nulls stay null, NaN and the infinities become ``null``.

    Args:
        array: Integers, floats, booleans, text, and lists and structs of these.
    """
    kind = array.type
    if pa.types.is_floating(kind):
        texts = pc.if_else(pc.is_finite(array), _numbers(array), _scalar("null"))
    elif pa.types.is_struct(kind):
        texts = _objects(array)
    elif pa.types.is_nested(kind):
        lengths = np.asarray(pc.list_value_length(array).fill_null(0), np.int64)
        items = json_texts(pc.list_flatten(array)).fill_null("null")
        lists = pa.LargeListArray.from_arrays(np.concatenate([[0], np.cumsum(lengths)]), items)
        texts = _joined("[", pc.binary_join(lists, _scalar(",")), "]")
    elif _is_text(kind):
        texts = pa.array([None if each is None else json.dumps(each, ensure_ascii=False) for each in array.to_pylist()])
    else:
        texts = array
    return pc.if_else(array.is_valid(), texts.cast(_TEXT), pa.scalar(None, _TEXT))


def _objects(array: pa.Array) -> pa.Array:
    if not array.type.num_fields:
        return pa.array(["{}"] * len(array), _TEXT)
    members = [
        _joined(json.dumps(field.name, ensure_ascii=False), json_texts(array.field(i)).fill_null("null"), between=":")
        for i, field in enumerate(array.type)
    ]
    return _joined("{", _joined(*members, between=","), "}")


def _field(array: pa.Array) -> pa.Array:
    if pa.types.is_floating(array.type):
        return pc.if_else(pc.is_nan(array), _scalar("NaN"), _numbers(array))
    texts = array.cast(_TEXT)
    return _quoted(texts) if _is_text(array.type) else texts


def _quoted(texts: pa.Array) -> pa.Array:
    doubled = pc.replace_substring(texts, '"', '""')
    plain = pc.and_not(pc.not_equal(texts, _scalar("")), pc.match_substring_regex(texts, _QUOTED))
    return pc.if_else(plain, texts, _joined('"', doubled, '"'))


def _numbers(array: pa.Array) -> pa.Array:
    # The shortest digits that give the same number again, of 32 bits where it has 32.
    return pa.array([str(each) for each in array.to_numpy(zero_copy_only=False)], _TEXT)


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _joined(*parts: Any, between: str = "") -> pa.Array:
    ready = [_scalar(part) if isinstance(part, str) else part for part in parts]
    return pc.binary_join_element_wise(*ready, _scalar(between))


def _scalar(text: str) -> pa.Scalar:
    return pa.scalar(text, _TEXT)
