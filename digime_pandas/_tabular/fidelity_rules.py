"""What each kind of column becomes in each format: one table, from which verdicts, warnings and errors are made.

There are four outcomes and no fifth:

* ``kept``: any reader of the format gets the values back as what they were;
* ``changed``: stored in another stated form, from which no value of a row is missing. `read_frame` makes the column
  again, by the schema in the file or in its reference; what no row has, such as unused categories, does not come back;
* ``lost``: something of the values is not in the file; a `FidelityWarning` says what;
* ``impossible``: refused with a `FidelityError` before anything is sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from digime_pandas._tabular.columns import RuleName
from digime_pandas._tabular.formats import Format

Verdict = Literal["kept", "changed", "lost", "impossible"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a rule says for one format.

    Attributes:
        verdict: One of the four outcomes.
        form: The form in the file; for what is impossible, what to do instead.
        warned: Whether users are warned: of everything that is lost, and of some things that are changed.
    """

    verdict: Verdict
    form: str
    warned: bool = False


@dataclass(frozen=True, slots=True)
class Rule:
    """One row of the table.

    Attributes:
        name: Its name, by which columns and findings refer to it.
        about: Which dtypes or values it is about, in the words of pandas' users.
        csv: What becomes of it in CSV.
        json: What becomes of it in JSON and NDJSON.
        parquet: What becomes of it in Parquet.
        counted: What a count is followed by, for one and for more of them; without it, "of" and `about`.
    """

    name: RuleName
    about: str
    csv: Outcome
    json: Outcome
    parquet: Outcome
    counted: tuple[str, str] | None = None

    def outcome(self, format: Format) -> Outcome:
        """Return what the rule says for a format."""
        return {"csv": self.csv, "json": self.json, "parquet": self.parquet}[format.rules]


def _kept(form: str) -> Outcome:
    return Outcome("kept", form)


def _changed(form: str) -> Outcome:
    return Outcome("changed", form)


def _lost(form: str) -> Outcome:
    return Outcome("lost", form, warned=True)


def _impossible(advice: str) -> Outcome:
    return Outcome("impossible", advice)


def _changed_and_warned(form: str) -> Outcome:
    return Outcome("changed", form, warned=True)


def _everywhere(name: RuleName, about: str, outcome: Outcome, counted: tuple[str, str] | None = None) -> Rule:
    return Rule(name, about, outcome, outcome, outcome, counted)


_CATEGORIES = "category that no row has", "categories that no row has"
_DICTIONARY_VALUES = "dictionary value that no row has", "dictionary values that no row has"
_KEPT_ON_REQUEST = "left out; keep_unused_categories=True sends them"
_AS_TEXT = "convert it with astype(str)"
_NESTED = _impossible('JSON text with nested="json", or choose JSON, NDJSON or Parquet')

