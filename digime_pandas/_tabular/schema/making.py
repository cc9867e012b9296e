"""The schema of a frame that is written, and whether it comes back of it as it was."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from digime_pandas._tabular.columns import Column, ColumnSpec, RuleName, first_line_of, is_of_a_library
from digime_pandas._tabular.formats import Format
from digime_pandas._tabular.frames.frequencies import frequency_name
from digime_pandas._tabular.frames.inference import is_inferable
from digime_pandas._tabular.frames.source import ColumnSource
from digime_pandas._tabular.schema.json_values import sayable
from digime_pandas._tabular.schema.labels import levels_of
from digime_pandas._tabular.schema.specs import changed_name, dtype_by_schema, without_categories
from digime_pandas._tabular.schema.stored import LONGEST, Schema

# Rules that say themselves that the column comes back with another dtype.
_SAID: frozenset[RuleName] = frozenset(
    ("unused fill value", "byte order", "zone of another kind", "Arrow type that is not restored")
)
_NEVER_MISSING = frozenset(("int64", "bool"))  # of the columns that need no schema


def schema_of(source: ColumnSource, *, escaped: bool = False, attrs: bool = False, named: bool = False) -> Schema:
    """Return the schema of a frame.

    Args:
        source: The frame.
        escaped: Whether texts that begin like a formula get an apostrophe.
        attrs: Whether the frame's `attrs` are in it, as far as JSON can hold them.
        named: Whether the names of the columns are in it also where there are rows.
    """
    columns, unsaid = _specs(source.columns)
    names = tuple(each.name for each in source.columns) if named or not source.rows else ()
    labels = source.labels
    if labels is None:
        return Schema(columns, names=names, escaped=escaped, unsaid=unsaid)
    has_index = bool(labels.index)
    levels, changed_labels = levels_of(labels.columns, labels.levels)
    index_names = tuple(map(sayable, labels.index_names)) if has_index else ()
    label_names = tuple(map(sayable, labels.columns.names))
    index_freqs = labels.index_freqs if has_index else ()
    return Schema(
        columns,
        names=names,
        index_names=index_names,
        index_freqs=_names_of_freqs(index_freqs),
        labels=levels,
        label_names=label_names,
        attrs=labels.attrs if attrs and _survives_json(labels.attrs) else {},
        escaped=escaped,
        index_is_multi=has_index and labels.is_multi,
        labels_are_multi=isinstance(labels.columns, pd.MultiIndex),
        label_freqs=_names_of_freqs(labels.level_freqs),
        unsaid=(
            *unsaid,
            *(f"column labels: {each}" for each in changed_labels),
            *_changed_names("index", labels.index_names if has_index else (), index_names),
            *_changed_names("column labels", labels.columns.names, label_names),
        ),
    )


@dataclass(frozen=True, slots=True)
class WrittenSchema:
    """The schema that goes with a file.

    Attributes:
        inside: The schema that is in the file, of a format that stores types.
        beside: The text that is sent beside the file, of other formats where it is needed.
        lost: What is lost of the frame with it or without it, in words.
    """

    inside: Schema | None = None
    beside: str | None = None
    lost: tuple[str, ...] = ()


def written_schema(source: ColumnSource, format: Format, options: Mapping[str, Any]) -> WrittenSchema:
    """Return the schema that goes with the file of a frame.

    Args:
        source: The frame.
        format: The format of its file.
        options: Options of the format.
    """
    lost = _lost_of_attrs(source, format, options)
    attrs = bool(options["attrs"])
    if format.stores_types:
        inside = schema_of(source, attrs=attrs, named=True)
        return WrittenSchema(inside=inside, lost=(*lost, *inside.unsaid))
    if not options["typed"]:
        if source.columns and source.rows == 0 and not format.names_empty_columns:
            lost = (*lost, "a JSON file without rows and schema does not name its columns")
        return WrittenSchema(lost=lost)
    escaped = bool(options.get("escape_formulas"))
    if is_implied(source, format, options):
        return WrittenSchema(lost=lost)
    schema = schema_of(source, escaped=escaped, attrs=attrs)
    text = schema.to_text()
    if len(text) > LONGEST:
        lost = (*lost, f"the schema is longer than {LONGEST:,} characters: the file comes back untyped")
        return WrittenSchema(lost=lost)
    return WrittenSchema(beside=text, lost=(*lost, *schema.unsaid))


def _specs(columns: Sequence[Column]) -> tuple[tuple[ColumnSpec | None, ...], tuple[str, ...]]:
    """Return the specs that a schema can hold, and what does not come back by them."""
    specs: list[ColumnSpec | None] = []
    unsaid: list[str] = []
    for column in columns:
        spec, change = _spec(column)
        specs.append(spec)
        if change is not None:
            unsaid.append(f"column {column.name!r}: {change}")
    return tuple(specs), tuple(unsaid)


def _spec(column: Column) -> tuple[ColumnSpec | None, str | None]:
    try:
        has_categories = column.spec.dtype_family == "category"
        found = dtype_by_schema(without_categories(column.spec) if has_categories else column.spec)
    except BaseException as error:
        if not is_of_a_library(error):
            raise
        return None, f"it comes back by plain reading rules, as the schema does not hold it ({first_line_of(error)})"
    # The dtype of pandas is the Arrow type with a suffix, or has the fill value at its end.
    is_prefix = column.spec.dtype_family in {"arrow", "sparse"}
    is_it = column.dtype.startswith(found) if is_prefix else column.dtype == found
    is_said = column.rule == "extension" or any(each.rule in _SAID for each in column.findings)
    if not is_it and not is_said:
        return column.spec, f"it comes back as {found}"
    return column.spec, changed_name(column.spec) if has_categories else None


def _changed_names(what: str, names: Sequence[Any], said: Sequence[Any]) -> list[str]:
    changed = [name for name, other in zip(names, said, strict=True) if name is not other]
    return [f"{what}: its name, a {type(name).__name__}, comes back as text" for name in changed]


def _names_of_freqs(freqs: Sequence[Any]) -> tuple[str | None, ...]:
    names = tuple(map(frequency_name, freqs))
    return names if any(names) else ()


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


def is_implied(source: ColumnSource, format: Format, options: Mapping[str, Any]) -> bool:
    """Return whether the rules of inference make exactly this frame again, so that a text file needs no schema.

    Args:
        source: The frame.
        format: The format of its file.
        options: Options of the format.
    """
    labels, rows = source.labels, source.rows
    if labels is None or not rows or labels.index or labels.levels:
        return False
    if options.get("escape_formulas") or (options["attrs"] and labels.attrs):
        return False
    if format.only_text and len(source.columns) == 1 and str(source.columns[0].type) not in _NEVER_MISSING:
        return False  # without a schema, the empty line of a missing value would be skipped as any blank line is
    return labels.columns.name is None and all(is_inferable(each, rows, format) for each in source.columns)


def _survives_json(attrs: Mapping[Any, Any]) -> bool:
    if not attrs:
        return True
    try:
        return bool(json.loads(json.dumps(attrs)) == attrs)
    except (TypeError, ValueError, RecursionError):
        return False
