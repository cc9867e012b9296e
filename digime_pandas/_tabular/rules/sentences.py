"""What is said of a column that falls under a rule, in words that need no table: "holds lists"."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from digime_pandas._tabular.arrow import DEEPEST
from digime_pandas._tabular.columns import RuleName


class Counted(NamedTuple):
    """What a count of values is followed by, for one and for more of them."""

    one: str
    more: str


def joined_to(said: str) -> str:
    """Return what stands between the name of a column and what is said of it."""
    return " " if said.startswith(("holds ", "has ", "is ")) else ": "


COUNTED: Mapping[RuleName, Counted] = MappingProxyType(
    {
        "missing float": Counted("NaN, which means a missing value", "NaN, which mean missing values"),
        "NaN beside null": Counted("NaN beside missing values", "NaN beside missing values"),
        "infinity": Counted("infinite value (inf, -inf)", "infinite values (inf, -inf)"),
        "null in the only column": Counted("missing text in the only column", "missing texts in the only column"),
        "unused categories": Counted("category that no row has", "categories that no row has"),
        "unused categories sent": Counted("category that no row has", "categories that no row has"),
        "unused dictionary values": Counted("dictionary value that no row has", "dictionary values that no row has"),
        "unused dictionary values sent": Counted(
            "dictionary value that no row has", "dictionary values that no row has"
        ),
    }
)
"""What is said of the rules whose values are counted."""

HOLDS: Mapping[RuleName, str] = MappingProxyType(
    {
        "null": "holds missing values only",
        "boolean": "holds truth values",
        "integer": "holds whole numbers",
        "float": "holds floating-point numbers",
        "decimal": "holds decimals",
        "decimal as number": "holds decimals, written as numbers",
        "text": "holds text",
        "escaped text": "holds text, in which formulas are made harmless",
        "bytes": "holds bytes",
        "date": "holds dates",
        "time": "holds times of day",
        "timestamp": "holds dates with times",
        "zoned timestamp": "holds dates with times and a time zone",
        "timestamp in seconds": "holds dates with times, counted in seconds",
        "duration": "holds durations",
        "period": "holds periods",
        "interval": "holds intervals",
        "category": "is categorical",
        "sparse": "is sparse",
        "list": "holds lists",
        "struct": "holds dicts",
        "map": "holds maps",
        "nested as JSON": "holds lists, dicts or maps",
        "extension": "has an extension type of another package",
        "Arrow type that is not restored": "has an Arrow type that does not come back",
        "missing float": "holds NaN for missing values",
        "NaN beside null": "holds NaN beside missing values",
        "infinity": "holds infinite values",
        "null in the only column": "holds missing texts and is the only column",
        "beyond milliseconds": "holds dates that are too far for milliseconds",
        "year beyond 1 to 9999": "holds dates before the year 1 or after 9999",
        "year of a period": "holds periods before the year 1000 or after 9998",
        "unused categories": "has categories that no row has",
        "unused categories sent": "has categories that no row has",
        "unused dictionary values": "has values of an Arrow dictionary that no row has",
        "unused dictionary values sent": "has values of an Arrow dictionary that no row has",
        "ordered dictionary of a stream": "is an ordered Arrow dictionary of a stream that can be read once",
        "unused fill value": "is Sparse with a fill value that no row has",
        "structs with different members": "holds dicts with different keys",
        "sequences of other types": "holds tuples or arrays",
        "nulls of several kinds": "holds missing values of several kinds (None, NaN, NaT, NA)",
        "missing values inside": "holds missing values inside lists or dicts",
        "NaN inside": "holds NaN inside lists or dicts",
        "infinity inside": "holds infinite values inside lists or dicts",
        "negative zero": "holds decimals of minus zero",
        "several time zones": "holds times of several time zones, or of one without a name",
        "other offset": "holds times with an offset that their time zone does not have then",
        "numpy scalars": "holds scalars of numpy",
        "other Python types": "holds values of subclasses or of several like types",
        "byte order": "holds numbers in the byte order of other computers",
        "zone of another kind": "has a time zone of another kind than pandas has by its name",
        "frequency without a name": "has a frequency without a name",
        "type that Parquet lacks": "has a type that Parquet does not have",
        "member names that JSON lacks": "holds structs with a name that comes twice or has a NUL",
        "mixed objects": "holds values of several types",
        "objects of another type": "holds values of a type that no file has",
        "keys that are not text": "holds dicts with keys that are not text",
        "time of day with a zone": "holds times of day with a time zone",
        "nested too deeply": f"holds lists or dicts more than {DEEPEST} deep",
        "text with a lone surrogate": "holds text that is not Unicode (a lone surrogate)",
        "text that is not UTF-8": "holds Arrow text that is not UTF-8",
        "invalid Arrow values": "holds damaged Arrow values",
        "zone without a name": "has a time zone without a name",
        "unreadable": "holds values that pandas or Arrow fails to read",
        "extension without Arrow form": "has an extension type that Arrow does not know",
        "complex": "holds complex numbers",
        "long double": "holds numbers of longdouble",
        "other": "has an Arrow type that no file has",
        "name that is not text": "has a name that is not text",
        "duplicate name": "has a name that another column has, too",
        "name with a lone surrogate": "has a name that is not Unicode",
    }
)
"""What is said of a column, by rule."""
