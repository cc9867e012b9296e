"""Verdicts on columns: what becomes of each in a format, by the rules it falls under."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Any

from digime_pandas._tabular.columns import Column, Finding, RuleName
from digime_pandas._tabular.fidelity_rules import IN_SCHEMA, LEFT_OUT, NOT_IN_JSON, RULES, SAID_BY_VALUES
from digime_pandas._tabular.formats import Format
from digime_pandas._tabular.rules.rule import Outcome, Verdict
from digime_pandas._tabular.rules.sentences import COUNTED, HOLDS

Reason = tuple[Verdict, str]  # what to warn of: a verdict, and why
_WARNINGS: Mapping[Verdict, str] = MappingProxyType(
    {"lost": "Not everything is in the file", "changed": "Written in another form"}
)
_SEVERITY: dict[Verdict, int] = {"kept": 0, "changed": 1, "lost": 2, "impossible": 3}


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
        problem: Why it is impossible, in words, or an empty text.
        advice: What to do about that.
    """

    name: str
    dtype: str
    verdict: Verdict
    note: str
    row: int | None
    stored_as: str
    problem: str = ""
    advice: str = ""


@dataclass(frozen=True, slots=True)
class _Applied:
    """A rule applied to a column: what was found, and what becomes of it."""

    finding: Finding
    outcome: Outcome

    @property
    def said(self) -> str:
        """What the column has, in words."""
        rule, count, seen = self.finding.rule, self.finding.count, self.finding.seen
        if count and rule in COUNTED and self.outcome.verdict != "impossible":
            return f"{count:,} {COUNTED[rule][count > 1]}"
        if seen is None:
            return HOLDS[rule]
        return seen if rule in SAID_BY_VALUES else f"{HOLDS[rule]}; here {seen}"

    @property
    def form(self) -> str:
        """What becomes of it, or what to do instead."""
        advice = "" if self.finding.advice is None else f", for instance with {self.finding.advice}"
        return self.outcome.form + advice

    def problem_in(self, format: Format) -> str:
        """Say why it is impossible."""
        rule = RULES[self.finding.rule]
        is_everywhere = {rule.csv.verdict, rule.json.verdict, rule.parquet.verdict} == {"impossible"}
        if is_everywhere or self.finding.rule in SAID_BY_VALUES:
            return self.said
        return f"{self.said}, which {format.title} cannot keep"

    def note_in(self, format: Format) -> str:
        """Say what becomes of it, as far as it is not just kept."""
        what = self.problem_in(format) if self.outcome.verdict == "impossible" else self.said
        return f"{what}: {self.form}"


def judge_columns(
    columns: Sequence[Column],
    findings: Sequence[Iterable[Finding]],
    format: Format,
    options: Mapping[str, Any],
    *,
    warn_of_cut: bool = True,
) -> tuple[tuple[ColumnVerdict, ...], list[Reason]]:
    """Return what becomes of each column, and what to warn of.

    Args:
        columns: All columns of the file.
        findings: What was found in the values of each column, beside ``column.findings``.
        format: The format they are written in.
        options: Options of the format; some decide verdicts.
        warn_of_cut: Whether to warn of what is left out because no row has it.

    Returns:
        One verdict per column, and the reasons to warn, each with the name of its column.
    """
    judged = [
        verdict_for(column, found, format, options, warn_of_cut=warn_of_cut)
        for column, found in zip(columns, findings, strict=True)
    ]
    reasons = [(kind, f"column {verdict.name!r}: {note}") for verdict, notes in judged for kind, note in notes]
    return tuple(verdict for verdict, _ in judged), reasons


def verdict_for(
    column: Column, findings: Iterable[Finding], format: Format, options: Mapping[str, Any], *, warn_of_cut: bool = True
) -> tuple[ColumnVerdict, tuple[Reason, ...]]:
    """Return what becomes of one column, and what to warn of.

    Args:
        column: The column.
        findings: What was found in its values, beside ``column.findings``.
        format: The format it is written in.
        options: Options of the format; some decide verdicts.
        warn_of_cut: Whether to warn of what is left out because no row has it.
    """
    every = (*column.findings, *findings)
    if options.get("escape_formulas") and column.rule == "text":
        every += (Finding("escaped text"),)
    verdict, reasons = _verdict(column.rule, every, format, tuple(options.items()), warn_of_cut)
    # Not by `replace`, which takes several times as long, for each column of each write.
    found = verdict.verdict, verdict.note, verdict.row, verdict.stored_as, verdict.problem, verdict.advice
    return ColumnVerdict(column.name, column.dtype, *found), reasons


def judge_labels(
    findings: tuple[Finding, ...], format: Format, options: Mapping[str, Any], *, warn_of_cut: bool = True
) -> tuple[Reason, ...]:
    """Return what to warn of about the column labels.

    Args:
        findings: What was found in the labels.
        format: The format of the file.
        options: Options of the format.
        warn_of_cut: Whether to warn of what is left out because no column has it.
    """
    return _reasons(_applied(findings, format, options), format, warn_of_cut=warn_of_cut)


@lru_cache(maxsize=1024)
def _verdict(
    rule: RuleName,
    findings: tuple[Finding, ...],
    format: Format,
    options: tuple[tuple[str, Any], ...],
    warn_of_cut: bool,
) -> tuple[ColumnVerdict, tuple[Reason, ...]]:
    """Return what `verdict_for` returns, for a column without name and dtype."""
    every = _applied((Finding(rule), *findings), format, dict(options))
    decisive = _decisive(every)
    verdict = decisive.outcome.verdict
    stored_as = "" if verdict == "impossible" else _outcome(rule, format, dict(options)).form
    note = "; ".join(each.note_in(format) for each in every if each.outcome.verdict != "kept")
    problem, advice = (decisive.problem_in(format), decisive.form) if verdict == "impossible" else ("", "")
    return (
        ColumnVerdict("", "", verdict, note, decisive.finding.row, stored_as, problem, advice),
        _reasons(every, format, warn_of_cut=warn_of_cut),
    )


def _applied(findings: Iterable[Finding], format: Format, options: Mapping[str, Any]) -> list[_Applied]:
    """Apply each rule once, in the order in which the rules were found first."""
    # The same rule is found of the type, without a row, and then of values, with a row and a count: the last says more.
    by_rule = {finding.rule: finding for finding in findings}
    return [_Applied(finding, _outcome(finding.rule, format, options)) for finding in by_rule.values()]


def _decisive(every: Sequence[_Applied]) -> _Applied:
    """Return the first of the worst verdict, if possible one that names a row."""
    worst = max(_SEVERITY[each.outcome.verdict] for each in every)
    of_worst = [each for each in every if _SEVERITY[each.outcome.verdict] == worst]
    return next((each for each in of_worst if each.finding.row is not None), of_worst[0])


def _reasons(every: Iterable[_Applied], format: Format, *, warn_of_cut: bool) -> tuple[Reason, ...]:
    return tuple(
        (each.outcome.verdict, each.note_in(format))
        for each in every
        if each.outcome.warned and (warn_of_cut or each.finding.rule not in LEFT_OUT)
    )


def _outcome(rule: RuleName, format: Format, options: Mapping[str, Any]) -> Outcome:
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


def warning_sentences(reasons: Iterable[Reason]) -> tuple[str, ...]:
    """Return one sentence per verdict that there is to warn of, for reasons such as a frame's."""
    found = list(reasons)
    by_verdict = {verdict: [text for each, text in found if each == verdict] for verdict in _WARNINGS}
    return tuple(f"{_WARNINGS[verdict]}: {'; '.join(texts)}." for verdict, texts in by_verdict.items() if texts)
