# The stubs of pandas and numpy know fewer inputs than the libraries take.
# mypy: disable-error-code="arg-type, assignment, attr-defined, call-overload, comparison-overlap, list-item, operator"
from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from digime_pandas._tabular.columns import Finding
from digime_pandas._tabular.fidelity import verdict_for
from digime_pandas._tabular.fidelity_rules import IN_SCHEMA, LEFT_OUT, NOT_IN_JSON, RULES, render_rules
from digime_pandas._tabular.formats import CSV, FORMATS, JSON, PARQUET
from digime_pandas._tabular.frames.pandas_columns import describe
from digime_pandas._tabular.serialize import examine


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


def test_the_worst_rule_decides_and_its_row_is_told() -> None:
    values = np.array([0.5, 1.0])
    column = describe("x", values.dtype, lambda start, stop: values[start:stop], 2)
    facts = (Finding("missing float", 0, 3), Finding("infinity", 7, 1))
    verdict, warned = verdict_for(column, facts, JSON, {})
    assert (verdict.verdict, verdict.row, verdict.dtype) == ("lost", 7, "float64")
    assert [(kind, note[:4]) for kind, note in warned] == [("changed", "3 of"), ("lost", "1 of")]
    assert verdict_for(column, facts, PARQUET, {})[0].verdict == "kept"
    assert verdict_for(column, facts, JSON, {"strict": True})[0].row == 0


def test_an_impossible_column_is_stored_as_nothing() -> None:
    verdict = examine(pd.DataFrame({"m": pd.Series(["a", 1], dtype=object)}), CSV)[0]
    assert (verdict.verdict, verdict.stored_as, verdict.row) == ("impossible", "", 1)
    assert "astype(str)" in verdict.note


@pytest.mark.parametrize("format", FORMATS.values(), ids=lambda each: each.name)
def test_index_levels_get_verdicts_too(format: object) -> None:
    frame = pd.DataFrame({"a": [1]}, index=pd.to_datetime(["2024-01-01"]).rename("day"))
    assert [each.name for each in examine(frame, format)] == ["day", "a"]


def test_a_kept_column_has_nothing_to_say() -> None:
    verdict = examine(pd.DataFrame({"a": [1]}), CSV)[0]
    assert (verdict.verdict, verdict.note, verdict.row, verdict.stored_as) == ("kept", "", None, "digits")


def test_the_table_renders_as_markdown_with_a_line_a_rule() -> None:
    lines = render_rules().splitlines()
    assert len(lines) == len(RULES) + 2
    assert {line.count("|") for line in lines} == {5}
