# The stubs of pandas and numpy know fewer inputs than the libraries take.
# mypy: disable-error-code="arg-type, assignment, attr-defined, call-overload, comparison-overlap, list-item, operator"
from __future__ import annotations

from typing import Any
from uuid import UUID

import numpy as np
import pandas as pd
import pytest

from digime_pandas._tabular.columns import Finding
from digime_pandas._tabular.fidelity import judge_columns, judge_labels, verdict_for
from digime_pandas._tabular.fidelity_rules import RULES
from digime_pandas._tabular.formats import CSV, FORMATS, JSON, PARQUET, Format
from digime_pandas._tabular.frames.pandas_columns import describe
from digime_pandas._tabular.rules.sentences import COUNTED, HOLDS
from digime_pandas._tabular.serialize import inspect_frame
from digime_pandas.errors import FidelityError


def test_the_worst_rule_decides_and_its_row_is_told() -> None:
    values = np.array([0.5, 1.0])
    column = describe("x", values)
    findings = (Finding("missing float", 0, 3), Finding("infinity", 7, 1))
    verdict, warned = verdict_for(column, findings, JSON, {})
    assert (verdict.verdict, verdict.row, verdict.dtype) == ("lost", 7, "float64")
    assert [(kind, note[:5]) for kind, note in warned] == [("changed", "3 NaN"), ("lost", "1 inf")]
    assert verdict_for(column, findings, PARQUET, {})[0].verdict == "kept"
    assert verdict_for(column, findings, JSON, {"strict": True})[0].row == 0


def test_an_impossible_column_is_stored_as_nothing() -> None:
    verdict = inspect_frame(pd.DataFrame({"m": pd.Series(["a", 1], dtype=object)}), CSV).columns[0]
    assert (verdict.verdict, verdict.stored_as, verdict.row) == ("impossible", "", 1)
    assert "astype(str)" in verdict.note


def test_a_refusal_says_what_was_seen_and_what_to_call() -> None:
    frame = pd.DataFrame({"id": pd.Series([None, UUID(int=1)], dtype=object)})
    with pytest.raises(FidelityError) as caught:
        inspect_frame(frame, CSV).checked()
    assert str(caught.value) == (
        "Column 'id' (first in row 1): UUID('00000000-0000-0000-0000-000000000001') is of type uuid.UUID: convert the "
        "values to text, numbers or times, for instance with astype(str)."
    )
    finding = Finding("time of day with a zone", 3, seen="12:00 in UTC")
    note = verdict_for(describe("x", np.array([1])), (finding,), CSV, {})[0].note
    assert note.startswith("holds times of day with a time zone; here 12:00 in UTC: convert it")


@pytest.mark.parametrize("format", FORMATS.values(), ids=lambda each: each.name)
def test_index_levels_get_verdicts_too(format: object) -> None:
    frame = pd.DataFrame({"a": [1]}, index=pd.to_datetime(["2024-01-01"]).rename("day"))
    assert [each.name for each in inspect_frame(frame, format).columns] == ["day", "a"]


def test_a_kept_column_has_nothing_to_say() -> None:
    verdict = inspect_frame(pd.DataFrame({"a": [1]}), CSV).columns[0]
    assert (verdict.verdict, verdict.note, verdict.row, verdict.stored_as) == ("kept", "", None, "digits")


def test_columns_are_judged_together_and_reasons_name_them() -> None:
    columns = (describe("i", np.array([1])), describe("f", np.array([np.inf])))
    verdicts, reasons = judge_columns(columns, ((), (Finding("infinity", 0, 1),)), JSON, {})
    assert [each.verdict for each in verdicts] == ["kept", "lost"]
    assert reasons == [("lost", "column 'f': 1 infinite value (inf, -inf): null; refused with strict=True")]
    assert judge_columns((), (), JSON, {}) == ((), [])


def test_what_is_cut_is_warned_of_unless_it_is_cut_by_design() -> None:
    findings = (Finding("unused categories", None, 2),)
    (reason,) = judge_labels(findings, CSV, {})
    assert reason == ("changed", "2 categories that no row has: left out; keep_unused_categories=True sends them")
    assert judge_labels(findings, CSV, {}, warn_of_cut=False) == ()
    assert judge_labels((), CSV, {}) == ()


def test_without_a_schema_nothing_is_said_of_what_it_would_hold() -> None:
    column = describe("k", pd.Categorical(["a"], ["a", "b"]))
    assert verdict_for(column, (), CSV, {"typed": True})[1]
    verdict, reasons = verdict_for(column, (), CSV, {"typed": False})
    assert reasons == ()
    assert "no row has" not in verdict.note


NESTED = "nested='json' writes them as text, or choose JSON, NDJSON or Parquet."
SENTENCES: dict[str, tuple[object, str, str]] = {
    "lists": ([None, [1, 2]], "holds lists, which CSV cannot keep (row 1 has [1, 2], of type list):", NESTED),
    "dicts": ([{"a": 1}], "holds dicts, which CSV cannot keep (row 0 has {'a': 1}, of type dict):", NESTED),
    "far dates": (
        np.array(["2024-01-01", "-5000-01-01"], dtype="datetime64[s]"),
        "(first in row 1) holds dates before the year 1 or after 9999, which CSV cannot keep:",
        "ISO 8601 has four digits for the year; choose Parquet.",
    ),
    "numbers": ([1j], "holds complex numbers:", "write real and imag as two columns."),
}


@pytest.mark.parametrize(("values", "said", "remedy"), SENTENCES.values(), ids=SENTENCES)
def test_a_refusal_says_what_the_column_holds_with_a_value_and_what_to_do(
    values: object, said: str, remedy: str
) -> None:
    with pytest.raises(FidelityError) as caught:
        inspect_frame(pd.DataFrame({"x": values}), CSV).checked()
    assert (caught.value.what, caught.value.remedy) == (f"Column 'x' {said}", remedy)
    assert str(caught.value) == f"Column 'x' {said} {remedy}"


@pytest.mark.parametrize("seen", [{}, {"count": 1}, {"count": 2}, {"seen": "what was seen"}], ids=str)
@pytest.mark.parametrize("format", FORMATS.values(), ids=lambda each: each.name)
def test_no_sentence_is_made_of_the_label_of_a_row_of_the_table(format: Format, seen: dict[str, Any]) -> None:
    column = describe("x", np.array([1]))
    labels = {rule: row.about for rule, row in RULES.items() if row.about not in HOLDS[rule]}
    assert labels
    for rule, label in labels.items():
        verdict, reasons = verdict_for(column, [Finding(rule, 0, **seen)], format, {})
        assert not [text for text in (verdict.note, *(note for _, note in reasons)) if label in text], rule


def test_every_rule_has_words_of_its_own() -> None:
    assert HOLDS.keys() == RULES.keys()
    assert set(COUNTED) <= set(RULES)
    assert all(not said.startswith("object of") and said == said.strip() for said in HOLDS.values())
