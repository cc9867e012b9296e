"""Rules of columns of numbers, text, times and categories."""

from __future__ import annotations

from digime_pandas._tabular.rules.rule import Rule, changed, changed_and_warned, everywhere, impossible, kept, lost

_KEPT_ON_REQUEST = "left out; keep_unused_categories=True sends them"

RULES: tuple[Rule, ...] = (
    Rule(
        "integer",
        "int8 … uint64, Int8 … UInt64",
        kept("digits"),
        kept("number, exact past 2^53"),
        kept("INT of its width and sign"),
    ),
    Rule(
        "float",
        "float16 … float64, Float32, Float64",
        kept("shortest digits that give the same bits back; -0.0 too"),
        kept("shortest digits that give the same bits back; -0.0 too"),
        kept("FLOAT16, FLOAT or DOUBLE"),
    ),
    Rule(
        "missing float",
        "NaN where it means missing (float16 … float64)",
        kept("empty field"),
        changed_and_warned("null, counted in a warning; refused with strict=True"),
        kept("null"),
    ),
    Rule(
        "NaN beside null",
        "NaN where a null is something else (Float64, Arrow)",
        kept("NaN"),
        lost("null; refused with strict=True"),
        kept("NaN"),
    ),
    Rule("infinity", "+inf, -inf", kept("inf, -inf"), lost("null; refused with strict=True"), kept("±infinity")),
    Rule("boolean", "bool, boolean", kept("true, false"), kept("true, false"), kept("BOOLEAN")),
    Rule("text", "str, string, object of str", kept('text; empty text is ""'), kept("string"), kept("STRING")),
    Rule(
        "escaped text",
        "any text with escape_formulas=True",
        changed("an apostrophe goes before what begins like a formula"),
        *(kept("as it is"),) * 2,
    ),
    Rule(
        "null in the only column",
        "missing text in a file of one column",
        changed("an empty line, which some readers skip"),
        kept("null"),
        kept("null"),
    ),
    everywhere(
        "text with a lone surrogate",
        "text that is not Unicode (a lone surrogate)",
        impossible("it has no UTF-8 form; repair the text, or encode it to bytes"),
    ),
    Rule("null", "object of missing values only", kept("empty field"), kept("null"), kept("null")),
    Rule("bytes", "object of bytes", changed("base64"), changed("base64"), kept("BYTE_ARRAY")),
    Rule(
        "timestamp",
        "datetime64, object of datetime",
        changed("ISO 8601, in the coarsest unit that holds the column"),
        changed("ISO 8601, in the coarsest unit that holds the column"),
        kept("TIMESTAMP in its unit, local"),
    ),
    Rule(
        "zoned timestamp",
        "datetime64 with a zone",
        changed("ISO 8601 with offset"),
        changed("ISO 8601 with offset"),
        kept("TIMESTAMP in its unit, UTC; the zone is in the metadata"),
    ),
    Rule(
        "timestamp in seconds",
        "datetime64[s], zoned or not",
        changed("ISO 8601"),
        changed("ISO 8601"),
        changed("TIMESTAMP in milliseconds, which Parquet's units begin with"),
    ),
    Rule(
        "year beyond 1 to 9999",
        "dates and times before the year 1 or after 9999",
        impossible("ISO 8601 has four digits for the year; choose Parquet"),
        impossible("ISO 8601 has four digits for the year; choose Parquet"),
        kept("DATE or TIMESTAMP"),
    ),
    Rule(
        "year of a period",
        "periods before the year 1000 or after 9998",
        *(impossible("their text is not read as what it was; choose Parquet"),) * 2,
        kept("INT64"),
    ),
    Rule(
        "beyond milliseconds",
        "datetime64[s] that milliseconds cannot count",
        impossible("ISO 8601 has four digits for the year"),
        impossible("ISO 8601 has four digits for the year"),
        impossible("Parquet counts milliseconds in 64 bits; store the year as a number"),
    ),
    Rule(
        "duration",
        "timedelta64, object of timedelta",
        changed("ISO 8601 duration (P1DT2H3M4.5S)"),
        changed("ISO 8601 duration (P1DT2H3M4.5S)"),
        kept("INT64 that pandas and Arrow read as a duration, others as a number"),
    ),
    Rule("date", "object of date", changed("ISO 8601 date"), changed("ISO 8601 date"), kept("DATE")),
    Rule("time", "object of time", changed("ISO 8601 time"), changed("ISO 8601 time"), kept("TIME")),
    Rule(
        "period",
        "period",
        changed("its text (2024-05, 2024Q2, …)"),
        changed("its text (2024-05, 2024Q2, …)"),
        kept("INT64 that pandas reads as a period, others as its ordinal"),
    ),
    Rule(
        "interval",
        "interval",
        changed("its text: (left, right]"),
        changed("its text: (left, right]"),
        kept("group of left and right that pandas reads as an interval"),
    ),
    Rule(
        "decimal",
        "object of Decimal",
        kept("digits, with as many places as the longest"),
        changed("its digits as a string, with as many places as the longest"),
        kept("DECIMAL with as many places as the longest"),
    ),
    Rule("decimal as number", 'Decimal with decimals="number"', kept("digits"), kept("number"), kept("DECIMAL")),
    Rule(
        "category",
        "category",
        changed("its value; categories and order are in the schema"),
        changed("its value; categories and order are in the schema"),
        kept("its value, dictionary-encoded; categories and order are in the metadata"),
    ),
    everywhere("unused categories", "categories that no row has", changed_and_warned(_KEPT_ON_REQUEST)),
    Rule(
        "unused categories sent",
        "categories that no row has, with keep_unused_categories=True",
        *(changed_and_warned("in the schema, where the file's readers see them"),) * 2,
        changed_and_warned("in the file, where its readers see them"),
    ),
    Rule(
        "unused dictionary values",
        "values of an Arrow dictionary that no row has (polars Enum, …)",
        *(changed("left out, as the file has no dictionaries"),) * 2,
        changed_and_warned(_KEPT_ON_REQUEST),
    ),
    Rule(
        "unused dictionary values sent",
        "values of an Arrow dictionary that no row has, with keep_unused_categories=True",
        *(changed("left out, as the file has no dictionaries"),) * 2,
        changed_and_warned("in the file, where its readers see them"),
    ),
    Rule(
        "ordered dictionary of a stream",
        "ordered Arrow dictionary of a stream that can be read once",
        *(changed("its value"),) * 2,
        changed_and_warned(
            "each row group has its own values, in their order, of which a reader cannot make one order; "
            "keep_unused_categories=True sends the same to each"
        ),
    ),
    Rule("sparse", "Sparse", *(changed("every value, the fill value too"),) * 3),
    everywhere(
        "unused fill value",
        "Sparse with a fill value that no row has",
        changed_and_warned("left out; the dtype comes back with NaN, 0 or False"),
    ),
)
