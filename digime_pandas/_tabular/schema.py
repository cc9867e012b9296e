"""The small text that travels beside a CSV or JSON file, by which it comes back with its types and its index.

It is ``d1.`` and the base64url form of deflated JSON: ASCII, at most 3,000 characters, so that it fits in a header.
Whoever reads it treats it as untrusted: every member is checked, and decompression is bounded.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import pandas as pd
import pyarrow as pa

from digime_pandas._tabular.arrow import type_from_json, type_to_json
from digime_pandas._tabular.columns import ColumnSpec
from digime_pandas._tabular.formats import Format
from digime_pandas._tabular.frames.inference import is_inferable
from digime_pandas._tabular.frames.labels import label_columns
from digime_pandas._tabular.frames.restore import NULLS, stored_type
from digime_pandas._tabular.frames.source import ColumnSource
from digime_pandas._tabular.text_values import plain

PREFIX = "d1."
LONGEST = 3_000
_LARGEST_JSON = 1_000_000
_ORIGINS = frozenset(
    ("numpy", "masked", "string", "object", "arrow", "period", "interval", "category", "sparse", "range", "extension")
)


@dataclass(frozen=True, slots=True)
class LabelLevel:
    """Column labels: the values with their spec; as a text format holds them once they were read."""

    spec: ColumnSpec
    array: pa.Array


@dataclass(frozen=True, slots=True)
class Schema:
    """What a file cannot say about the frame it was made from.

    Attributes:
        columns: One spec a column of the file, index levels first.
        index: Names of the levels of the index; empty when it was the default one and is not in the file.
        freq: Frequency of a datetime or timedelta index, or None.
        labels: The column labels, one `LabelLevel` a level, or empty when they are the names in the file.
        label_names: Names of the levels of the column labels.
        attrs: The frame's `attrs`.
        names: Names of the columns where the file may not have them: a JSON file without rows.
        escaped: Whether an apostrophe was put before texts that begin like a formula.
        multi: Which of index and labels are a MultiIndex: ``""``, ``"i"``, ``"l"`` or ``"il"``.
    """

    columns: tuple[ColumnSpec, ...]
    index: tuple[Any, ...] = ()
    freq: str | None = None
    labels: tuple[LabelLevel, ...] = ()
    label_names: tuple[Any, ...] = (None,)
    attrs: Mapping[Any, Any] = field(default_factory=dict)
    names: tuple[str, ...] = ()
    escaped: bool = False
    multi: str = ""

    def to_json(self) -> str:
        """Return the schema as compact JSON."""
        members: dict[str, Any] = {"c": [_spec_to_json(each) for each in self.columns]}
        if self.index:
            members["i"] = [_name_to_json(each) for each in self.index]
        if self.freq:
            members["f"] = self.freq
        if self.labels:
            members["l"] = [[_spec_to_json(each.spec), _texts(each.array)] for each in self.labels]
        if self.label_names != (None,):
            members["n"] = [_name_to_json(each) for each in self.label_names]
        if self.attrs:
            members["a"] = dict(self.attrs)
        if self.names:
            members["h"] = list(self.names)
        if self.escaped:
            members["e"] = True
        if self.multi:
            members["m"] = self.multi
        return json.dumps(members, separators=(",", ":"))

    def to_text(self) -> str:
        """Return the form that travels; it may be longer than `LONGEST`."""
        return _packed(self.to_json())


@lru_cache(maxsize=256)
def _packed(text: str) -> str:
    # Remembered, since frames of the same columns are written again and again.
    return PREFIX + base64.urlsafe_b64encode(zlib.compress(text.encode(), 9)).decode().rstrip("=")


def schema_from_text(text: str) -> Schema:
    """Return the schema that `Schema.to_text` gave this text.

    Raises:
        ValueError: It gave nothing like it.
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
    """Return the schema that `Schema.to_json` gave this text.

    Raises:
        ValueError: It gave nothing like it.
    """
    try:
        members = json.loads(text)
        return Schema(
            columns=tuple(_spec_from_json(each) for each in members["c"]),
            index=tuple(_name_from_json(each) for each in members.get("i", ())),
            freq=None if members.get("f") is None else str(members["f"]),
            labels=tuple(_values(spec, texts) for spec, texts in members.get("l", ())),
            label_names=tuple(_name_from_json(each) for each in members.get("n", (None,))),
            attrs=dict(members.get("a", {})),
            names=tuple(map(str, members.get("h", ()))),
            escaped=bool(members.get("e")),
            multi=str(members.get("m", "")),
        )
    except (KeyError, TypeError, AttributeError, RecursionError, pa.ArrowException) as error:
        raise ValueError("not a schema") from error


