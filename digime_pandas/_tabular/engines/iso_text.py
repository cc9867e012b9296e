"""ISO 8601 text of durations, which Arrow does not have, and of the earliest times, which it only writes."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from digime_pandas._tabular.columns import TICKS_PER_SECOND

_DURATION = r"^(?P<sign>-?)P(?P<d>\d{1,15})DT(?P<h>\d{1,2})H(?P<m>\d{1,2})M(?P<s>\d{1,2})(?:\.(?P<f>\d{1,9}))?S$"
_TIME = r"^(?P<second>.{10}[T ].{8})(?:\.(?P<f>\d{1,9}))?(?P<zone>Z|[+-].{5})?$"
_PLACES = {"s": 0, "ms": 3, "us": 6, "ns": 9}


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
