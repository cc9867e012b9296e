"""Verdicts on columns: what becomes of each in a format, by the rules it falls under."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from digime_pandas._tabular.columns import Column, Finding
from digime_pandas._tabular.fidelity_rules import IN_SCHEMA, LEFT_OUT, NOT_IN_JSON, RULES, Outcome, Verdict
from digime_pandas._tabular.formats import Format

Reason = tuple[Verdict, str]  # what there is to warn of: a verdict, and why
_ORDER: tuple[Verdict, ...] = ("kept", "changed", "lost", "impossible")


class FidelityWarning(UserWarning):
    """Something of the frame is not in the file, or is there in another form; the message says which and what."""


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


def verdict_for(
    column: Column, facts: Iterable[Finding], format: Format, options: Mapping[str, Any], *, warn_of_cut: bool = True
) -> tuple[ColumnVerdict, tuple[Reason, ...]]:
    """Return what becomes of a column, and what there is to warn of.

    Args:
        column: The column.
        facts: What was found about its values, beside ``column.facts``.
        format: The format it is written in.
        options: Options of the format; some decide verdicts.
        warn_of_cut: Whether to warn of what is left out because no row has it.
    """
    every = (Finding(column.rule), *column.facts, *facts)
    if options.get("escape_formulas") and column.rule == "text":
        every += (Finding("escaped text"),)
    judged, warned = _verdict(every, format, tuple(options.items()), warn_of_cut)
    return replace(judged, name=column.name, dtype=column.dtype), warned


def judge_labels(
    facts: Iterable[Finding], format: Format, options: Mapping[str, Any], *, warn_of_cut: bool = True
) -> tuple[Reason, ...]:
    """Return what there is to warn of about the column labels; the arguments are those of `verdict_for`."""
    found = tuple(facts)
    return _verdict(found, format, tuple(options.items()), warn_of_cut)[1] if found else ()


@lru_cache(maxsize=1024)
def _verdict(
    facts: tuple[Finding, ...], format: Format, options: tuple[tuple[str, Any], ...], warn_of_cut: bool
) -> tuple[ColumnVerdict, tuple[Reason, ...]]:
    """Return what `verdict_for` does for a column without name and type."""
    # One fact a rule: the kind says the rule alone, what was found of it may say the row too.
    every = {fact.rule: fact for fact in facts}
    found = [(fact, _outcome(fact.rule, format, dict(options))) for fact in every.values()]
    fact, worst = max(found, key=lambda each: (_ORDER.index(each[1].verdict), each[0].row is not None))
    notes = [_note(each, outcome) for each, outcome in found if outcome.verdict != "kept"]
    warned = tuple(
        (outcome.verdict, _note(each, outcome))
        for each, outcome in found
        if outcome.warned and (warn_of_cut or each.rule not in LEFT_OUT)
    )
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
        return Outcome("impossible", "JSON has no such number; replace it, or leave strict= out to write null")
    if rule in IN_SCHEMA and not options.get("typed", True):
        return Outcome("kept", outcome.form)  # without a schema there is nothing that they would be in
    return outcome


def _note(fact: Finding, outcome: Outcome) -> str:
    rule = RULES[fact.rule]
    if not fact.count:
        return f"{rule.about}: {outcome.form}"
    counted = f"of {rule.about}" if rule.counted is None else rule.counted[fact.count > 1]
    return f"{fact.count:,} {counted}: {outcome.form}"
