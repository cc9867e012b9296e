"""What the values in one place of an object column are, gathered block by block."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from decimal import Decimal
from itertools import chain
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from digime_pandas._tabular.frames.objects.advice import shown, unsupported, unsupported_type
from digime_pandas._tabular.frames.objects.containers import Rows, as_dicts, check_depth, check_keys, items_of
from digime_pandas._tabular.frames.objects.python_types import (
    MISSING,
    NUMPY_TIMES,
    Family,
    FloatNaN,
    as_pandas,
    exact_types,
    family_of,
)

_DONE_BY_TYPE: frozenset[Family] = frozenset(("text", "bytes", "boolean", "float", "date"))  # nothing is measured
_CHECKED_DEPTH = 2  # from here on, lists are looked through for ones inside themselves
_MOST_DIGITS = 76
_LOWEST, _HIGHEST, _BEYOND = -(2**63), 2**63, 2**64
_SURE_YEARS = range(1678, 2262)  # all of whose times can be counted in nanoseconds
_UTC = ZoneInfo("UTC")
_SURE_DAYS = 106_750


class Sample(NamedTuple):
    """A value that was seen, and its row."""

    row: int
    value: Any


class Profile:
    """Gathers what the values in one place of a column are: the column itself, the items of its lists, a key's values.

    Args:
        path: Where it is in a row, in words; empty for the column itself.
        depth: How many lists and dicts the values are inside of.

    Attributes:
        samples: The first value of each type, `FloatNaN` and the like among the types.
        dtype: The dtype of all numpy arrays that the values are items of; None where they are items of anything else.
        negative: The first negative integer.
        large: The first integer from 2**63 on.
        whole: The most digits of a decimal before the point.
        places: The most digits of a decimal after the point.
        zones: The first time of each zone, by the zone's name in Arrow; that of times without a zone is None, that of
            zones without a name ``""``.
        in_nanoseconds: Whether all times and durations fit into 64 bits of nanoseconds.
        in_fixed_offsets: Whether all zones have one offset, and no time is in the first or last year.
        item: The items of lists.
        members: The values of each key of dicts.
        incomplete: Whether some dicts lack a key that others have.
    """

    def __init__(self, path: str = "", depth: int = 0) -> None:
        self.path = path
        self.depth = depth
        self.samples: dict[type, Sample] = {}
        self.dtype: np.dtype[Any] | None = None
        self.negative: Sample | None = None
        self.large: Sample | None = None
        self.whole = 0
        self.places = 0
        self.zones: dict[str | None, Sample] = {}
        self.in_nanoseconds = True
        self.in_fixed_offsets = True
        self.item: Profile | None = None
        self.members: dict[str, Profile] = {}
        self.incomplete = False
        self._keys: AbstractSet[str] | None = None  # those of all dicts; None before the first

    @property
    def families(self) -> dict[Family, Sample]:
        """Return the first value of each family of types, in the order of rows."""
        found: dict[Family, Sample] = {}
        for kind, sample in sorted(self.samples.items(), key=lambda pair: pair[1].row):
            family = None if kind in MISSING else family_of(kind)
            if family is not None:
                found.setdefault(family, sample)
        return found

    def add(self, values: list[Any] | npt.NDArray[Any], rows: Rows) -> None:
        """Add values.

        Args:
            values: Any values, or the numbers of numpy arrays.
            rows: The row of each.

        Raises:
            UnsupportedValueError: No file holds one of them.
        """
        if not len(values):
            return
        if isinstance(values, np.ndarray):
            self._add_numbers(values, rows)
            return
        self.dtype = None
        kinds = exact_types(values)
        distinct = set(kinds)
        for i, kind in sorted((kinds.index(new), new) for new in distinct - self.samples.keys()):
            self.samples[kind] = Sample(int(rows[i]), values[i])
            if kind not in MISSING and family_of(kind) is None:
                raise unsupported_type(values[i], rows[i], self.path)
        families = {kind: family_of(kind) for kind in sorted(distinct - MISSING, key=kinds.index)}
        for family in dict.fromkeys(families.values()):
            if family in _DONE_BY_TYPE:
                continue
            if len(distinct) == 1:
                self._add_family(family, values, rows)
            else:
                at = [i for i, kind in enumerate(kinds) if families.get(kind) == family]
                self._add_family(family, [values[i] for i in at], rows[at])

    def _add_family(self, family: Family | None, values: list[Any], rows: Rows) -> None:
        match family:
            case "integer":
                self._add_integers(values, rows)
            case "decimal":
                self._add_decimals(values, rows)
            case "time":
                self._check_times_of_day(values, rows)
            case "datetime":
                self._add_datetimes(values, rows)
            case "duration":
                self._add_durations(values)
            case "list":
                self._add_lists(values, rows)
            case "struct":
                self._add_dicts(as_dicts(values), rows)

    def _add_numbers(self, values: npt.NDArray[Any], rows: Rows) -> None:
        if not self.samples:
            self.dtype = values.dtype
        elif self.dtype != values.dtype:
            self.dtype = None
        self.samples.setdefault(values.dtype.type, Sample(int(rows[0]), values[0]))
        if values.dtype.kind in "iu":
            self._add_integers(values, rows)
        elif values.dtype.kind == "f" and FloatNaN not in self.samples:
            for i in np.flatnonzero(np.isnan(values))[:1]:
                self.samples[FloatNaN] = Sample(int(rows[i]), values[i])

    def _add_integers(self, values: Any, rows: Rows) -> None:
        if isinstance(values, np.ndarray):
            lowest, highest = int(values.min()), int(values.max())
        else:
            lowest, highest = int(min(values)), int(max(values))
        if lowest < _LOWEST or highest >= _BEYOND:
            i = next(i for i, value in enumerate(values) if not _LOWEST <= value < _BEYOND)
            seen = f"{shown(values[i])}{self.path} is an int of more than 64 bits"
            raise unsupported("objects of another type", rows[i], seen, "astype(str)")
        if self.negative is None and lowest < 0:
            self.negative = _first(values, rows, lambda value: value < 0)
        if self.large is None and highest >= _HIGHEST:
            self.large = _first(values, rows, lambda value: value >= _HIGHEST)

    def _add_decimals(self, values: list[Decimal], rows: Rows) -> None:
        infinite = [i for i, value in enumerate(values) if value.is_infinite()]
        if infinite:
            seen = f"{shown(values[infinite[0]])}{self.path} is no number with digits"
            raise unsupported("objects of another type", rows[infinite[0]], seen, "astype(str)")
        try:
            common = pa.array(values).type
            if self._takes_digits(common.precision - common.scale, common.scale):
                return
        except pa.ArrowInvalid:  # one has too many digits
            pass
        for value, row in zip(values, rows, strict=True):
            if not self._takes_digits(*_digits_of(value)):
                seen = f"{shown(value)}{self.path} is longer than 76 digits, or is so with the places of others"
                raise unsupported("objects of another type", row, seen, "astype(str)")

    def _takes_digits(self, whole: int, places: int) -> bool:
        """Make room for decimals of so many digits before and after the point, if they are not too many."""
        whole, places = max(self.whole, whole), max(self.places, places)
        if whole + places > _MOST_DIGITS:
            return False
        self.whole, self.places = whole, places
        return True

    def _check_times_of_day(self, values: list[dt.time], rows: Rows) -> None:
        for value, row in zip(values, rows, strict=True):
            if value.tzinfo is not None:
                raise unsupported("time of day with a zone", row, f"{shown(value)}{self.path}")

    def _add_datetimes(self, values: list[Any], rows: Rows) -> None:
        times = [as_pandas(value) for value in values] if NUMPY_TIMES & set(map(type, values)) else values
        zones = {id(value.tzinfo): value.tzinfo for value in times}
        for zone in zones.values():
            name = None if zone is None else zone_name(zone)
            self.in_fixed_offsets &= zone is None or type(zone) is dt.timezone or zone is _UTC
            if name not in self.zones:
                self.zones[name] = _first(times, rows, lambda value, zone=zone: value.tzinfo is zone)
        years = {value.year for value in times} - set(_SURE_YEARS)
        if years:
            self.in_fixed_offsets &= years.isdisjoint((dt.MINYEAR, dt.MAXYEAR))
            self.in_nanoseconds &= all(_counts_in_nanoseconds(value) for value in times if value.year in years)

    def _add_durations(self, values: list[Any]) -> None:
        spans = [as_pandas(value) for value in values] if NUMPY_TIMES & set(map(type, values)) else values
        long = [value for value in spans if not -_SURE_DAYS < value.days < _SURE_DAYS]
        self.in_nanoseconds &= all(map(_counts_in_nanoseconds, long))

    def _add_lists(self, values: list[Any], rows: Rows) -> None:
        self._check_depth(values, rows)
        items, lengths = items_of(values)
        if self.item is None:
            self.item = Profile(" in a list", self.depth + 1)
        self.item.add(items, np.repeat(rows, lengths))

    def _add_dicts(self, values: list[dict[Any, Any]], rows: Rows) -> None:
        self._check_depth(values, rows)
        check_keys(values, rows)
        keys = dict.fromkeys(chain.from_iterable(values))
        before = keys.keys() if self._keys is None else self._keys
        self._keys = before | keys.keys()
        if keys.keys() != before or set(map(len, values)) != {len(keys)}:
            self.incomplete = True
        for key in keys:
            member = self.members.setdefault(key, Profile(f" under the key {shown(key)}", self.depth + 1))
            at = [i for i, each in enumerate(values) if key in each]
            member.add([values[i][key] for i in at], rows[at])

    def _check_depth(self, values: list[Any], rows: Rows) -> None:
        if self.depth == _CHECKED_DEPTH:
            check_depth(values, rows, self.depth)


def zone_name(zone: dt.tzinfo) -> str:
    """Return the name that Arrow has for a zone; empty where it has none.

    Args:
        zone: The zone.
    """
    try:
        name = str(pa.lib.tzinfo_to_string(zone))
        pa.lib.string_to_tzinfo(name)
    except Exception:  # noqa: BLE001 - zones are classes of anyone
        return ""
    return name


def _digits_of(value: Decimal) -> tuple[int, int]:
    _, digits, exponent = value.as_tuple()
    assert isinstance(exponent, int)  # it is finite
    return max(0, len(digits) + exponent) if any(digits) else 0, max(0, -exponent)


def _first(values: Iterable[Any], rows: Rows, is_it: Any) -> Sample:
    return next(Sample(int(row), value) for value, row in zip(values, rows, strict=True) if is_it(value))


def _counts_in_nanoseconds(value: Any) -> bool:
    try:
        (pd.Timestamp if isinstance(value, dt.datetime) else pd.Timedelta)(value).as_unit("ns")
    except (ValueError, OverflowError):  # pandas' OutOfBoundsDatetime is a ValueError
        return False
    return True
