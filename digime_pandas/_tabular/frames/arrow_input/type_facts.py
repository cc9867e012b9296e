"""What follows from an Arrow type of other libraries: whether and as what it is written, and what comes back."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any, NamedTuple

import pyarrow as pa

from digime_pandas._tabular.arrow import (
    DEEPEST,
    nesting_of,
    rule_of_type,
    type_from_json,
    type_to_json,
    with_inner_types,
)
from digime_pandas._tabular.columns import Column, ColumnSpec, Finding, RuleName, SliceReader
from digime_pandas._tabular.frames.used_values import writable_type

_SHORTEST_ENCODABLE = 128  # bits of decimals of which Arrow makes dictionaries


class TypeFacts(NamedTuple):
    """What follows from an Arrow type for a column of it.

    Attributes:
        rule: The rule it falls under.
        dtype: Its text.
        written: The type in which it is written.
        spec: How it is made again.
        findings: What else is known.
        unsupported: Why no file holds it, or None.
    """

    rule: RuleName
    dtype: str
    written: pa.DataType
    spec: ColumnSpec
    findings: tuple[Finding, ...]
    unsupported: Finding | None

    def column(self, name: str, read: SliceReader, findings: tuple[Finding, ...]) -> Column:
        """Return a column of the type; `findings` are all of it."""
        return Column(name, self.rule, self.dtype, self.written, self.spec, read, findings)


def facts_of(type: pa.DataType) -> TypeFacts:
    """Return what follows from a type.

    Args:
        type: Any type of Arrow, extension types of other packages included.
    """
    try:
        return _cached_facts(type)
    except TypeError:  # extension types of Python have no hash
        return _made_facts(type)


def stored_type(type: pa.DataType) -> pa.DataType:
    """Return the type that is written instead of one with parts that files or schemas do not have.

    Args:
        type: A type without parts that no file can hold.

    Returns:
        The type with members that may be null, and with the storage of extension types in place of those that the
        schema does not name, or that are in a dictionary. Any other type is returned as it is.
    """
    if isinstance(type, pa.BaseExtensionType):
        return type if _is_restored(type) else stored_type(type.storage_type)
    if pa.types.is_dictionary(type):
        return pa.dictionary(type.index_type, _encodable(type.value_type), ordered=type.ordered)
    return with_inner_types(type, stored_type) if pa.types.is_nested(type) else type


def is_encodable(type: pa.DataType) -> bool:
    """Return whether Arrow makes dictionaries of values of a type, and files hold them as categories."""
    return not pa.types.is_nested(type) and not pa.types.is_dictionary(type) and _encodable(type) == type


def _encodable(type: pa.DataType) -> pa.DataType:
    """Return the type instead of one of which Arrow makes no dictionaries, and so cannot make them again."""
    if isinstance(type, pa.BaseExtensionType):
        return _encodable(type.storage_type)
    is_short = pa.types.is_decimal(type) and type.bit_width < _SHORTEST_ENCODABLE
    return pa.decimal128(type.precision, type.scale) if is_short else type


@lru_cache(maxsize=1024)
def _cached_facts(type: pa.DataType) -> TypeFacts:
    return _made_facts(type)


def _made_facts(type: pa.DataType) -> TypeFacts:
    if nesting_of(type) > DEEPEST:  # first, as what follows calls itself for each type inside
        finding = Finding("nested too deeply")
        return TypeFacts(finding.rule, "nested", pa.null(), ColumnSpec("arrow", pa.null()), (), finding)
    unsupported = next(_unsupported_types(type), None)
    if unsupported is not None:
        return TypeFacts(
            "other", str(type), type, ColumnSpec("arrow", type), (), Finding("other", seen=str(unsupported))
        )
    if isinstance(type, pa.BaseExtensionType) and (spec := _spec_of_pandas(type)) is not None:
        return TypeFacts(rule_of_type(type), str(type), type, spec, (), None)
    stored = stored_type(type)
    findings: tuple[Finding, ...] = ()
    restored = _restored(stored)
    if restored != type:
        findings = (Finding("Arrow type that is not restored", seen=f"{type} comes back as {restored}"),)
    if not all(map(_has_own_names, _structs_in(stored))):
        findings = (*findings, Finding("member names that JSON lacks"))
    written = writable_type(stored)
    return TypeFacts(rule_of_type(written), str(type), written, ColumnSpec("arrow", stored), findings, None)


def _unsupported_types(type: pa.DataType) -> Iterator[pa.DataType]:
    """Yield the types inside a type, or itself, that no file can hold or pyarrow cannot deal with."""
    types = pa.types
    if isinstance(type, pa.BaseExtensionType):
        yield from _unsupported_types(type.storage_type)
    elif types.is_dictionary(type):
        of = type.value_type.storage_type if isinstance(type.value_type, pa.BaseExtensionType) else type.value_type
        if types.is_nested(of) or types.is_dictionary(of) or types.is_null(of):
            yield type
        yield from _unsupported_types(of)
    elif rule_of_type(type) == "other" or _has_odd_size(type):
        yield type
    elif types.is_nested(type):
        for i in range(type.num_fields):
            yield from _unsupported_types(type.field(i).type)


def _has_odd_size(type: pa.DataType) -> bool:
    if pa.types.is_decimal(type):
        return bool(type.scale < 0)
    return bool(pa.types.is_fixed_size_list(type) and not type.list_size)


def _structs_in(type: pa.DataType) -> Iterator[pa.DataType]:
    if pa.types.is_struct(type):
        yield type
    if pa.types.is_nested(type) and not isinstance(type, pa.BaseExtensionType):
        for i in range(type.num_fields):
            yield from _structs_in(type.field(i).type)


def _has_own_names(struct: pa.DataType) -> bool:
    names = [field.name for field in struct]
    return len(set(names)) == len(names) and not any("\0" in name for name in names)


def _is_restored(type: pa.BaseExtensionType) -> bool:
    try:
        return bool(_restored(type) == type)
    except (TypeError, ValueError):  # extension types of Python cannot be cached
        return False


@lru_cache(maxsize=1024)
def _restored(type: pa.DataType) -> pa.DataType:
    """Return the type that the schema gives back for a type."""
    return type_from_json(type_to_json(type))


def _spec_of_pandas(type: Any) -> ColumnSpec | None:
    """Return the specification of a type by which pandas has its own types in Arrow, or None for other types."""
    if type.extension_name == "pandas.period":
        return ColumnSpec("period", type, type.freq)
    if type.extension_name == "pandas.interval":
        return ColumnSpec("interval", type, type.closed, ColumnSpec("numpy", type.subtype))
    return None