_RULES = (
    Rule(
        "integer",
        "int8 … uint64, Int8 … UInt64",
        _kept("digits"),
        _kept("number, exact past 2^53"),
        _kept("INT of its width and sign"),
    ),
    Rule(
        "float",
        "float16 … float64, Float32, Float64",
        _kept("shortest digits that give the same bits back; -0.0 too"),
        _kept("shortest digits that give the same bits back; -0.0 too"),
        _kept("FLOAT16, FLOAT or DOUBLE"),
    ),
    Rule(
        "missing float",
        "NaN where it means missing (float16 … float64)",
        _kept("empty field"),
        _changed_and_warned("null, counted in a warning; refused with strict=True"),
        _kept("null"),
    ),
    Rule(
        "NaN beside null",
        "NaN where a null is something else (Float64, Arrow)",
        _kept("NaN"),
        _lost("null; refused with strict=True"),
        _kept("NaN"),
    ),
    Rule("infinity", "+inf, -inf", _kept("inf, -inf"), _lost("null; refused with strict=True"), _kept("±infinity")),
    Rule("boolean", "bool, boolean", _kept("true, false"), _kept("true, false"), _kept("BOOLEAN")),
    Rule("text", "str, string, object of str", _kept('text; empty text is ""'), _kept("string"), _kept("STRING")),
    Rule(
        "escaped text",
        "any text with escape_formulas=True",
        _changed("an apostrophe goes before what begins like a formula"),
        *(_kept("as it is"),) * 2,
    ),
    Rule(
        "null in the only column",
        "missing text in a file of one column",
        _changed("an empty line, which some readers skip"),
        _kept("null"),
        _kept("null"),
    ),
    _everywhere(
        "text with a lone surrogate",
        "text that is not Unicode (a lone surrogate)",
        _impossible("it has no UTF-8 form; repair the text, or encode it to bytes"),
    ),
    Rule("null", "object of missing values only", _kept("empty field"), _kept("null"), _kept("null")),
    Rule("bytes", "object of bytes", _changed("base64"), _changed("base64"), _kept("BYTE_ARRAY")),
    Rule(
        "timestamp",
        "datetime64, object of datetime",
        _changed("ISO 8601, in the coarsest unit that holds the column"),
        _changed("ISO 8601, in the coarsest unit that holds the column"),
        _kept("TIMESTAMP in its unit, local"),
    ),
    Rule(
        "zoned timestamp",
        "datetime64 with a zone",
        _changed("ISO 8601 with offset"),
        _changed("ISO 8601 with offset"),
        _kept("TIMESTAMP in its unit, UTC; the zone is in the metadata"),
    ),
    Rule(
        "timestamp in seconds",
        "datetime64[s], zoned or not",
        _changed("ISO 8601"),
        _changed("ISO 8601"),
        _changed("TIMESTAMP in milliseconds, which Parquet's units begin with"),
    ),
    Rule(
        "year beyond 1 to 9999",
        "times before the year 1 or after 9999",
        _impossible("ISO 8601 has four digits for the year; choose Parquet"),
        _impossible("ISO 8601 has four digits for the year; choose Parquet"),
        _kept("TIMESTAMP"),
    ),
    Rule(
        "year of a period",
        "periods before the year 1000 or after 9998",
        *(_impossible("their text is not read as what it was; choose Parquet"),) * 2,
        _kept("INT64"),
    ),
    Rule(
        "beyond milliseconds",
        "datetime64[s] that milliseconds cannot count",
        _impossible("ISO 8601 has four digits for the year"),
        _impossible("ISO 8601 has four digits for the year"),
        _impossible("Parquet counts milliseconds in 64 bits; store the year as a number"),
    ),
    Rule(
        "duration",
        "timedelta64, object of timedelta",
        _changed("ISO 8601 duration (P1DT2H3M4.5S)"),
        _changed("ISO 8601 duration (P1DT2H3M4.5S)"),
        _kept("INT64 that pandas and Arrow read as a duration, others as a number"),
    ),
    Rule("date", "object of date", _changed("ISO 8601 date"), _changed("ISO 8601 date"), _kept("DATE")),
    Rule("time", "object of time", _changed("ISO 8601 time"), _changed("ISO 8601 time"), _kept("TIME")),
    Rule(
        "period",
        "period",
        _changed("its text (2024-05, 2024Q2, …)"),
        _changed("its text (2024-05, 2024Q2, …)"),
        _kept("INT64 that pandas reads as a period, others as its ordinal"),
    ),
    Rule(
        "interval",
        "interval",
        _changed("its text: (left, right]"),
        _changed("its text: (left, right]"),
        _kept("group of left and right that pandas reads as an interval"),
    ),
    Rule("decimal", "object of Decimal", _kept("digits"), _changed("its digits as a string"), _kept("DECIMAL")),
    Rule("decimal as number", 'Decimal with decimals="number"', _kept("digits"), _kept("number"), _kept("DECIMAL")),
    Rule(
        "category",
        "category",
        _changed("its value; categories and order are in the schema"),
        _changed("its value; categories and order are in the schema"),
        _kept("its value, dictionary-encoded; categories and order are in the metadata"),
    ),
    _everywhere("unused categories", "categories that no row has", _changed_and_warned(_KEPT_ON_REQUEST), _CATEGORIES),
    Rule(
        "unused categories sent",
        "categories that no row has, with keep_unused_categories=True",
        *(_changed_and_warned("in the schema, where the file's readers see them"),) * 2,
        _changed_and_warned("in the file, where its readers see them"),
        _CATEGORIES,
    ),
    Rule(
        "unused dictionary values",
        "values of an Arrow dictionary that no row has (polars Enum, …)",
        *(_changed("left out, as the file has no dictionaries"),) * 2,
        _changed_and_warned(_KEPT_ON_REQUEST),
        _DICTIONARY_VALUES,
    ),
    Rule(
        "unused dictionary values sent",
        "values of an Arrow dictionary that no row has, with keep_unused_categories=True",
        *(_changed("left out, as the file has no dictionaries"),) * 2,
        _changed_and_warned("in the file, where its readers see them"),
        _DICTIONARY_VALUES,
    ),
    Rule(
        "ordered dictionary of a stream",
        "ordered Arrow dictionary of a stream that can be read once",
        *(_changed("its value"),) * 2,
        _changed_and_warned(
            "each row group has its own values, in their order, of which a reader cannot make one order; "
            "keep_unused_categories=True sends the same to each"
        ),
    ),
    Rule("sparse", "Sparse", *(_changed("every value, the fill value too"),) * 3),
    _everywhere(
        "unused fill value",
        "Sparse with a fill value that no row has",
        _changed_and_warned("left out; the dtype comes back with NaN, 0 or False"),
    ),
    Rule("list", "object of list, Arrow list", _NESTED, _kept("array"), _kept("LIST")),
    Rule("struct", "object of dict, Arrow struct", _NESTED, _kept("object"), _kept("group")),
    Rule("map", "Arrow map", _NESTED, _changed("array of {key, value}"), _kept("MAP")),
    Rule("nested as JSON", 'any of the three with nested="json"', _changed("JSON text"), *(_kept("as it is"),) * 2),
    Rule(
        "structs with different members",
        "object of dict, where some lack members",
        _lost("a missing member becomes null"),
        _lost("a missing member becomes null"),
        _lost("a missing member becomes null"),
    ),
    _everywhere(
        "sequences of other types", "object of tuple or array", _lost("a list; that it was a tuple or array is lost")
    ),
    _everywhere(
        "nulls of several kinds", "None, NaN, NaT and NA in one object column", _lost("null; all come back as None")
    ),
    Rule(
        "extension",
        "an extension type of another package",
        _lost("the Arrow values it gives; its type is lost"),
        _lost("the Arrow values it gives; its type is lost"),
        _lost("the Arrow values it gives; only pandas.read_parquet makes the type again, where it is registered"),
    ),
    _everywhere("extension without Arrow form", "an extension type that Arrow does not know", _impossible(_AS_TEXT)),
    _everywhere(
        "mixed objects",
        "object of values of several types, or of a type not listed here",
        _impossible("bring the column to one type, for instance with astype(str)"),
    ),
    _everywhere("complex", "complex64, complex128", _impossible("write real and imag as two columns")),
    _everywhere("long double", "longdouble", _impossible("convert it with astype('float64')")),
    _everywhere("other", "any other Arrow type (union, view, …)", _impossible("cast it to a type of this table")),
    _everywhere("name that is not text", "column names that are not str, MultiIndex columns", _changed("str(name)")),
    _everywhere("duplicate name", "a name that comes twice", _impossible("rename one; see index= for index levels")),
    _everywhere(
        "name with a lone surrogate", "a name that is not Unicode", _impossible("it has no UTF-8 form; rename it")
    ),
)
RULES: Mapping[RuleName, Rule] = MappingProxyType({each.name: each for each in _RULES})
# Numbers that JSON does not have.
NOT_IN_JSON: frozenset[RuleName] = frozenset(("missing float", "NaN beside null", "infinity"))
# What the schema of a text format holds.
IN_SCHEMA: frozenset[RuleName] = frozenset(("unused categories", "unused categories sent", "unused fill value"))
# What a file leaves out because no row of it has it.
LEFT_OUT: frozenset[RuleName] = frozenset(("unused categories", "unused dictionary values", "unused fill value"))


def render_rules() -> str:
    """Return the table as Markdown, one line per rule."""
    lines = ["| what | CSV | JSON, NDJSON | Parquet |", "|---|---|---|---|"]
    for rule in _RULES:
        cells = [f"**{each.verdict}**: {each.form}" for each in (rule.csv, rule.json, rule.parquet)]
        lines.append("| " + " | ".join([rule.about, *cells]) + " |")
    return "\n".join(lines) + "\n"
