from __future__ import annotations

import pytest

from digime_pandas._tabular.fidelity_rules import IN_SCHEMA, LEFT_OUT, NOT_IN_JSON, RULES, render_rules
from digime_pandas._tabular.formats import CSV, FORMATS, JSON, NDJSON, PARQUET, Format


def test_there_are_four_outcomes_and_no_fifth() -> None:
    found = {each.verdict for rule in RULES.values() for each in (rule.csv, rule.json, rule.parquet)}
    assert found == {"kept", "changed", "lost", "impossible"}


def test_what_is_lost_is_always_warned_of() -> None:
    for rule in RULES.values():
        for each in (rule.csv, rule.json, rule.parquet):
            assert each.warned or each.verdict != "lost"
            assert not each.warned or each.verdict in {"lost", "changed"}


def test_rules_that_options_speak_of_are_rules() -> None:
    assert set(RULES) > NOT_IN_JSON | LEFT_OUT | IN_SCHEMA


def test_the_table_renders_as_markdown_with_a_line_a_rule() -> None:
    lines = render_rules().splitlines()
    assert len(lines) == len(RULES) + 2
    assert {line.count("|") for line in lines} == {5}


@pytest.mark.parametrize("format", FORMATS.values(), ids=lambda each: each.name)
def test_each_format_has_its_column_of_the_table(format: Format) -> None:
    rule = RULES["infinity"]
    assert rule.outcome(format) is {CSV: rule.csv, JSON: rule.json, NDJSON: rule.json, PARQUET: rule.parquet}[format]
