"""How many different names the objects of JSON lines have, found before Arrow makes a column of each.

A column has a place for each row. So a row with a name of its own costs as much as there are rows: a file of a few MB
may stand for columns of many GB. The names of all lines would take as long to find as the lines take to be read: of
many lines, some are looked at, which show how many names there are that only few lines have.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from digime_pandas._tabular.codecs.reading.json_rows import check_values
from digime_pandas._tabular.reading.limits import MOST_COLUMNS, Limits

_LEAST_NAME_BYTES = 4  # two quotes, a colon and a comma: of the empty name
_CELL_BYTES = 8
_SAMPLE_LINES = 2_000
_SAMPLE_BYTES = 8 << 20
_STEP = 0x9E37_79B1  # a prime, and so the lines of a sample are spread over all


def check_names(lines: Sequence[bytes], size: int, limits: Limits) -> None:
    """Check that the columns of lines do not take more memory than they may.

    Args:
        lines: Objects of JSON, one a line, that are not nested too deep. Those that are no JSON are passed over.
        size: How many bytes the lines have.
        limits: How much may be read.

    Raises:
        ReadError: There are too many columns, or rows and columns take too much memory.
    """
    most = size // _LEAST_NAME_BYTES
    if most <= MOST_COLUMNS and most * len(lines) * _CELL_BYTES <= limits.bytes:
        return
    if size > MOST_COLUMNS * _LEAST_NAME_BYTES * len(lines):
        _check_long_lines(lines, limits)
    names: Counter[tuple[str, ...]] = Counter()
    seen = taken = 0
    for line in _sample(lines):
        if taken > _SAMPLE_BYTES:
            break
        check_values([line], limits)
        seen, taken = seen + 1, taken + len(line)
        names.update(_paths_in(line))
    rare = sum(count == 1 for count in names.values())
    # Of what the other lines have, as large a part is new as of the last lines that were looked at (Good and Turing).
    columns = len(names) + rare * (len(lines) - seen) // max(1, seen)
    limits.check_columns(columns)
    limits.check_bytes(columns * len(lines) * _CELL_BYTES)


def _check_long_lines(lines: Sequence[bytes], limits: Limits) -> None:
    """Check the lines that may have too many names one by one."""
    for line in lines:
        if len(line) > MOST_COLUMNS * _LEAST_NAME_BYTES and line.count(b":") > MOST_COLUMNS:
            check_values([line], limits)
            limits.check_columns(len(set(_paths_in(line))))


def _sample(lines: Sequence[bytes]) -> Iterator[bytes]:
    if len(lines) <= _SAMPLE_LINES:
        return iter(lines)
    start = hash(lines[0])  # differs between processes, so that nothing can be put where it is not looked
    return (lines[(start + number * _STEP) % len(lines)] for number in range(_SAMPLE_LINES))


def _paths_in(line: bytes) -> list[tuple[str, ...]]:
    """Return the names in a line, each with the names of what it is in."""
    try:
        return list(_paths(json.loads(line), ()))
    except (ValueError, RecursionError):
        return []


def _paths(value: Any, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield (*path, name)
            if isinstance(inner, dict | list):
                yield from _paths(inner, (*path, name))
    elif isinstance(value, list):
        for inner in value:
            if isinstance(inner, dict | list):
                yield from _paths(inner, path)
