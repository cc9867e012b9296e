"""Arrow types as plain JSON values and back. What is read is not trusted: anything unknown is a ValueError."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

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


def type_to_json(type: pa.DataType) -> Any:  # noqa: C901, PLR0911 - one case a type
    """Return `type` as a str or a list whose first member says which type follows."""
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


def type_from_json(value: Any, *, depth: int = 0) -> pa.DataType:  # noqa: C901, PLR0911, PLR0912 - one case a type
    """Return the type that `type_to_json` gave this form.

    Raises:
        ValueError: It gave nothing like it.
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
