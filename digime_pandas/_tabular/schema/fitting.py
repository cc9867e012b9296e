"""Which columns of a file the parts of its schema are about: the file may have been changed after it was written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any, NamedTuple

from digime_pandas._tabular.columns import ColumnSpec
from digime_pandas._tabular.schema.stored import Schema

_MOST_NAMES = 5


class IndexLevel(NamedTuple):
    """The name of a level of the index, and the name of its frequency or None."""

    name: Any
    freq: str | None


@dataclass(frozen=True, slots=True)
class FittedSchema:
    """The parts of a schema by the names of the columns of a file.

    Attributes:
        specs: The spec of each column of the file, in their order; None for one that the schema is not about.
        index: The levels of the index that are in the file, by the names of their columns.
        labels: For each other column that the schema is about, its position among the column labels.
        unfit: What the schema is about and is not in the file, in words.
    """

    specs: Mapping[str, ColumnSpec | None]
    index: Mapping[str, IndexLevel]
    labels: Mapping[str, int]
    unfit: tuple[str, ...]


def fit(schema: Schema, names: Sequence[str]) -> FittedSchema:
    """Find the columns that a schema is about: by their names where it has these, else by their order.

    Args:
        schema: The schema.
        names: Names of all columns of the file, which differ.

    Raises:
        ValueError: It has no names, and the file has more or fewer columns.
    """
    known = schema.names or tuple(names)
    if len(known) != len(schema.columns):
        raise ValueError("the schema is of a file with other columns")
    places = {name: place for place, name in enumerate(known)}
    present = {name: places[name] for name in names if name in places}
    specs = {name: schema.columns[present[name]] if name in present else None for name in names}
    levels = len(schema.index_names)
    every = zip_longest(known[:levels], schema.index_names, schema.index_freqs[:levels])
    index = {name: IndexLevel(level, freq) for name, level, freq in every if name in present}
    labels = {name: place - levels for name, place in present.items() if place >= levels}
    return FittedSchema(specs, index, labels, _unfit([name for name in known if name not in present], known[:levels]))


def _unfit(missing: Sequence[str], levels: Sequence[str]) -> tuple[str, ...]:
    by_kind = {
        "index level": [name for name in missing if name in levels],
        "column": [name for name in missing if name not in levels],
    }
    return tuple(
        f"{kind}{'s' * (len(names) > 1)} {_listed(names)}: not in the file" for kind, names in by_kind.items() if names
    )


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(map(repr, names[:_MOST_NAMES]))
    return shown if len(names) <= _MOST_NAMES else f"{shown} and {len(names) - _MOST_NAMES:,} more"
