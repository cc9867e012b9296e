"""The small text that is sent beside a CSV or JSON file, by which it comes back with its types and its index.

It is ``d1.`` and the base64url form of deflated JSON: ASCII, at most 3,000 characters, so that it fits in a header.
On reading it is not trusted: every member is checked, and decompression is bounded. A part that cannot be read is left
out, and named; the others hold.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from types import MappingProxyType
from typing import Any, TypeVar

from digime_pandas._tabular.columns import ColumnSpec, first_line_of, is_of_a_library
from digime_pandas._tabular.engines.json_depth import check_json_depth
from digime_pandas._tabular.schema.json_values import value_from_json, value_to_json
from digime_pandas._tabular.schema.labels import LabelLevel, level_from_json
from digime_pandas._tabular.schema.specs import spec_from_json, spec_to_json

T = TypeVar("T")
PREFIX = "d1."
LONGEST = 3_000
_LARGEST_JSON = 1_000_000
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
        "level_freqs": "p",
        "label_freqs": "g",
    }
)
_encode_json = json.JSONEncoder(separators=(",", ":")).encode
_MULTI_INDEX, _MULTI_LABELS = "i", "l"  # the letters of "multi"


@dataclass(frozen=True, slots=True)
class Schema:
    """What a file cannot say about the frame it was made from.

    Attributes:
        columns: One spec per column of the file, index levels first; None for one that plain reading rules make.
        index_names: Names of the levels of the index; empty when it was the default one and is not in the file.
        index_freqs: Name of the frequency of each level of the index, or None; empty when there is none.
        labels: The levels of the column labels, or empty when these are the names in the file.
        label_names: Names of the levels of the column labels.
        attrs: The frame's `attrs`.
        names: Names of the columns in the file, where readers may give them in another order or not at all: of a
            Parquet file, which others may have changed, and of a JSON file without rows.
        escaped: Whether an apostrophe was put before texts that begin like a formula.
        index_is_multi: Whether the index is a MultiIndex, which may have a single level.
        labels_are_multi: Whether the column labels are a MultiIndex.
        label_freqs: The same of each level of the column labels.
        unsaid: What of the frame it does not say, or what of its stored form could not be read, in words.
    """

    columns: tuple[ColumnSpec | None, ...]
    index_names: tuple[Any, ...] = ()
    index_freqs: tuple[str | None, ...] = ()
    labels: tuple[LabelLevel, ...] = ()
    label_names: tuple[Any, ...] = (None,)
    attrs: Mapping[Any, Any] = field(default_factory=dict)
    names: tuple[str, ...] = ()
    escaped: bool = False
    index_is_multi: bool = False
    labels_are_multi: bool = False
    label_freqs: tuple[str | None, ...] = ()
    unsaid: tuple[str, ...] = field(default=(), compare=False)

    def to_json(self) -> str:
        """Return the schema as compact JSON, without the members that have nothing to say."""
        members = {
            "columns": [None if each is None else spec_to_json(each) for each in self.columns],
            "index_names": [value_to_json(each) for each in self.index_names],
            "index_freq": self.index_freqs[0] if self.index_freqs and not self.index_is_multi else None,
            "labels": [each.to_json() for each in self.labels],
            "label_names": [] if self.label_names == (None,) else [value_to_json(each) for each in self.label_names],
            "attrs": dict(self.attrs),
            "names": list(self.names),
            "escaped": self.escaped,
            "multi": _MULTI_INDEX * self.index_is_multi + _MULTI_LABELS * self.labels_are_multi,
            "level_freqs": list(self.index_freqs) if self.index_is_multi else [],
            "label_freqs": list(self.label_freqs),
        }
        stored = {key: members[name] for name, key in _STORED_KEYS.items() if members[name] or name == "columns"}
        return _encode_json(stored)

    def to_text(self) -> str:
        """Return the form that is sent beside the file; it may be longer than `LONGEST`."""
        return _packed(self.to_json())

    def without(self, columns: Mapping[int, str]) -> Schema:
        """Return the schema without the specs of some columns.

        Args:
            columns: Positions of the columns, each with the reason in words.
        """
        kept = tuple(None if i in columns else each for i, each in enumerate(self.columns))
        return replace(self, columns=kept, unsaid=(*self.unsaid, *columns.values()))


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

    Returns:
        The schema; `unsaid` names the parts that could not be read, which are left out.

    Raises:
        ValueError: It gives it for none.
    """
    check_json_depth(text.encode() if isinstance(text, str) else text)
    stored = json.loads(text)
    if not isinstance(stored, dict) or not isinstance(stored.get("c"), list):
        raise ValueError("not a schema")
    return _Parts(stored).schema()


