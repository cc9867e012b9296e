"""Rules of object columns, and of lists, structs and maps."""

from __future__ import annotations

from digime_pandas._tabular.arrow import DEEPEST
from digime_pandas._tabular.rules.rule import Rule, changed, changed_and_warned, everywhere, impossible, kept, lost

_NESTED = impossible("nested='json' writes them as text, or choose JSON, NDJSON or Parquet")

RULES: tuple[Rule, ...] = (
    Rule("list", "object of list, Arrow list", _NESTED, kept("array"), kept("LIST")),
    Rule("struct", "object of dict, Arrow struct", _NESTED, kept("object"), kept("group")),
    Rule("map", "Arrow map", _NESTED, changed("array of {key, value}"), kept("MAP")),
    Rule("nested as JSON", 'any of the three with nested="json"', changed("JSON text"), *(kept("as it is"),) * 2),
    Rule(
        "structs with different members",
        "object of dict, where some lack members",
        lost("a missing member becomes null"),
        lost("a missing member becomes null"),
        lost("a missing member becomes null"),
    ),
    everywhere(
        "sequences of other types", "object of tuple or array", lost("a list; that it was a tuple or array is lost")
    ),
    everywhere(
        "nulls of several kinds",
        "None, NaN, NaT and NA in one object column; NaN of Decimal, NaT of numpy",
        lost("null; all come back as None"),
    ),
    everywhere(
        "missing values inside",
        "NA, NaT, and NaN that is no float, inside lists and dicts",
        lost("null; they come back as None"),
    ),
    Rule(
        "NaN inside",
        "NaN among the numbers inside lists and dicts",
        *(lost("null, as JSON has none; refused in JSON with strict=True"),) * 2,
        changed_and_warned("NaN, which pandas' own reader gives for null too, and which equals no other NaN"),
    ),
    Rule(
        "infinity inside",
        "+inf, -inf among the numbers inside lists and dicts",
        *(lost("null, as JSON has none; refused in JSON with strict=True"),) * 2,
        kept("±infinity"),
    ),
    everywhere("negative zero", "object of Decimal with -0", lost("0 without its sign")),
    everywhere(
        "several time zones",
        "object of times in several zones, or in one without a name",
        lost("the same instants; all come back in UTC"),
    ),
    everywhere(
        "other offset",
        "object of times with an offset that their zone does not have then (a time that the clocks skip)",
        lost("the same instants, with the offset that the zone has"),
    ),
    everywhere(
        "numpy scalars",
        "object of numpy scalars (float64, int64, str_, …)",
        changed("the same values, of Python's types"),
    ),
    everywhere(
        "other Python types",
        "object of subclasses, of whole numbers beside fractions, of times of several classes",
        lost("the same values; they come back as str, int, float, dict, datetime, Timestamp, … alone"),
    ),
    everywhere(
        "mixed objects",
        "object of values of several types",
        impossible("bring the column to one type, for instance with astype(str)"),
    ),
    everywhere(
        "objects of another type",
        "object of a type not listed here (UUID, set, Enum, …), int past 64 bits, Decimal past 76 digits",
        impossible("convert the values to text, numbers or times"),
    ),
    everywhere(
        "keys that are not text", "object of dict with keys that are not str", impossible("make each key a str")
    ),
    everywhere(
        "time of day with a zone",
        "object of time with a zone",
        impossible("convert it with astype(str), or leave the zone out"),
    ),
    everywhere(
        "nested too deeply",
        f"lists and dicts more than {DEEPEST} deep",
        impossible("flatten them, or store them as text with map(str)"),
    ),
)
