"""ISO 8601 text of durations, which Arrow does not have, of few times, and of the earliest, which Arrow only writes."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from digime_pandas._tabular.columns import TICKS_PER_SECOND

_DURATION = r"^(?P<sign>-?)P(?P<d>\d{1,15})DT(?P<h>\d{1,2})H(?P<m>\d{1,2})M(?P<s>\d{1,2})(?:\.(?P<f>\d{1,9}))?S$"
_TIME = r"^(?P<second>.{10}[T ].{8})(?:\.(?P<f>\d{1,9}))?(?P<zone>Z|[+-].{5})?$"
# Beyond it, clocks somewhere show a time that 64 bits cannot count, and which Arrow turns into one of another century.
_LAST_NANOSECOND_OF_EVERY_ZONE = 2**63 - 2 * 86_400 * 10**9
_FEW_TIMES = 256
_MINUTE = 60
_FIRST_DAY = date(1970, 1, 1).toordinal()
_FIRST_SECOND, _END_SECOND = -62_135_596_800, 253_402_300_800  # of the years 1 to 9999
_FIRST_TICK = 1 - 2**63  # numpy has the one before it for NaT
_PLACES = {"s": 0, "ms": 3, "us": 6, "ns": 9}


def few_time_texts(local: pa.Array, instants: pa.Array) -> pa.Array | None:
    """Return ``2024-05-01T08:30:00[.ffffff][+02:00]`` by numpy, which costs less than the calls of Arrow.

    Args:
        local: Times as clocks show them, of the years 1 to 9999.
        instants: The same times in UTC; `local` itself where the text has no offset.

    Returns:
        The texts; None where they are to be made otherwise: many, nulls among them, or an offset with seconds.
    """
    if len(local) > _FEW_TIMES or local.null_count or not len(local):
        return None
    unit = local.type.unit
    second = TICKS_PER_SECOND[unit]
    values = local.view(pa.int64()).to_numpy()
    ticks: list[int] = values.tolist()
    if min(ticks) < max(_FIRST_SECOND * second, _FIRST_TICK) or max(ticks) >= _END_SECOND * second:
        return None
    texts: list[str] = np.datetime_as_string(values.view(f"M8[{unit}]")).tolist()
    if local is not instants:
        offsets = [
            (each - other) // second for each, other in zip(ticks, instants.view(pa.int64()).to_pylist(), strict=True)
        ]
        if any(each % _MINUTE for each in offsets):
            return None
        suffixes = {each: offset_text(each // _MINUTE) for each in set(offsets)}
        texts = [text + suffixes[each] for text, each in zip(texts, offsets, strict=True)]
    return pa.array(texts, pa.string())


def few_date_texts(days: pa.Array) -> pa.Array | None:
    """Return ``2024-05-01`` by Python, which costs less than a call of Arrow; nulls stay null.

    Args:
        days: Dates of few rows, as days.

    Returns:
        The texts; None where a year is beyond 1 to 9999.
    """
    ordinals = days.view(pa.int32()).to_pylist()
    try:
        texts = [None if each is None else date.fromordinal(_FIRST_DAY + each).isoformat() for each in ordinals]
    except (ValueError, OverflowError):
        return None
    return pa.array(texts, pa.string())


def local_times(array: pa.Array) -> pa.Array:
    """Return the times of the clocks in their zone, or those in UTC, which mean the same, where these are not known."""
    instants = array.view(pa.timestamp(array.type.unit))
    if array.type.unit == "ns":
        extremes = pc.min_max(instants.view(pa.int64())).as_py()
        if max(map(abs, filter(None, extremes.values())), default=0) > _LAST_NANOSECOND_OF_EVERY_ZONE:
            return instants
    try:
        return pc.local_timestamp(array)
    except pa.ArrowInvalid:  # Arrow has fewer zones than Python
        return instants


def offset_text(minutes: int) -> str:
    """Return the offset of a zone, such as ``+02:00``."""
    hours, minutes_left = divmod(abs(minutes), _MINUTE)
    return f"{'-' if minutes < 0 else '+'}{hours:02d}:{minutes_left:02d}"


def duration_texts(array: pa.Array) -> pa.Array:
    """Return durations as ``[-]P1DT2H3M4[.ffffff]S``, what ``Timedelta.isoformat`` returns for positive ones.

    Args:
        array: The durations.
    """
    second, places = TICKS_PER_SECOND[array.type.unit], _PLACES[array.type.unit]
    ticks = array.cast(pa.int64())
    negative = pc.less(ticks, 0)
    unsigned = ticks.cast(pa.uint64(), safe=False)  # the magnitude of the lowest needs all 64 bits
    rest = pc.if_else(negative, pc.subtract(pa.scalar(0, pa.uint64()), unsigned), unsigned)
    sign = pc.if_else(negative, "-", "")
    parts: list[Any] = []
    for factor in (86400 * second, 3600 * second, 60 * second, second):
        whole = pc.divide(rest, pa.scalar(factor, pa.uint64()))
        rest = pc.subtract(rest, pc.multiply(whole, pa.scalar(factor, pa.uint64())))
        parts.append(whole.cast(pa.string()))
    days, hours, minutes, seconds = parts
    fraction: Any = pa.scalar("")
    if places:
        digits = pc.utf8_lpad(rest.cast(pa.string()), places, padding="0")
        fraction = pc.if_else(pc.equal(rest, 0), "", pc.binary_join_element_wise(".", digits, ""))
    return pc.binary_join_element_wise(sign, "P", days, "DT", hours, "H", minutes, "M", seconds, fraction, "S", "")


def parse_durations(texts: pa.Array, type: pa.DataType) -> pa.Array:
    """Return the durations that `duration_texts` was called with.

    Args:
        texts: The texts.
        type: The type of the durations.

    Raises:
        pyarrow.ArrowInvalid: A text is none of these.
    """
    found = _extracted(texts, _DURATION, "a duration as P…DT…H…M…S")
    second = TICKS_PER_SECOND[type.unit]
    sign = pc.if_else(
        pc.equal(pc.struct_field(found, "sign"), "-"), pa.scalar(-1, pa.int64()), pa.scalar(1, pa.int64())
    )
    total: Any = pc.multiply(sign, _fractions(found, second))
    for name, factor in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        part = pc.multiply(sign, pc.struct_field(found, name).cast(pa.int64()))
        total = pc.add_checked(total, pc.multiply_checked(part, factor * second))
    return total.cast(type)


def parse_times(texts: pa.Array, type: pa.DataType) -> pa.Array:
    """Return times, those of the first second too whose beginning 64 bits of nanoseconds cannot count.

    Args:
        texts: Texts such as ``1677-09-21T00:12:43.145224193``, with an offset where the type has a zone.
        type: The type of the times.

    Raises:
        pyarrow.ArrowInvalid: A text is none of these.
    """
    try:
        return texts.cast(type)
    except pa.ArrowInvalid:  # Arrow counts from the beginning of a time's second
        if type.unit != "ns":
            raise
    found = _extracted(texts, _TIME, "a time as YYYY-MM-DDThh:mm:ss")
    whole = pc.binary_join_element_wise(pc.struct_field(found, "second"), pc.struct_field(found, "zone"), "")
    seconds = whole.cast(pa.timestamp("s", type.tz)).cast(pa.int64())
    second = TICKS_PER_SECOND["ns"]
    fraction = _fractions(found, second)
    early = pc.less(seconds, 0)
    # Counted from the end of its second, each time before 1970 has a number.
    seconds = pc.if_else(early, pc.add(seconds, 1), seconds)
    fraction = pc.if_else(early, pc.subtract(fraction, second), fraction)
    return pc.add_checked(pc.multiply_checked(seconds, second), fraction).cast(type)


def _extracted(texts: pa.Array, pattern: str, what: str) -> pa.Array:
    found = pc.extract_regex(texts, pattern)
    if found.null_count != texts.null_count:
        raise pa.ArrowInvalid(f"not {what}")
    return found


def _fractions(found: pa.Array, second: int) -> pa.Array:
    """Return the part behind the point, of which each second has `second`."""
    digits = pc.utf8_slice_codeunits(pc.utf8_rpad(pc.struct_field(found, "f"), 9, padding="0"), 0, 9)
    return pc.divide(digits.cast(pa.int64()), 10**9 // second)
