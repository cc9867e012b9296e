"""Arrow types: their rule of fidelity, their form in JSON and back; chunked arrays as arrays.

JSON that is read is not trusted: anything unknown in it is a ValueError.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import pyarrow as pa

from digime_pandas._tabular.columns import RuleName

_SIMPLE: dict[str, pa.DataType] = {
    str(each): each
    for each in (
        *(pa.null(), pa.bool_(), pa.string(), pa.large_string(), pa.binary(), pa.large_binary()),
        *(pa.string_view(), pa.binary_view(), pa.date32(), pa.date64()),
        *(pa.int8(), pa.int16(), pa.int32(), pa.int64(), pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64()),
        *(pa.float16(), pa.float32(), pa.float64()),
        *(pa.time32("s"), pa.time32("ms"), pa.time64("us"), pa.time64("ns")),
        *(pa.timestamp(unit) for unit in ("s", "ms", "us", "ns")),
        *(pa.duration(unit) for unit in ("s", "ms", "us", "ns")),
    )
}
_DEEPEST = 32

# No type is of two of these: their order does not matter.
_RULE_OF_TYPE: tuple[tuple[Callable[[pa.DataType], bool], RuleName], ...] = (
    (pa.types.is_null, "null"),
    (pa.types.is_boolean, "boolean"),
    (pa.types.is_integer, "integer"),
    (pa.types.is_floating, "float"),
    (pa.types.is_decimal, "decimal"),
    (pa.types.is_string, "text"),
    (pa.types.is_large_string, "text"),
    (pa.types.is_string_view, "text"),
    (pa.types.is_binary, "bytes"),
    (pa.types.is_large_binary, "bytes"),
    (pa.types.is_binary_view, "bytes"),
    (pa.types.is_fixed_size_binary, "bytes"),
    (pa.types.is_date, "date"),
    (pa.types.is_time, "time"),
    (pa.types.is_duration, "duration"),
    (pa.types.is_dictionary, "category"),
    (pa.types.is_struct, "struct"),
    (pa.types.is_map, "map"),
    (pa.types.is_list, "list"),
    (pa.types.is_large_list, "list"),
    (pa.types.is_fixed_size_list, "list"),
)
_RULE_OF_EXTENSION: dict[str, RuleName] = {"pandas.period": "period", "pandas.interval": "interval"}


@lru_cache(maxsize=1024)
def rule_of_type(type: pa.DataType) -> RuleName:
    """Return the name of the rule of fidelity for an Arrow type; that of an extension type is its storage's.

    Args:
        type: The type.

    Returns:
        The name; ``"other"`` for a type that no format can hold.
    """
    if isinstance(type, pa.BaseExtensionType):
        return _RULE_OF_EXTENSION.get(type.extension_name) or rule_of_type(type.storage_type)
    if pa.types.is_timestamp(type):
        return "zoned timestamp" if type.tz else "timestamp"
    return next((rule for has_rule, rule in _RULE_OF_TYPE if has_rule(type)), "other")


def as_array(array: pa.Array | pa.ChunkedArray) -> pa.Array:
    """Return a chunked array as one array, without copying where it has one chunk.

    Args:
        array: A chunked array, or an array, which is returned as it is.
    """
    if not isinstance(array, pa.ChunkedArray):
        return array
    if array.num_chunks == 1:
        return array.chunk(0)
    return pa.concat_arrays(array.chunks) if array.num_chunks else pa.nulls(0, array.type)


def as_columns(table: pa.Table) -> dict[str, pa.ChunkedArray]:
    """Return the columns of a table by their names, which differ."""
    return dict(zip(table.column_names, table.columns, strict=True))


@lru_cache(maxsize=1024)
def type_to_json(type: pa.DataType) -> Any:  # noqa: C901, PLR0911 - one case per type
    """Return a type as a str, or as a list whose first member says what the others are.

    Args:
        type: The type. An extension type has the form of its storage.

    Returns:
        A value of str, int, bool, None and lists of these.

    Raises:
        ValueError: It has no such form: unions, list views, run-end encoded types.
    """
    types = pa.types
    if str(type) in _SIMPLE:
        return str(type)
    if types.is_timestamp(type):
        return ["timestamp", type.unit, type.tz]
    if types.is_decimal(type):
        return ["decimal", type.bit_width, type.precision, type.scale]
    if types.is_fixed_size_binary(type):
        return ["bytes", type.byte_width]
    if types.is_dictionary(type):
        return ["dictionary", type_to_json(type.index_type), type_to_json(type.value_type), type.ordered]
    if types.is_map(type):
        return ["map", type_to_json(type.key_type), type_to_json(type.item_type)]
    if types.is_fixed_size_list(type):
        return ["list", type_to_json(type.value_type), type.list_size]
    if types.is_list(type) or types.is_large_list(type):
        return ["large list" if types.is_large_list(type) else "list", type_to_json(type.value_type)]
    if types.is_struct(type):
        return ["struct", *([field.name, type_to_json(field.type)] for field in type)]
    if isinstance(type, pa.BaseExtensionType):
        return type_to_json(type.storage_type)
    raise ValueError(f"{type} has no JSON form")


def type_from_json(value: Any, *, depth: int = 0) -> pa.DataType:  # noqa: C901, PLR0911, PLR0912 - one case per type
    """Return the type that `type_to_json` returned this form of.

    Args:
        value: The form, not trusted.
        depth: How many types this one is inside of.

    Raises:
        ValueError: It is not the form of a type, or of one with more than 32 types inside each other.
    """
    if isinstance(value, str) and value in _SIMPLE:
        return _SIMPLE[value]
    if not isinstance(value, list) or not value or depth > _DEEPEST:
        raise ValueError("not a type")

    def inner(each: Any) -> pa.DataType:
        return type_from_json(each, depth=depth + 1)

    try:
        match value:
            case ["timestamp", str(unit), str(zone)]:
                return pa.timestamp(unit, zone)
            case ["decimal", 128 | 256 as width, int(precision), int(scale)]:
                return (pa.decimal128 if width == 128 else pa.decimal256)(precision, scale)  # noqa: PLR2004
            case ["decimal", int(), int(precision), int(scale)]:
                return pa.decimal128(precision, scale)
            case ["bytes", int(width)] if width >= 0:
                return pa.binary(width)
            case ["dictionary", indices, values, bool(ordered)]:
                return pa.dictionary(inner(indices), inner(values), ordered=ordered)
            case ["map", keys, items]:
                return pa.map_(inner(keys), inner(items))
            case ["list", values, int(size)] if size >= 0:
                return pa.list_(inner(values), size)
            case ["list", values]:
                return pa.list_(inner(values))
            case ["large list", values]:
                return pa.large_list(inner(values))
            case ["struct", *members]:
                return pa.struct([(str(name), inner(each)) for name, each in members])
    except (pa.ArrowException, TypeError, OverflowError) as error:
        raise ValueError("not a type") from error
    raise ValueError("not a type")
