"""Text forms of Arrow values, for formats that know only numbers, truth values and text.

The classes below say which form values of a type have. They work on whole arrays, for speed.
"""

from __future__ import annotations

import base64
import binascii
from functools import lru_cache
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from digime_pandas._tabular.arrow import rule_of_type
from digime_pandas._tabular.columns import TICKS_PER_SECOND, RuleName
from digime_pandas._tabular.engines.iso_text import (
    duration_texts,
    few_date_texts,
    few_time_texts,
    local_times,
    offset_text,
    parse_durations,
    parse_times,
)
from digime_pandas._tabular.engines.polars_text import polars_is_usable

_FEW = 256  # rows of which each call of Arrow takes longer than what it saves


def text_type(type: pa.DataType) -> pa.DataType:
    """Return the type that `to_text` turns values of a type into.

    Args:
        type: The type of the values.
    """
    return _form_of(type).text_type(type)


def to_text(array: pa.Array) -> pa.Array:
    """Return the values as integers, floats, booleans, text, and lists and structs of these; nulls stay null.

    Args:
        array: The values.

    Raises:
        pyarrow.ArrowInvalid: A value has no such form.
    """
    return _form_of(array.type).to_text(array)


def from_text(array: pa.Array, type: pa.DataType) -> pa.Array:
    """Return the values that `to_text` was called with.

    Args:
        array: What `to_text` returned, or a reader of its file: of type ``text_type(type)``, or wider.
        type: The type the values had.

    Raises:
        pyarrow.ArrowInvalid: A text is not one of that type.
    """
    return array if array.type == type else _form_of(type).from_text(array, type)


@lru_cache(maxsize=1024)
def _form_of(type: pa.DataType) -> _Form:
    rule = rule_of_type(type)
    if isinstance(type, pa.BaseExtensionType) and rule not in {"period", "interval"}:
        return _EXTENSION
    return _FORMS.get(rule, _CAST)


class _Form:
    """Text as Arrow casts values to it and back: of decimals, all digits of their scale."""

    def text_type(self, _type: pa.DataType) -> pa.DataType:
        return pa.string()

    def to_text(self, array: pa.Array) -> pa.Array:
        return array.cast(pa.string())

    def from_text(self, array: pa.Array, type: pa.DataType) -> pa.Array:
        return array.cast(type)


class _Unchanged(_Form):
    """Values that text formats have: of null, booleans and integers."""

    def text_type(self, type: pa.DataType) -> pa.DataType:
        return type

    def to_text(self, array: pa.Array) -> pa.Array:
        return array

    def from_text(self, array: pa.Array, type: pa.DataType) -> pa.Array:
        # Of no type can Arrow cast values to null.
        return pa.nulls(len(array)) if pa.types.is_null(type) and array.null_count == len(array) else array.cast(type)


class _Float(_Unchanged):
    """Floats; those of 16 bits as ones of 32, since polars has none of 16."""

    def text_type(self, type: pa.DataType) -> pa.DataType:
        return pa.float32() if pa.types.is_float16(type) else type

    def to_text(self, array: pa.Array) -> pa.Array:
        return array.cast(pa.float32()) if pa.types.is_float16(array.type) else array


class _Text(_Form):
    """Text as it is, but views as plain text."""

    def to_text(self, array: pa.Array) -> pa.Array:
        return array.cast(pa.string()) if pa.types.is_string_view(array.type) else array


class _Date(_Form):
    """Dates: ``2024-05-01``."""

    def to_text(self, array: pa.Array) -> pa.Array:
        if not pa.types.is_date32(array.type):
            return array.cast(pa.string())
        if len(array) <= _FEW:
            few = few_date_texts(array)
            return array.cast(pa.string()) if few is None else few
        # The same dates are in many rows: each is turned into text once.
        distinct = array.dictionary_encode()
        return distinct.dictionary.cast(pa.string()).take(distinct.indices)


