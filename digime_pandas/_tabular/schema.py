"""The small text that is sent beside a CSV or JSON file, by which it comes back with its types and its index.

It is ``d1.`` and the base64url form of deflated JSON: ASCII, at most 3,000 characters, so that it fits in a header.
On reading it is not trusted: every member is checked, and decompression is bounded.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType
from typing import Any

import pandas as pd
import pyarrow as pa

from digime_pandas._tabular.arrow import type_from_json, type_to_json
from digime_pandas._tabular.columns import (
    DTYPE_FAMILIES,
    CategoryParameters,
    ColumnSpec,
    DtypeFamily,
    RangeParameters,
    StringParameters,
)
from digime_pandas._tabular.formats import Format
from digime_pandas._tabular.frames.inference import is_inferable
from digime_pandas._tabular.frames.labels import label_columns
from digime_pandas._tabular.frames.restore import NULLS, stored_type
from digime_pandas._tabular.frames.source import ColumnSource
from digime_pandas._tabular.text_values import to_text

PREFIX = "d1."
LONGEST = 3_000
_LARGEST_JSON = 1_000_000
_DEEPEST_SPEC = 4
_WITH_INNER = frozenset(("category", "interval", "sparse"))
# The keys of the stored form, in their order. There are files with schemas of this form: neither may change.
_STORED_KEYS: Mapping[str, str] = MappingProxyType(
    {
        "columns": "c",
        "index_names": "i",
        "index_freq": "f",
        "labels": "l",
        "label_names": "n",
        "attrs": "a",
        "names": "h",
        "escaped": "e",
        "multi": "m",
    }
)
_MULTI_INDEX, _MULTI_LABELS = "i", "l"  # the letters of "multi"


@dataclass(frozen=True, slots=True)
class LabelLevel:
    """One level of the column labels: its values, as a text format holds them, and how they become an index again."""

    spec: ColumnSpec
    array: pa.Array


@dataclass(frozen=True, slots=True)
class Schema:
    """What a file cannot say about the frame it was made from.

    Attributes:
        columns: One spec per column of the file, index levels first.
        index_names: Names of the levels of the index; empty when it was the default one and is not in the file.
        index_freq: Frequency of a datetime or timedelta index, or None.
        labels: The levels of the column labels, or empty when these are the names in the file.
        label_names: Names of the levels of the column labels.
        attrs: The frame's `attrs`.
        names: Names of the columns where the file may not have them: a JSON file without rows.
        escaped: Whether an apostrophe was put before texts that begin like a formula.
        index_is_multi: Whether the index is a MultiIndex, which may have a single level.
        labels_are_multi: Whether the column labels are a MultiIndex.
    """

    columns: tuple[ColumnSpec, ...]
    index_names: tuple[Any, ...] = ()
    index_freq: str | None = None
    labels: tuple[LabelLevel, ...] = ()
    label_names: tuple[Any, ...] = (None,)
    attrs: Mapping[Any, Any] = field(default_factory=dict)
    names: tuple[str, ...] = ()
    escaped: bool = False
    index_is_multi: bool = False
    labels_are_multi: bool = False

    def to_json(self) -> str:
        """Return the schema as compact JSON, without the members that have nothing to say."""
        members = {
            "columns": [_spec_to_json(each) for each in self.columns],
            "index_names": [_name_to_json(each) for each in self.index_names],
            "index_freq": self.index_freq,
            "labels": [[_spec_to_json(each.spec), _texts(each.array)] for each in self.labels],
            "label_names": [] if self.label_names == (None,) else [_name_to_json(each) for each in self.label_names],
            "attrs": dict(self.attrs),
            "names": list(self.names),
            "escaped": self.escaped,
            "multi": _MULTI_INDEX * self.index_is_multi + _MULTI_LABELS * self.labels_are_multi,
        }
        stored = {key: members[name] for name, key in _STORED_KEYS.items() if members[name] or name == "columns"}
        return json.dumps(stored, separators=(",", ":"))

    def to_text(self) -> str:
        """Return the form that is sent beside the file; it may be longer than `LONGEST`."""
        return _packed(self.to_json())


@lru_cache(maxsize=256)
def _packed(text: str) -> str:
    # Cached, since frames of the same columns are often written many times.
    return PREFIX + base64.urlsafe_b64encode(zlib.compress(text.encode(), 9)).decode().rstrip("=")


def schema_from_text(text: str) -> Schema:
    """Return the schema that `Schema.to_text` gives this text for.

    Raises:
        ValueError: It gives it for none.
    """
    if not text.startswith(PREFIX) or len(text) > LONGEST:
        raise ValueError("not a schema of this version")
    body = text.removeprefix(PREFIX)
    try:
        packed = base64.b64decode(body + "=" * (-len(body) % 4), altchars=b"-_", validate=True)
        engine = zlib.decompressobj()
        unpacked = engine.decompress(packed, _LARGEST_JSON)
        if not engine.eof:
            raise ValueError("too large, or cut short")
    except zlib.error as error:
        raise ValueError("damaged") from error
    return schema_from_json(unpacked)


def schema_from_json(text: str | bytes) -> Schema:
    """Return the schema that `Schema.to_json` gives this text for.

    Raises:
        ValueError: It gives it for none.
    """
    try:
        stored = json.loads(text)
        members = {name: stored[key] for name, key in _STORED_KEYS.items() if key in stored}
        freq, multi = members.get("index_freq"), members.get("multi", "")
        return Schema(
            columns=tuple(_spec_from_json(each) for each in members["columns"]),
            index_names=tuple(_name_from_json(each) for each in members.get("index_names", ())),
            index_freq=None if freq is None else str(freq),
            labels=tuple(_level_from_json(spec, texts) for spec, texts in members.get("labels", ())),
            label_names=tuple(_name_from_json(each) for each in members.get("label_names", (None,))),
            attrs=dict(members.get("attrs", {})),
            names=tuple(map(str, members.get("names", ()))),
            escaped=bool(members.get("escaped")),
            index_is_multi=_MULTI_INDEX in multi,
            labels_are_multi=_MULTI_LABELS in multi,
        )
    except (KeyError, TypeError, AttributeError, RecursionError, pa.ArrowException) as error:
        raise ValueError("not a schema") from error


def _spec_to_json(spec: ColumnSpec) -> Any:
    """Return the type of a plain NumPy column, or else a list: family, type, parameters, inner spec."""
    type_json = type_to_json(spec.type)
    if spec.dtype_family == "numpy" and isinstance(type_json, str):
        return type_json
    parameters: Any = spec.parameters
    if isinstance(parameters, CategoryParameters):
        ordered, categories = parameters
        parameters = [ordered, None if categories is None else _texts(categories)]
    parts = [spec.dtype_family, type_json, parameters, _spec_to_json(spec.inner) if spec.inner else None]
    while parts[-1] is None:
        parts.pop()
    return parts


def _spec_from_json(value: Any, depth: int = 0) -> ColumnSpec:
    if isinstance(value, str):
        return ColumnSpec("numpy", type_from_json(value))
    family, type_json, parameters, inner_value = (*value, None, None)[:4]
    if family not in DTYPE_FAMILIES or depth > _DEEPEST_SPEC:
        raise ValueError("not a column")
    inner = None if inner_value is None else _spec_from_json(inner_value, depth + 1)
    if (family in _WITH_INNER) != (inner is not None):
        raise ValueError("not a column")
    return ColumnSpec(family, type_from_json(type_json), _parameters_from_json(family, parameters, inner), inner)


def _parameters_from_json(family: DtypeFamily, value: Any, inner: ColumnSpec | None) -> Any:
    match family, value:
        case "category", [ordered, categories] if inner:
            return CategoryParameters(bool(ordered), None if categories is None else _array(inner, categories))
        case "range", [int(start), int(stop), int(step)]:
            return RangeParameters(start, stop, step)
        case "string", ["python" | "pyarrow" as storage, "NA" | "nan" as na_value]:
            return StringParameters(storage, na_value)
        case "object", str(null) if null in NULLS:
            return null
        case ("period" | "interval", str()) | ("sparse", str() | int() | float() | None):
            return value
        case "numpy" | "masked" | "arrow" | "extension", None:
            return None
    raise ValueError("not the parameters of a column")


def _level_from_json(spec_value: Any, texts: Any) -> LabelLevel:
    spec = _spec_from_json(spec_value)
    return LabelLevel(spec, _array(spec, texts))


def _texts(array: pa.Array) -> list[str | None]:
    texts: list[str | None] = to_text(array).cast(pa.string()).to_pylist()
    return texts


def _array(spec: ColumnSpec, texts: list[str | None]) -> pa.Array:
    stored = stored_type(spec)
    # Arrow casts no text to nothing, not even none at all.
    return pa.nulls(len(texts)) if pa.types.is_null(stored) else pa.array(texts, pa.string()).cast(stored)


def _name_to_json(name: Any) -> Any:
    if isinstance(name, tuple):
        return [_name_to_json(each) for each in name]
    return name if name is None or isinstance(name, str | int | float) else str(name)


def _name_from_json(value: Any) -> Any:
    return tuple(_name_from_json(each) for each in value) if isinstance(value, list) else value


def schema_of(source: ColumnSource, *, escaped: bool = False, attrs: bool = False) -> Schema:
    """Return the schema of a frame.

    Args:
        source: The frame.
        escaped: Whether texts that begin like a formula get an apostrophe.
        attrs: Whether the frame's `attrs` are in it, as far as JSON can hold them.
    """
    columns = tuple(each.spec for each in source.columns)
    names = () if source.rows else tuple(each.name for each in source.columns)
    labels = source.labels
    if labels is None:
        return Schema(columns, names=names, escaped=escaped)
    has_index = bool(labels.index)
    levels = label_columns(labels.columns)
    return Schema(
        columns,
        names=names,
        index_names=labels.index_names if has_index else (),
        index_freq=labels.index_freq if has_index else None,
        labels=tuple(LabelLevel(each.spec, each.read(0, len(labels.columns))) for each in levels),
        label_names=tuple(labels.columns.names),
        attrs=labels.attrs if attrs and _survives_json(labels.attrs) else {},
        escaped=escaped,
        index_is_multi=has_index and labels.is_multi,
        labels_are_multi=isinstance(labels.columns, pd.MultiIndex),
    )


def sidecar_schema(
    source: ColumnSource, format: Format, options: Mapping[str, Any]
) -> tuple[str | None, tuple[str, ...]]:
    """Return the text that is to be sent beside the file, or None, and what is lost without it.

    Args:
        source: The frame.
        format: The format of its file.
        options: Options of the format.
    """
    lost = _lost_of_attrs(source, format, options)
    if format.stores_types:
        return None, lost
    if not options["typed"]:
        if source.columns and source.rows == 0 and not format.names_empty_columns:
            return None, (*lost, "a JSON file without rows and schema does not name its columns")
        return None, lost
    escaped, attrs = bool(options.get("escape_formulas")), bool(options["attrs"])
    if _is_implied(source, format) and not escaped and not (attrs and source.labels and source.labels.attrs):
        return None, lost
    text = schema_of(source, escaped=escaped, attrs=attrs).to_text()
    if len(text) > LONGEST:
        return None, (*lost, f"the schema is longer than {LONGEST:,} characters: the file comes back untyped")
    return text, lost


def _lost_of_attrs(source: ColumnSource, format: Format, options: Mapping[str, Any]) -> tuple[str, ...]:
    if source.labels is None or not source.labels.attrs:
        return ()
    if not options["attrs"]:
        return ("attrs: left out, since they may speak of more than these rows; attrs=True sends them",)
    if not _survives_json(source.labels.attrs):
        return ("attrs: JSON cannot hold them, they are left out",)
    if not format.stores_types and not options["typed"]:
        return ("attrs: they are in the schema, which typed=False leaves out",)
    return ()


def _is_implied(source: ColumnSource, format: Format) -> bool:
    """Return whether the rules of inference make exactly this frame again."""
    labels, rows = source.labels, source.rows
    if labels is None or not rows or labels.index or label_columns(labels.columns):
        return False
    return labels.columns.name is None and all(is_inferable(each, rows, format) for each in source.columns)


def _survives_json(attrs: Mapping[Any, Any]) -> bool:
    if not attrs:
        return True
    try:
        return bool(json.loads(json.dumps(attrs)) == attrs)
    except (TypeError, ValueError):
        return False