class _Parts:
    """Reads the members of a stored schema, each by itself.

    Args:
        stored: The members, not trusted.
    """

    def __init__(self, stored: Mapping[str, Any]) -> None:
        self._members = {name: stored[key] for name, key in _STORED_KEYS.items() if key in stored}
        self._unread: list[str] = []

    def schema(self) -> Schema:
        """Return the schema of what can be read."""
        columns = tuple(self._column(number, each) for number, each in enumerate(self._members["columns"], 1))
        multi = str(self._members.get("multi", ""))
        index_names = self._part("index_names", "index", self._names, ())
        if len(index_names) > len(columns):
            self._unread.append("index: it has more levels than there are columns")
            index_names = ()
        labels: tuple[LabelLevel, ...] = self._part("labels", "column labels", _levels, ())
        label_names = self._part("label_names", "names of the column labels", self._names, ())
        if any(len(each) != len(columns) - len(index_names) for each in labels):
            self._unread.append("column labels: there are not as many as columns")
            labels = ()
        levels = max(1, len(labels))
        return Schema(
            columns=columns,
            index_names=index_names,
            index_freqs=self._part("index_freq", "frequency of the index", lambda stored: (_text(stored),), ())
            or self._part("level_freqs", "frequencies of the index", _freqs, ()),
            labels=labels,
            label_names=label_names if len(label_names) == levels else (None,) * levels,
            attrs=self._part("attrs", "attrs", _object, {}),
            names=self._part("names", "names", _texts, ()),
            escaped=bool(self._members.get("escaped")),
            index_is_multi=_MULTI_INDEX in multi or len(index_names) > 1,
            labels_are_multi=_MULTI_LABELS in multi or levels > 1,
            label_freqs=self._part("label_freqs", "frequencies of the column labels", _freqs, ()),
            unsaid=tuple(self._unread),
        )

    def _column(self, number: int, stored: Any) -> ColumnSpec | None:
        return None if stored is None else self._read(f"type of column {number}", spec_from_json, stored, None)

    def _part(self, name: str, what: str, make: Callable[[Any], Any], default: T) -> T:
        return self._read(what, make, self._members[name], default) if name in self._members else default

    def _read(self, what: str, make: Callable[[Any], T], stored: Any, default: T) -> T:
        try:
            return make(stored)
        except BaseException as error:
            if not is_of_a_library(error):
                raise
            self._unread.append(f"{what}: {first_line_of(error)}")
            return default

    @staticmethod
    def _names(stored: Any) -> tuple[Any, ...]:
        return tuple(map(value_from_json, _list(stored)))


def _levels(stored: Any) -> tuple[LabelLevel, ...]:
    return tuple(map(level_from_json, _list(stored)))


def _freqs(stored: Any) -> tuple[str | None, ...]:
    return tuple(None if each is None else _text(each) for each in _list(stored))


def _texts(stored: Any) -> tuple[str, ...]:
    return tuple(map(_text, _list(stored)))


def _list(stored: Any) -> list[Any]:
    if not isinstance(stored, list):
        raise ValueError("not a list")
    return stored


def _text(stored: Any) -> str:
    if not isinstance(stored, str):
        raise ValueError("not a text")
    return stored


def _object(stored: Any) -> Mapping[Any, Any]:
    if not isinstance(stored, dict):
        raise ValueError("not an object")
    return stored
