"""Arrow types: their rule of fidelity, their form in JSON and back; chunked arrays as arrays.

JSON that is read is not trusted: anything unknown in it is a ValueError.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import pyarrow as pa

from digime_pandas._tabular.columns import RuleName

DEEPEST = 48
"""How many lists, structs and maps may be inside each other: Parquet readers refuse files with a few more of them."""

_WIDEST = 1 << 20  # bytes or members of which each value has the same number: a null takes as much memory as they do
_DEEPEST_LEAF = 4  # types that are inside each other and no nesting: dictionaries, extension types

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
# What is not in each version of pyarrow: decimals of few digits, and extension types of Arrow that come back.
_DECIMALS: dict[int, Callable[[int, int], pa.DataType]] = {
    width: getattr(pa, f"decimal{width}") for width in (32, 64, 128, 256) if hasattr(pa, f"decimal{width}")
}
_EXTENSIONS: dict[str, Callable[..., pa.DataType]] = {
    f"arrow.{name.strip('_')}": getattr(pa, name) for name in ("uuid", "bool8", "json_") if hasattr(pa, name)
}

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
_FILE_FORMS: dict[pa.DataType, pa.DataType] = {
    pa.large_string(): pa.string(),
    pa.string_view(): pa.string(),
    pa.large_binary(): pa.binary(),
    pa.binary_view(): pa.binary(),
    pa.date64(): pa.date32(),
    pa.time32("s"): pa.time32("ms"),
}
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


def nesting_of(type: pa.DataType) -> int:
    """Return how many arrays and objects of JSON the values of a type are inside of; a map is two of them.

    Args:
        type: The type.
    """
    deepest, waiting = 0, [(type, 0)]
    while waiting:  # a type may be nested more deeply than Python can call
        each, depth = waiting.pop()
        deepest = max(deepest, depth)
        if isinstance(each, pa.BaseExtensionType):
            waiting.append((each.storage_type, depth))
        elif pa.types.is_dictionary(each):
            waiting.append((each.value_type, depth))
        elif pa.types.is_nested(each):
            waiting += [(each.field(i).type, depth + 1) for i in range(each.num_fields)] or [(pa.null(), depth + 1)]
    return deepest


def file_form(type: pa.DataType) -> pa.DataType:  # noqa: PLR0911 - one case per type
    """Return the type that all types have in common whose values are the same ones in a Parquet file.

    Args:
        type: A type of a column that is written, or of one that was read.
    """
    types = pa.types
    if isinstance(type, pa.BaseExtensionType):
        return file_form(type.storage_type)
    if types.is_dictionary(type):
        return file_form(type.value_type)
    if types.is_large_list(type):
        return pa.list_(file_form(type.value_type))
    if types.is_nested(type):
        return with_inner_types(type, file_form)
    if types.is_decimal(type):
        return pa.decimal256(type.precision, type.scale)
    if types.is_timestamp(type) and type.unit == "s":
        return pa.timestamp("ms", type.tz)
    return _FILE_FORMS.get(type, type)


def bytes_of_a_null(type: pa.DataType) -> int:
    """Return how many bytes a null takes of a type whose values all have one size; about 8 of other types.

    Args:
        type: The type.
    """
    if pa.types.is_fixed_size_binary(type):
        return int(type.byte_width)
    if pa.types.is_fixed_size_list(type):
        return int(type.list_size) * bytes_of_a_null(type.value_type)
    if pa.types.is_struct(type):
        return sum(bytes_of_a_null(field.type) for field in type)
    return 8


def with_inner_types(type: pa.DataType, convert: Callable[[pa.DataType], pa.DataType]) -> pa.DataType:
    """Return a struct, map or list type whose members have other types, may be null, and have no metadata or order.

    Args:
        type: The type.
        convert: Returns the new type of a member.
    """
    types = pa.types
    if types.is_struct(type):
        return pa.struct([(field.name, convert(field.type)) for field in type])
    if types.is_map(type):
        return pa.map_(convert(type.key_type), convert(type.item_type))
    if types.is_fixed_size_list(type):
        return pa.list_(convert(type.value_type), type.list_size)
    inner = convert(type.value_type)
    return pa.large_list(inner) if types.is_large_list(type) else pa.list_(inner)


def readable_type(type: pa.DataType) -> pa.DataType:
    """Return the type in which a reader of JSON reads values: of nothing but nulls, it makes no right lists.

    Args:
        type: The type of the values as text formats have them.
    """

    def member(each: pa.DataType) -> pa.DataType:
        return pa.bool_() if pa.types.is_null(each) else readable_type(each)

    return with_inner_types(type, member) if pa.types.is_nested(type) else type


def type_to_json(type: pa.DataType) -> Any:
    """Return a type as a str, or as a list whose first member says what the others are.

    Args:
        type: The type. An extension type that is not one of Arrow's own has the form of its storage.

    Returns:
        A value of str, int, bool, None and lists of these.

    Raises:
        ValueError: It has no such form: unions, list views, run-end encoded types.
    """
    if pa.types.is_dictionary(type):  # to pyarrow, those of different extension types are equal: not to be cached
        return ["dictionary", type_to_json(type.index_type), type_to_json(type.value_type), type.ordered]
    return _type_to_json(type)


@lru_cache(maxsize=1024)
def _type_to_json(type: pa.DataType) -> Any:  # noqa: PLR0911 - one case per type
    types = pa.types
    if str(type) in _SIMPLE:
        return str(type)
    if types.is_timestamp(type):
        return ["timestamp", type.unit, type.tz]
    if types.is_decimal(type):
        return ["decimal", type.bit_width, type.precision, type.scale]
    if types.is_fixed_size_binary(type):
        return ["bytes", type.byte_width]
    if types.is_map(type):
        return ["map", type_to_json(type.key_type), type_to_json(type.item_type)]
    if types.is_fixed_size_list(type):
        return ["list", type_to_json(type.value_type), type.list_size]
    if types.is_list(type) or types.is_large_list(type):
        return ["large list" if types.is_large_list(type) else "list", type_to_json(type.value_type)]
    if types.is_struct(type):
        return ["struct", *([field.name, type_to_json(field.type)] for field in type)]
    if isinstance(type, pa.BaseExtensionType):
        storage = type_to_json(type.storage_type)
        return ["extension", type.extension_name, storage] if type.extension_name in _EXTENSIONS else storage
    raise ValueError(f"{type} has no JSON form")


def type_from_json(value: Any, *, depth: int = 0) -> pa.DataType:  # noqa: C901, PLR0911, PLR0912 - one case per type
    """Return the type that `type_to_json` returned this form of.

    Args:
        value: The form, not trusted.
        depth: How many types this one is inside of.

    Raises:
        ValueError: It is not the form of a type, or of one that is nested too deeply.
    """
    if isinstance(value, str) and value in _SIMPLE:
        return _SIMPLE[value]
    if not isinstance(value, list) or not value or depth > DEEPEST + _DEEPEST_LEAF:
        raise ValueError("not a type")

    def inner(each: Any) -> pa.DataType:
        return type_from_json(each, depth=depth + 1)

    try:
        match value:
            case ["timestamp", str(unit), str(zone)]:
                return pa.timestamp(unit, zone)
            case ["decimal", int(width), int(precision), int(scale)]:
                return _DECIMALS.get(width, pa.decimal128)(precision, scale)
            case ["bytes", int(width)] if 0 <= width <= _WIDEST:
                return pa.binary(width)
            case ["dictionary", indices, values, bool(ordered)]:
                return pa.dictionary(inner(indices), inner(values), ordered=ordered)
            case ["map", keys, items]:
                return pa.map_(inner(keys), inner(items))
            case ["list", values, int(size)] if 0 <= size <= _WIDEST:
                return pa.list_(inner(values), size)
            case ["list", values]:
                return pa.list_(inner(values))
            case ["large list", values]:
                return pa.large_list(inner(values))
            case ["struct", *members]:
                return pa.struct([(str(name), inner(each)) for name, each in members])
            case ["extension", str(name), storage]:
                return _extension(name, inner(storage))
    except (pa.ArrowException, TypeError, OverflowError) as error:
        raise ValueError("not a type") from error
    raise ValueError("not a type")


def _extension(name: str, storage: pa.DataType) -> pa.DataType:
    make = _EXTENSIONS.get(name)
    if make is None:  # of a later pyarrow
        return storage
    made = make(storage) if name == "arrow.json" else make()
    if made.storage_type != storage:
        raise ValueError("not a type")
    return made
