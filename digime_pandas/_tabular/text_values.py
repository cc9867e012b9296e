"""Text forms of Arrow values, for formats that know only numbers, truth values and text.

========================  ==============================================================================
Arrow type                text form
========================  ==============================================================================
timestamp                 ``2024-05-01T08:30:00[.ffffff]``; with a zone ``…+02:00``
date                      ``2024-05-01``
time                      ``08:30:00[.ffffff]``
duration                  ``[-]P1DT2H3M4[.ffffff]S``, what ``Timedelta.isoformat`` gives for positive ones
decimal                   digits, with all the places of its scale
binary                    base64 with padding (RFC 4648, section 4)
interval (pandas)         ``(left, right]``, the brackets as they are closed
period (pandas)           ``2024-05``, ``2024Q2``, …: what ``str(period)`` gives
map                       a list of ``{"key": …, "value": …}``
========================  ==============================================================================

Lists and structs keep their shape; their leaves are treated the same way. `plain` goes from values to text, `typed`
comes back. Both work on whole arrays: this is on the fast path of every CSV and JSON file.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from digime_pandas._tabular.codecs.polars_writer import is_usable

_DURATION = r"^(?P<sign>-?)P(?P<d>\d{1,15})DT(?P<h>\d{1,2})H(?P<m>\d{1,2})M(?P<s>\d{1,2})(?:\.(?P<f>\d{1,9}))?S$"
_TICKS = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}  # a second
_PLACES = {"s": 0, "ms": 3, "us": 6, "ns": 9}


@dataclass(frozen=True, slots=True)
class _Form:
    """How one family of types goes to text and back."""

    applies: Callable[[pa.DataType], bool]
    text_type: Callable[[pa.DataType], pa.DataType]
    plain: Callable[[pa.Array], pa.Array]
    typed: Callable[[pa.Array, pa.DataType], pa.Array]


def text_type(type: pa.DataType) -> pa.DataType:
    """Return the type that `plain` turns values of `type` into."""
    return _form(type).text_type(type)


def plain(array: pa.Array) -> pa.Array:
    """Return the values as integers, floats, booleans, text, and lists and structs of these; nulls stay null.

    Raises:
        pyarrow.ArrowInvalid: A value has no such form.
    """
    return _form(array.type).plain(array)


def typed(array: pa.Array, type: pa.DataType) -> pa.Array:
    """Return the values of a `plain` array as `type`.

    Args:
        array: What `plain` made, or a reader of its file: of type ``plain_type(type)``, or wider.
        type: The type the values had.

    Raises:
        pyarrow.ArrowInvalid: A text is not one of that type.
    """
    return array if array.type == type else _form(type).typed(array, type)


def _form(type: pa.DataType) -> _Form:
    return next(form for form in _FORMS if form.applies(type))


def _is_list(type: pa.DataType) -> bool:
    types = pa.types
    return bool(types.is_list(type) or types.is_large_list(type) or types.is_fixed_size_list(type))


def _offsets(array: pa.Array, type: pa.DataType) -> pa.Array:
    lengths = pc.list_value_length(array).fill_null(0).cast(type)
    return pa.concat_arrays([pa.array([0], type), pc.cumulative_sum(lengths)])


def _relist(array: pa.Array, values: pa.Array) -> pa.Array:
    offsets = _offsets(array, pa.int64())
    return pa.LargeListArray.from_arrays(offsets, values, mask=array.is_null())


def _restruct(array: pa.Array, children: list[pa.Array]) -> pa.Array:
    names = [field.name for field in array.type]
    return pa.StructArray.from_arrays(children, names, mask=array.is_null())


def _date_text(array: pa.Array) -> pa.Array:
    # Dates come again and again: each is written once.
    once = array.dictionary_encode()
    return once.dictionary.cast(pa.string()).take(once.indices)


def _timestamp_text(array: pa.Array) -> pa.Array:
    zone, unit = array.type.tz, array.type.unit
    if not zone:
        return pc.binary_replace_slice(array.cast(pa.string()), 10, 11, "T")
    instants = array.view(pa.timestamp(unit))
    local = instants if zone == "UTC" else _local(array)
    ticks = pc.subtract(local.view(pa.int64()), instants.view(pa.int64()))
    seconds = pc.divide(ticks, _TICKS[unit]).dictionary_encode()
    offsets = seconds.dictionary.to_pylist()
    if any(each % 60 for each in offsets):
        # Local mean time, before zones were agreed on: ISO 8601 has no offset with seconds, UTC says the same.
        return _timestamp_text(array.cast(pa.timestamp(unit, "UTC")))
    text = pc.binary_replace_slice(local.cast(pa.string()), 10, 11, "T")
    suffixes = pa.array([_offset_text(each // 60) for each in offsets], pa.string())
    if len(offsets) == 1:
        return pc.binary_join_element_wise(text, suffixes[0], "")
    return pc.binary_join_element_wise(text, suffixes.take(seconds.indices), "")


def _local(array: pa.Array) -> pa.Array:
    try:
        return pc.local_timestamp(array)
    except pa.ArrowInvalid:  # Arrow knows fewer names of zones than Python does; UTC says the same
        return array.view(pa.timestamp(array.type.unit))


def _offset_text(minutes: int) -> str:
    hours, minutes_left = divmod(abs(minutes), 60)
    return f"{'-' if minutes < 0 else '+'}{hours:02d}:{minutes_left:02d}"


def _duration_text(array: pa.Array) -> pa.Array:
    unit = array.type.unit
    ticks = array.cast(pa.int64())
    rest = pc.abs(ticks)
    sign = pc.if_else(pc.less(ticks, 0), "-", "")
    parts: list[Any] = []
    for factor in (86400 * _TICKS[unit], 3600 * _TICKS[unit], 60 * _TICKS[unit], _TICKS[unit]):
        whole = pc.divide(rest, factor)
        rest = pc.subtract(rest, pc.multiply(whole, factor))
        parts.append(whole.cast(pa.string()))
    days, hours, minutes, seconds = parts
    if _PLACES[unit]:
        digits = pc.utf8_lpad(rest.cast(pa.string()), _PLACES[unit], padding="0")
        fraction = pc.if_else(pc.equal(rest, 0), "", pc.binary_join_element_wise(".", digits, ""))
    else:
        fraction = pa.scalar("")
    return pc.binary_join_element_wise(sign, "P", days, "DT", hours, "H", minutes, "M", seconds, fraction, "S", "")


def _duration_of(array: pa.Array, type: pa.DataType) -> pa.Array:
    found = pc.extract_regex(array, _DURATION)
    if found.null_count != array.null_count:
        raise pa.ArrowInvalid("not a duration as P…DT…H…M…S")
    ticks = _TICKS[type.unit]
    total: Any = pa.scalar(0, pa.int64())
    for name, factor in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        part = pc.struct_field(found, name).cast(pa.int64())
        total = pc.add_checked(total, pc.multiply_checked(part, factor * ticks))
    digits = pc.utf8_slice_codeunits(pc.utf8_rpad(pc.struct_field(found, "f"), 9, padding="0"), 0, 9)
    total = pc.add_checked(total, pc.divide(digits.cast(pa.int64()), 10**9 // ticks))
    negative = pc.equal(pc.struct_field(found, "sign"), "-")
    return pc.if_else(negative, pc.negate(total), total).cast(type)


def _time_of(array: pa.Array, type: pa.DataType) -> pa.Array:
    moment = pc.binary_join_element_wise("1970-01-01T", array.cast(pa.string()), "").cast(pa.timestamp(type.unit))
    ticks = moment.cast(pa.int64())
    return (ticks.cast(pa.int32()) if pa.types.is_time32(type) else ticks).cast(type)


def _interval_text(array: pa.Array) -> pa.Array:
    left, right = (plain(array.storage.field(i)).cast(pa.string()) for i in (0, 1))
    opening = "[" if array.type.closed in ("left", "both") else "("
    closing = "]" if array.type.closed in ("right", "both") else ")"
    text = pc.binary_join_element_wise(opening, left, ", ", right, closing, "")
    return pc.if_else(array.is_valid(), text, pa.scalar(None, pa.string()))


def _period_text(array: pa.Array) -> pa.Array:
    dtype: Any = pd.PeriodDtype(array.type.freq)
    periods = dtype.__from_arrow__(array)
    return pa.array([None if each is pd.NaT else str(each) for each in periods], pa.string())


def _base64(array: pa.Array) -> pa.Array:
    if not is_usable():
        return pa.array([None if each is None else base64.b64encode(each) for each in array.to_pylist()], pa.string())
    import polars as pl

    return pl.Series(pl.from_arrow(array.cast(pa.large_binary()))).bin.encode("base64").to_arrow()


def _unbase64(array: pa.Array, type: pa.DataType) -> pa.Array:
    try:
        values = [None if text is None else base64.b64decode(text, validate=True) for text in array.to_pylist()]
    except binascii.Error as error:
        raise pa.ArrowInvalid("not base64") from error
    return pa.array(values, pa.binary()).cast(type)


def _map_entries(type: pa.DataType) -> pa.DataType:
    return pa.list_(pa.struct([("key", type.key_type), ("value", type.item_type)]))


def _map_of(array: pa.Array, type: pa.DataType) -> pa.Array:
    entries = pc.list_flatten(array)
    keys, items = typed(entries.field("key"), type.key_type), typed(entries.field("value"), type.item_type)
    values = pa.MapArray.from_arrays(_offsets(array, pa.int32()), keys, items)
    return pc.if_else(array.is_valid(), values, pa.scalar(None, values.type)).cast(type)


def _cast(array: pa.Array, type: pa.DataType) -> pa.Array:
    return array.cast(type)


def _as_text(_: pa.DataType) -> pa.DataType:
    return pa.string()


def _is_plain(type: pa.DataType) -> bool:
    return pa.types.is_integer(type) or pa.types.is_boolean(type) or str(type) in {"null", "float", "double"}


def _is_text(type: pa.DataType) -> bool:
    return bool(pa.types.is_string(type) or pa.types.is_large_string(type))


def _is_binary(type: pa.DataType) -> bool:
    types = pa.types
    sized = types.is_fixed_size_binary(type) or types.is_binary_view(type)
    return bool(types.is_binary(type) or types.is_large_binary(type) or sized)


def _is_pandas(name: str) -> Callable[[pa.DataType], bool]:
    return lambda kind: isinstance(kind, pa.BaseExtensionType) and kind.extension_name == name


def _not_here(_: pa.Array, type: pa.DataType) -> pa.Array:
    """Refuse: only pandas reads these texts. A column of them never comes here; a schema that is not ours might."""
    raise pa.ArrowNotImplementedError(f"{type} is made again by pandas")


_FORMS = (
    _Form(_is_plain, lambda kind: kind, lambda array: array, _cast),
    _Form(_is_text, _as_text, lambda array: array, _cast),
    _Form(pa.types.is_timestamp, _as_text, _timestamp_text, _cast),
    _Form(pa.types.is_date32, _as_text, _date_text, _cast),
    _Form(pa.types.is_duration, _as_text, _duration_text, _duration_of),
    _Form(pa.types.is_time, _as_text, lambda array: array.cast(pa.string()), _time_of),
    _Form(_is_binary, _as_text, _base64, _unbase64),
    _Form(pa.types.is_float16, lambda _: pa.float32(), lambda array: array.cast(pa.float32()), _cast),
    _Form(
        pa.types.is_dictionary,
        lambda kind: text_type(kind.value_type),
        lambda array: plain(array.dictionary).take(array.indices),
        lambda array, kind: typed(array, kind.value_type).dictionary_encode().cast(kind),
    ),
    _Form(_is_pandas("pandas.interval"), _as_text, _interval_text, _not_here),
    _Form(_is_pandas("pandas.period"), _as_text, _period_text, _not_here),
    _Form(
        lambda kind: isinstance(kind, pa.BaseExtensionType),
        lambda kind: text_type(kind.storage_type),
        lambda array: plain(array.storage),
        lambda array, kind: pa.ExtensionArray.from_storage(kind, typed(array, kind.storage_type)),
    ),
    _Form(
        pa.types.is_map,
        lambda kind: text_type(_map_entries(kind)),
        lambda array: plain(array.cast(_map_entries(array.type))),
        _map_of,
    ),
    _Form(
        _is_list,
        lambda kind: pa.list_(text_type(kind.value_type)),
        lambda array: _relist(array, plain(pc.list_flatten(array))),
        lambda array, kind: _relist(array, typed(pc.list_flatten(array), kind.value_type)).cast(kind),
    ),
    _Form(
        pa.types.is_struct,
        lambda kind: pa.struct([(field.name, text_type(field.type)) for field in kind]),
        lambda array: _restruct(array, [plain(array.field(i)) for i in range(array.type.num_fields)]),
        lambda array, kind: _restruct(array, [typed(array.field(i), field.type) for i, field in enumerate(kind)]),
    ),
    _Form(lambda _: True, _as_text, lambda array: array.cast(pa.string()), _cast),  # date64, decimal, string view
)
