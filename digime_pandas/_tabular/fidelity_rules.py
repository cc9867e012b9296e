"""What each kind of column becomes in each format: one table, from which verdicts, warnings and errors are made.

There are four outcomes and no fifth:

* ``kept``: any reader of the format gets the values back as what they were;
* ``changed``: stored in another stated form, from which no value of a row is missing. `read_frame` makes the column
  again, by the schema in the file or in its reference; what no row has, such as unused categories, does not come back,
  and scalars of numpy in object columns come back as Python's;
* ``lost``: something of the values is not in the file; a `FidelityWarning` says what;
* ``impossible``: refused with a `FidelityError` before anything is sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from digime_pandas._tabular.columns import RuleName
from digime_pandas._tabular.rules import flat_columns, object_columns, other_columns
from digime_pandas._tabular.rules.rule import Rule

_RULES = (*flat_columns.RULES, *object_columns.RULES, *other_columns.RULES)
RULES: Mapping[RuleName, Rule] = MappingProxyType({each.name: each for each in _RULES})
# Numbers that JSON does not have.
NOT_IN_JSON: frozenset[RuleName] = frozenset(
    ("missing float", "NaN beside null", "NaN inside", "infinity", "infinity inside")
)
# Rules of so many types that what was seen says more than what they are about.
SAID_BY_VALUES: frozenset[RuleName] = frozenset(("mixed objects", "objects of another type"))
# What the schema of a text format holds.
IN_SCHEMA: frozenset[RuleName] = frozenset(
    ("unused categories", "unused categories sent", "unused fill value", "frequency without a name")
)
# What a file leaves out because no row of it has it.
LEFT_OUT: frozenset[RuleName] = frozenset(("unused categories", "unused dictionary values", "unused fill value"))


def render_rules() -> str:
    """Return the table as Markdown, one line per rule."""
    lines = ["| what | CSV | JSON, NDJSON | Parquet |", "|---|---|---|---|"]
    for rule in _RULES:
        cells = [f"**{each.verdict}**: {each.form}" for each in (rule.csv, rule.json, rule.parquet)]
        lines.append("| " + " | ".join([rule.about, *cells]) + " |")
    return "\n".join(lines) + "\n"
