"""Rules of types of other packages, of what no format holds, and of names."""

from __future__ import annotations

from digime_pandas._tabular.rules.rule import Rule, changed, everywhere, impossible, kept, lost

_AS_TEXT = "convert it with astype(str)"

RULES: tuple[Rule, ...] = (
    Rule(
        "extension",
        "an extension type of another package",
        lost("the Arrow values it gives; its type is lost"),
        lost("the Arrow values it gives; its type is lost"),
        lost("the Arrow values it gives; only pandas.read_parquet makes the type again, where it is registered"),
    ),
    everywhere(
        "Arrow type that is not restored",
        "an Arrow type that the schema does not name (most extension types, members that are not null)",
        lost("its values; they come back with the type they are stored in"),
    ),
    Rule(
        "type that Parquet lacks",
        "a type that Parquet lacks (a struct without members, bytes of length 0)",
        *(kept("as it is"),) * 2,
        impossible("choose JSON or NDJSON, or convert it"),
    ),
    Rule(
        "member names that JSON lacks",
        "structs with a name twice, or a NUL in a name",
        *(impossible("rename the members, or choose Parquet"),) * 2,
        kept("group"),
    ),
    everywhere(
        "byte order",
        "numbers in the byte order of other computers (big-endian)",
        lost("the same numbers in the byte order of this one, as which they come back"),
    ),
    everywhere(
        "zone of another kind",
        "a zone that is not the one that pandas has by its name (dateutil, a file)",
        lost("the zone that pandas has by that name; instants stay"),
    ),
    everywhere(
        "frequency without a name",
        "an index, labels or categories with a frequency without a name (a DateOffset, holidays)",
        lost("the same times; the frequency does not come back"),
    ),
    everywhere(
        "zone without a name",
        "a zone without a name, or with one that is not known (tzlocal, offsets with seconds)",
        impossible("convert it to a zone with one, for instance with tz_convert('UTC')"),
    ),
    everywhere(
        "text that is not UTF-8",
        "Arrow text that is not UTF-8",
        impossible("repair it, or cast it to binary"),
    ),
    everywhere(
        "invalid Arrow values",
        "an Arrow array that is damaged or has values out of its range",
        impossible("make it anew; its validate(full=True) says what is wrong"),
    ),
    everywhere(
        "unreadable",
        "values that pandas or Arrow fails to read",
        impossible("convert the column, for instance with astype(str)"),
    ),
    everywhere("extension without Arrow form", "an extension type that Arrow does not know", impossible(_AS_TEXT)),
    everywhere("complex", "complex64, complex128", impossible("write real and imag as two columns")),
    everywhere("long double", "longdouble", impossible("convert it with astype('float64')")),
    everywhere("other", "any other Arrow type (union, view, …)", impossible("cast it to text, numbers or times")),
    everywhere("name that is not text", "column names that are not str, MultiIndex columns", changed("str(name)")),
    everywhere("duplicate name", "a name that comes twice", impossible("rename one; see index= for index levels")),
    everywhere(
        "name with a lone surrogate", "a name that is not Unicode", impossible("it has no UTF-8 form; rename it")
    ),
)