class _Timestamp(_Form):
    """Times: ``2024-05-01T08:30:00[.ffffff]``; with a zone ``…+02:00``."""

    def to_text(self, array: pa.Array) -> pa.Array:
        zone, unit = array.type.tz, array.type.unit
        instants = array.view(pa.timestamp(unit)) if zone else array
        local = instants if not zone or zone == "UTC" else local_times(array)
        few = few_time_texts(local, instants if zone != "UTC" else array)
        if few is not None:
            return few
        if not zone:
            return _with_letter_t(array)
        ticks = pc.subtract(local.view(pa.int64()), instants.view(pa.int64()))
        seconds = pc.divide(ticks, TICKS_PER_SECOND[unit]).dictionary_encode()
        offsets = seconds.dictionary.to_pylist()
        if any(each % 60 for each in offsets):
            # Local mean time, before zones were agreed on: ISO 8601 has no offset with seconds; UTC means the same.
            return self.to_text(array.cast(pa.timestamp(unit, "UTC")))
        texts = [offset_text(each // 60) for each in offsets]
        suffix = texts[0] if len(texts) == 1 else pa.array(texts, pa.string()).take(seconds.indices)
        return pc.binary_join_element_wise(_with_letter_t(local), suffix, "")

    def from_text(self, array: pa.Array, type: pa.DataType) -> pa.Array:
        return parse_times(array, type)


def _with_letter_t(times: pa.Array) -> pa.Array:
    return pc.binary_replace_slice(times.cast(pa.string()), 10, 11, "T")


class _Time(_Form):
    """Times of day: ``08:30:00[.ffffff]``."""

    def from_text(self, array: pa.Array, type: pa.DataType) -> pa.Array:
        if rule_of_type(array.type) == "time":
            return array.cast(type)
        # Arrow casts no text to a time of day, but to a timestamp.
        moments = pc.binary_join_element_wise("1970-01-01T", array.cast(pa.string()), "").cast(pa.timestamp(type.unit))
        ticks = moments.cast(pa.int64())
        return (ticks.cast(pa.int32()) if pa.types.is_time32(type) else ticks).cast(type)


class _Duration(_Form):
    """Durations: ``[-]P1DT2H3M4[.ffffff]S``, what ``Timedelta.isoformat`` returns for positive ones."""

    def to_text(self, array: pa.Array) -> pa.Array:
        return duration_texts(array)

    def from_text(self, array: pa.Array, type: pa.DataType) -> pa.Array:
        return parse_durations(array, type)


class _Bytes(_Form):
    """Base64 with padding (RFC 4648, section 4)."""

    def to_text(self, array: pa.Array) -> pa.Array:
        if not polars_is_usable():
            encoded = [None if each is None else base64.b64encode(each) for each in array.to_pylist()]
            return pa.array(encoded, pa.string())
        import polars as pl

        return pl.Series(pl.from_arrow(array.cast(pa.large_binary()))).bin.encode("base64").to_arrow()

    def from_text(self, array: pa.Array, type: pa.DataType) -> pa.Array:
        if rule_of_type(array.type) == "bytes":
            return array.cast(type)
        try:
            values = [None if text is None else base64.b64decode(text, validate=True) for text in array.to_pylist()]
        except binascii.Error as error:
            raise pa.ArrowInvalid("not base64") from error
        return pa.array(values, pa.binary()).cast(type)


class _ReadByPandas(_Form):
    """Text that only pandas makes values of."""

    def from_text(self, _array: pa.Array, type: pa.DataType) -> pa.Array:
        # `restore` makes such columns itself; a schema that this package did not write may name such a type elsewhere.
        raise pa.ArrowNotImplementedError(f"{type} is made again by pandas")


class _Interval(_ReadByPandas):
    """Intervals of pandas: ``(left, right]``, the brackets as they are closed."""

    def to_text(self, array: pa.Array) -> pa.Array:
        left, right = (to_text(array.storage.field(i)).cast(pa.string()) for i in (0, 1))
        opening = "[" if array.type.closed in ("left", "both") else "("
        closing = "]" if array.type.closed in ("right", "both") else ")"
        text = pc.binary_join_element_wise(opening, left, ", ", right, closing, "")
        return pc.if_else(array.is_valid(), text, pa.scalar(None, pa.string()))


class _Period(_ReadByPandas):
    """Periods of pandas: ``2024-05``, ``2024Q2``, …, what ``str(period)`` returns."""

    def to_text(self, array: pa.Array) -> pa.Array:
        dtype: Any = pd.PeriodDtype(array.type.freq)
        return pa.array([None if each is pd.NaT else str(each) for each in dtype.__from_arrow__(array)], pa.string())


class _Extension(_Form):
    """The storage of an extension type."""

    def text_type(self, type: pa.DataType) -> pa.DataType:
        return text_type(type.storage_type)

    def to_text(self, array: pa.Array) -> pa.Array:
        return to_text(array.storage)

    def from_text(self, array: pa.Array, type: pa.DataType) -> pa.Array:
        return pa.ExtensionArray.from_storage(type, from_text(array, type.storage_type))


class _Dictionary(_Form):
    """The values of a dictionary."""

    def text_type(self, type: pa.DataType) -> pa.DataType:
        return text_type(type.value_type)

    def to_text(self, array: pa.Array) -> pa.Array:
        texts = to_text(array.dictionary)
        if max(len(texts), len(array)) > _FEW or pa.types.is_nested(texts.type):
            return texts.take(array.indices)
        few = [*texts.to_pylist(), None]
        return pa.array([few[-1 if each is None else each] for each in array.indices.to_pylist()], texts.type)

    def from_text(self, array: pa.Array, type: pa.DataType) -> pa.Array:
        return from_text(array, type.value_type).dictionary_encode().cast(type)


class _List(_Form):
    """Lists of any kind as lists."""

    def text_type(self, type: pa.DataType) -> pa.DataType:
        return pa.list_(text_type(type.value_type))

    def to_text(self, array: pa.Array) -> pa.Array:
        return _with_members(array, to_text(pc.list_flatten(array)))

    def from_text(self, array: pa.Array, type: pa.DataType) -> pa.Array:
        members = from_text(pc.list_flatten(array), type.value_type)
        if not pa.types.is_list(type):
            return _with_members(array, members).cast(type)
        # Cast from large lists, Arrow's lists of nulls would be shorter than their offsets say.
        return pa.ListArray.from_arrays(_offsets(array, pa.int32()), members, type=type, mask=array.is_null())


class _Map(_Form):
    """Maps: lists of ``{"key": …, "value": …}``."""

    def text_type(self, type: pa.DataType) -> pa.DataType:
        return text_type(_entries_type(type))

    def to_text(self, array: pa.Array) -> pa.Array:
        return to_text(array.cast(_entries_type(array.type)))

    def from_text(self, array: pa.Array, type: pa.DataType) -> pa.Array:
        lists = array.cast(_entries_type(array.type)) if pa.types.is_map(array.type) else array
        entries = pc.list_flatten(lists)
        keys, items = from_text(entries.field("key"), type.key_type), from_text(entries.field("value"), type.item_type)
        # A null offset makes a null map: Arrow chooses between no maps of extension types or dictionaries.
        is_null = pa.concat_arrays([array.is_null(), pa.array([False])])
        offsets = pc.if_else(is_null, pa.scalar(None, pa.int32()), _offsets(lists, pa.int32()))
        return pa.MapArray.from_arrays(offsets, keys, items).cast(type)


class _Struct(_Form):
    """Structs, member by member."""

    def text_type(self, type: pa.DataType) -> pa.DataType:
        return pa.struct([(field.name, text_type(field.type)) for field in type])

    def to_text(self, array: pa.Array) -> pa.Array:
        return _with_children(array, [to_text(array.field(i)) for i in range(array.type.num_fields)])

    def from_text(self, array: pa.Array, type: pa.DataType) -> pa.Array:
        return _with_children(array, [from_text(array.field(i), field.type) for i, field in enumerate(type)])


def _entries_type(type: pa.DataType) -> pa.DataType:
    return pa.list_(pa.struct([("key", type.key_type), ("value", type.item_type)]))


def _with_members(array: pa.Array, members: pa.Array) -> pa.Array:
    return pa.LargeListArray.from_arrays(_offsets(array, pa.int64()), members, mask=array.is_null())


def _offsets(array: pa.Array, type: pa.DataType) -> pa.Array:
    lengths = pc.list_value_length(array).fill_null(0).cast(type)
    return pa.concat_arrays([pa.array([0], type), pc.cumulative_sum(lengths)])


def _with_children(array: pa.Array, children: list[pa.Array]) -> pa.Array:
    return pa.StructArray.from_arrays(children, [field.name for field in array.type], mask=array.is_null())


_CAST = _Form()  # of decimals, and of what no file is written of
_EXTENSION = _Extension()
_FORMS: dict[RuleName, _Form] = {
    "null": _Unchanged(),
    "boolean": _Unchanged(),
    "integer": _Unchanged(),
    "float": _Float(),
    "text": _Text(),
    "bytes": _Bytes(),
    "date": _Date(),
    "time": _Time(),
    "timestamp": _Timestamp(),
    "zoned timestamp": _Timestamp(),
    "duration": _Duration(),
    "interval": _Interval(),
    "period": _Period(),
    "category": _Dictionary(),
    "list": _List(),
    "map": _Map(),
    "struct": _Struct(),
}
