"""Object columns: what they hold is only known after every value was inspected."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import chain
from types import NoneType
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from digime_pandas._tabular.arrow import rule_of_type
from digime_pandas._tabular.columns import (
    BLOCK_ROWS,
    Column,
    ColumnSpec,
    Finding,
    NullName,
    RuleName,
    SliceReader,
    is_of_a_library,
    unreadable,
    unsupported_column,
)
from digime_pandas._tabular.frames.objects.advice import UnsupportedValueError
from digime_pandas._tabular.frames.objects.arrow_types import type_of
from digime_pandas._tabular.frames.objects.containers import Rows
from digime_pandas._tabular.frames.objects.conversion import to_arrow
from digime_pandas._tabular.frames.objects.faithfulness import Difference, differences, differences_by_format, is_plain
from digime_pandas._tabular.frames.objects.profile import Profile
from digime_pandas._tabular.frames.objects.python_types import MISSING, NA, NAT, NUMPY_TIMES, FloatNaN, NumpyNaT

_NULL_NAMES: dict[type, NullName] = {NoneType: "None", NA: "NA", NAT: "NaT", FloatNaN: "nan"}
_NOT_CONVERTIBLE = (pa.ArrowException, OverflowError, ValueError, TypeError)


def describe_objects(name: str, values: npt.NDArray[np.object_]) -> Column:
    """Return an object column, by inspecting every value.

    What its values come back as is compared with them, block by block: each difference is a finding of a rule.

    Args:
        name: Its name in the file.
        values: All its values.
    """
    try:
        return _described(name, values)
    except UnsupportedValueError as error:
        return unsupported_column(name, "object", error.finding)
    except Exception as error:
        if not is_of_a_library(error):
            raise
        # Values run code of their own: when they are compared, counted, or taken apart.
        finding = replace(unreadable(error), row=_first_failing_row(values))
        return unsupported_column(name, "object", finding, error)


def _first_failing_row(values: npt.NDArray[np.object_]) -> int:
    """Return the row up to which `_described` does not fail."""
    described, failing = 0, len(values)  # of so many rows it does not fail, and does
    while failing - described > 1:
        middle = (described + failing) // 2
        try:
            _described("", values[:middle])
        except Exception:  # noqa: BLE001 - whatever the values raised in the first place
            failing = middle
        else:
            described = middle
    return described


def _described(name: str, values: npt.NDArray[np.object_]) -> Column:
    profile = Profile()
    for block, rows in _blocks(values):
        profile.add(block, rows)
    null, nan_is_missing, findings = _missing_in(profile)
    arrow_type = type_of(profile, nan_is_missing=nan_is_missing)
    read = _reader(values, arrow_type, profile, nan_is_missing=nan_is_missing)
    spec = ColumnSpec("object", arrow_type, null)
    findings += _findings_of(chain(differences_by_format(profile), _compared(values, arrow_type, read, profile)))
    return Column(name, rule_of_type(arrow_type), "object", arrow_type, spec, read, findings)


def _findings_of(differences: Iterable[Difference]) -> tuple[Finding, ...]:
    """Return each rule with its first row, or the one by which the column is refused."""
    found: dict[RuleName, Finding] = {}
    try:
        for rule, row in differences:
            found.setdefault(rule, Finding(rule, row))
    except UnsupportedValueError as error:
        return (error.finding,)
    return tuple(found.values())


def _compared(
    values: npt.NDArray[np.object_], arrow_type: pa.DataType, read: SliceReader, profile: Profile
) -> Iterator[Difference]:
    """Convert all values block by block, and yield how they differ from those that come back."""
    plain = is_plain(profile)
    for start in range(0, len(values), BLOCK_ROWS):
        block = values[start : start + BLOCK_ROWS]
        rows = np.arange(start, start + len(block))
        try:
            array = read(start, start + len(block))
        except _NOT_CONVERTIBLE:
            to_arrow(block.tolist(), arrow_type, rows)  # which finds the row
            raise
        if not plain:
            valid = np.asarray(array.is_valid())
            present, taken = block[valid].tolist(), array.filter(pa.array(valid))
            yield from differences(present, taken, rows[valid], profile)


def _blocks(values: npt.NDArray[np.object_]) -> Iterator[tuple[list[Any], Rows]]:
    for start in range(0, len(values), BLOCK_ROWS):
        block = values[start : start + BLOCK_ROWS].tolist()
        yield block, np.arange(start, start + len(block))


def _missing_in(profile: Profile) -> tuple[NullName, bool, tuple[Finding, ...]]:
    """Return what missing values come back as, whether NaN is one of them, and what is found about them."""
    kinds = profile.samples.keys() & MISSING
    # In a column of floats, NaN is a number where something else says what is missing.
    is_float = profile.families.keys() <= {"float"}
    nan_is_missing = not (is_float and FloatNaN in kinds and len(kinds) > 1)
    if not nan_is_missing:
        kinds -= {FloatNaN}
    names = {_NULL_NAMES.get(kind) for kind in kinds}
    if len(names) > 1 or None in names:
        row = max(profile.samples[kind].row for kind in kinds)
        return "None", nan_is_missing, (Finding("nulls of several kinds", row if len(kinds) > 1 else None),)
    return next((name for name in names if name is not None), "None"), nan_is_missing, ()


def _reader(
    values: npt.NDArray[np.object_], arrow_type: pa.DataType, profile: Profile, *, nan_is_missing: bool
) -> SliceReader:
    nested = pa.types.is_nested(arrow_type)

    def read(start: int, stop: int) -> pa.Array:
        return pa.array(values[start:stop], type=arrow_type, from_pandas=not nested)

    def read_by_level(start: int, stop: int) -> pa.Array:
        return to_arrow(values[start:stop].tolist(), arrow_type, np.arange(start, stop))

    # What Arrow itself makes of other values is not always what is meant by them.
    missing = profile.samples.keys() & MISSING
    by_arrow = is_plain(profile) and missing <= {NoneType} if nested else nan_is_missing
    return read if by_arrow and not profile.samples.keys() & {NumpyNaT, *NUMPY_TIMES} else read_by_level


def first_unconvertible_row(values: Any, type: pa.DataType) -> int | None:
    """Return the first row whose value does not convert to an Arrow type, or None.

    Args:
        values: A numpy or extension array.
        type: The type.
    """
    for start in range(0, len(values), BLOCK_ROWS):
        block = values[start : start + BLOCK_ROWS]
        if not _converts(block, type):
            return start + next(i for i in range(len(block)) if not _converts(block[i : i + 1], type))
    return None


def _converts(values: Any, type: pa.DataType) -> bool:
    try:
        pa.array(values, type=type, from_pandas=True)
    except _NOT_CONVERTIBLE:
        return False
    return True