def _spec_to_json(spec: ColumnSpec) -> Any:
    if spec.dtype_family == "numpy" and isinstance(type_to_json(spec.type), str):
        return type_to_json(spec.type)
    parameters = spec.parameters
    if spec.dtype_family == "category":
        ordered, categories = parameters
        parameters = [ordered, None if categories is None else _texts(categories)]
    parts = [spec.dtype_family, type_to_json(spec.type), parameters, _spec_to_json(spec.inner) if spec.inner else None]
    while parts[-1] is None:
        parts.pop()
    return parts


def _spec_from_json(value: Any, depth: int = 0) -> ColumnSpec:
    if isinstance(value, str):
        return ColumnSpec("numpy", type_from_json(value))
    dtype_family, form, parameters, inner = (*value, None, None)[:4]
    if dtype_family not in _ORIGINS or depth > 4:  # noqa: PLR2004
        raise ValueError("not a column")
    inside = None if inner is None else _spec_from_json(inner, depth + 1)
    if (dtype_family in {"category", "interval", "sparse"}) != (inside is not None):
        raise ValueError("not a column")
    if dtype_family == "object" and parameters not in NULLS:
        raise ValueError("not a missing value")
    if dtype_family == "category" and inside:
        ordered, categories = parameters
        parameters = [bool(ordered), None if categories is None else _array(inside, categories)]
    return ColumnSpec(dtype_family, type_from_json(form), parameters, inside)


def _values(spec: Any, texts: Any) -> LabelLevel:
    known = _spec_from_json(spec)
    return LabelLevel(known, _array(known, texts))


def _texts(array: pa.Array) -> list[str | None]:
    texts: list[str | None] = plain(array).cast(pa.string()).to_pylist()
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


def schema_of(frame: ColumnSource, *, escaped: bool = False, attrs: bool = False) -> Schema:
    """Return the schema of a frame.

    Args:
        frame: The frame.
        escaped: Whether texts that begin like a formula get an apostrophe.
        attrs: Whether the frame's `attrs` are in it, as far as JSON can hold them.
    """
    columns = tuple(each.spec for each in frame.columns)
    names = () if frame.rows else tuple(each.name for each in frame.columns)
    labels = frame.labels
    if labels is None:
        return Schema(columns, names=names, escaped=escaped)
    return Schema(
        columns,
        names=names,
        index=labels.index_names if labels.index else (),
        freq=labels.index_freq if labels.index else None,
        labels=tuple(
            LabelLevel(each.spec, each.read(0, len(labels.columns))) for each in label_columns(labels.columns)
        ),
        label_names=tuple(labels.columns.names),
        attrs=labels.attrs if attrs and _survives_json(labels.attrs) else {},
        escaped=escaped,
        multi=("i" if labels.index and labels.is_multi else "")
        + ("l" if isinstance(labels.columns, pd.MultiIndex) else ""),
    )


def sidecar_schema(frame: ColumnSource, format: Format, options: Mapping[str, Any]) -> tuple[str | None, list[str]]:
    """Return the text that should travel with the file, or None, and what is lost without it.

    Args:
        frame: The frame.
        format: The format of its file.
        options: Options of the format.
    """
    lost = _lost_of_attrs(frame, format, options)
    if format.name == "parquet":
        return None, lost
    if not options["typed"]:
        nameless = frame.columns and frame.rows == 0 and format.name != "csv"
        return None, [*lost, "a JSON file without rows and schema does not name its columns"] if nameless else lost
    escaped, attrs = bool(options.get("escape_formulas")), bool(options.get("attrs"))
    if _is_implied(frame, format) and not escaped and not (attrs and frame.labels and frame.labels.attrs):
        return None, lost
    text = schema_of(frame, escaped=escaped, attrs=attrs).to_text()
    if len(text) > LONGEST:
        return None, [*lost, f"the schema is longer than {LONGEST:,} characters: the file comes back untyped"]
    return text, lost


def _lost_of_attrs(frame: ColumnSource, format: Format, options: Mapping[str, Any]) -> list[str]:
    attrs = {} if frame.labels is None else frame.labels.attrs
    if not attrs:
        return []
    if not options.get("attrs"):
        return ["attrs: left out, since they may speak of more than these rows; attrs=True sends them"]
    if not _survives_json(attrs):
        return ["attrs: JSON cannot hold them, they are left out"]
    if format.name != "parquet" and not options["typed"]:
        return ["attrs: they are in the schema, which typed=False leaves out"]
    return []


def _is_implied(frame: ColumnSource, format: Format) -> bool:
    labels, rows = frame.labels, frame.rows
    if labels is None or not rows or labels.index or label_columns(labels.columns):
        return False
    return labels.columns.name is None and all(is_inferable(each, rows, format) for each in frame.columns)


def _survives_json(attrs: Mapping[Any, Any]) -> bool:
    if not attrs:
        return True
    try:
        return bool(json.loads(json.dumps(attrs)) == attrs)
    except (TypeError, ValueError):
        return False
