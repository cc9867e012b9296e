"""What each kind of column becomes in each format: one table, from which verdicts, warnings and errors are made.

There are four outcomes and no fifth:

* ``kept``: any reader of the format gets the values back as what they were;
* ``changed``: stored in another stated form from which nothing is missing. `read_frame` makes the column again, by the
  schema that travels with the file;
* ``lost``: something of the values is not in the file; a `FidelityWarning` says what;
* ``impossible``: refused with a `FidelityError` before anything is sent.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Literal

from digime_pandas._columns import Column, Fact
from digime_pandas._formats import Format

Verdict = Literal["kept", "changed", "lost", "impossible"]
_ORDER: tuple[Verdict, ...] = ("kept", "changed", "lost", "impossible")


class FidelityWarning(UserWarning):
    """Something of the frame is not in the file, or is there in another form; the message says which and what."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a rule says for one format.

    Attributes:
        verdict: One of the four outcomes.
        form: The form in the file; for what is impossible, what to do instead.
        warned: Whether it is worth a warning: what is lost is, and one thing more.
    """

    verdict: Verdict
    form: str
    warned: bool = False


@dataclass(frozen=True, slots=True)
class Rule:
    """One row of the table.

    Attributes:
        name: Its name, for columns and facts to refer to.
        about: What it speaks of, in the words of pandas' users.
        csv: What becomes of it in CSV.
        json: What becomes of it in JSON and NDJSON.
        parquet: What becomes of it in Parquet.
    """

    name: str
    about: str
    csv: Outcome
    json: Outcome
    parquet: Outcome

    def outcome(self, format: Format) -> Outcome:
        """Return what the rule says for a format."""
        return {"csv": self.csv, "parquet": self.parquet}.get(format.name, self.json)


@dataclass(frozen=True, slots=True)
class ColumnVerdict:
    """What becomes of one column.

    Attributes:
        name: Its name in the file.
        dtype: Its type, as pandas (or Arrow) calls it.
        verdict: ``"kept"``, ``"changed"``, ``"lost"`` or ``"impossible"``.
        note: The reasons, in words; empty when there is nothing to say.
        row: Position of the first row that the verdict is due to, counted from 0, or None.
        stored_as: The form its values have in the file.
    """

    name: str
    dtype: str
    verdict: Verdict
    note: str
    row: int | None
    stored_as: str


def _kept(form: str) -> Outcome:
    return Outcome("kept", form)


def _changed(form: str) -> Outcome:
    return Outcome("changed", form)


def _lost(form: str) -> Outcome:
    return Outcome("lost", form, warned=True)


def _impossible(advice: str) -> Outcome:
    return Outcome("impossible", advice)


def _everywhere(name: str, about: str, outcome: Outcome) -> Rule:
    return Rule(name, about, outcome, outcome, outcome)


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
        Outcome("changed", "null, counted in a warning; refused with strict=True", warned=True),
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
    Rule("sparse", "Sparse", *(_changed("every value, the fill value too"),) * 3),
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
RULES: Mapping[str, Rule] = MappingProxyType({each.name: each for each in _RULES})


def judge(
    column: Column, facts: Iterable[Fact], format: Format, options: Mapping[str, Any]
) -> tuple[ColumnVerdict, tuple[tuple[Verdict, str], ...]]:
    """Return what becomes of a column, and what there is to warn of: each a verdict with its reason.

    Args:
        column: The column.
        facts: What was found about its values, beside ``column.facts``.
        format: The format it is written in.
        options: Options of the format; some decide verdicts.
    """
    every = (Fact(column.kind), *column.facts, *facts)
    if options.get("escape_formulas") and column.kind == "text":
        every += (Fact("escaped text"),)
    judged, warned = _judged(every, format, tuple(options.items()))
    return replace(judged, name=column.name, dtype=column.dtype), warned


@lru_cache(maxsize=1024)
def _judged(
    facts: tuple[Fact, ...], format: Format, options: tuple[tuple[str, Any], ...]
) -> tuple[ColumnVerdict, tuple[tuple[Verdict, str], ...]]:
    """Return what `judge` does for a column without name and type."""
    # One fact a rule: the kind says the rule alone, what was found of it may say the row too.
    every = {fact.rule: fact for fact in facts}
    found = [(fact, _outcome(fact.rule, format, dict(options))) for fact in every.values()]
    fact, worst = max(found, key=lambda each: (_ORDER.index(each[1].verdict), each[0].row is not None))
    notes = [_note(each, outcome) for each, outcome in found if outcome.verdict != "kept"]
    warned = tuple((outcome.verdict, _note(each, outcome)) for each, outcome in found if outcome.warned)
    verdict = ColumnVerdict(
        name="",
        dtype="",
        verdict=worst.verdict,
        note="; ".join(notes),
        row=fact.row,
        stored_as="" if worst.verdict == "impossible" else found[0][1].form,
    )
    return verdict, warned


def _outcome(rule: str, format: Format, options: Mapping[str, Any]) -> Outcome:
    if rule in {"list", "struct", "map"} and options.get("nested") == "json":
        rule = "nested as JSON"
    if rule == "decimal" and options.get("decimals") == "number":
        rule = "decimal as number"
    outcome = RULES[rule].outcome(format)
    if options.get("strict") and rule in NOT_IN_JSON:
        return _impossible("JSON has no such number; replace it, or leave strict= out to write null")
    return outcome


NOT_IN_JSON = frozenset({"missing float", "NaN beside null", "infinity"})


def _note(fact: Fact, outcome: Outcome) -> str:
    count = f"{fact.count:,} of " if fact.count else ""
    return f"{count}{RULES[fact.rule].about}: {outcome.form}"


def render_rules() -> str:
    """Return the table as Markdown."""
    lines = ["| what | CSV | JSON, NDJSON | Parquet |", "|---|---|---|---|"]
    for rule in _RULES:
        cells = [f"**{each.verdict}**: {each.form}" for each in (rule.csv, rule.json, rule.parquet)]
        lines.append("| " + " | ".join([rule.about, *cells]) + " |")
    return "\n".join(lines) + "\n"
