"""One row of the table of fidelity rules, and the outcomes that its cells are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from digime_pandas._tabular.columns import RuleName
from digime_pandas._tabular.formats import Format

Verdict = Literal["kept", "changed", "lost", "impossible"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a rule says for one format.

    Attributes:
        verdict: One of the four outcomes.
        form: The form in the file; for what is impossible, what to do instead.
        warned: Whether users are warned: of everything that is lost, and of some things that are changed.
    """

    verdict: Verdict
    form: str
    warned: bool = False


@dataclass(frozen=True, slots=True)
class Rule:
    """One row of the table.

    Attributes:
        name: Its name, by which columns and findings refer to it.
        about: Which dtypes or values it is about, in the words of pandas' users.
        csv: What becomes of it in CSV.
        json: What becomes of it in JSON and NDJSON.
        parquet: What becomes of it in Parquet.
    """

    name: RuleName
    about: str
    csv: Outcome
    json: Outcome
    parquet: Outcome

    def outcome(self, format: Format) -> Outcome:
        """Return what the rule says for a format."""
        return {"csv": self.csv, "json": self.json, "parquet": self.parquet}[format.rules]


def kept(form: str) -> Outcome:
    """Return the outcome of what any reader gets back as what it was.

    Args:
        form: The form in the file.
    """
    return Outcome("kept", form)


def changed(form: str) -> Outcome:
    """Return the outcome of what is stored in another form, from which it is made again.

    Args:
        form: The form in the file.
    """
    return Outcome("changed", form)


def lost(form: str) -> Outcome:
    """Return the outcome of what is not all in the file, of which users are warned.

    Args:
        form: What is in the file, and what is not.
    """
    return Outcome("lost", form, warned=True)


def impossible(advice: str) -> Outcome:
    """Return the outcome of what is refused.

    Args:
        advice: What to do instead.
    """
    return Outcome("impossible", advice)


def changed_and_warned(form: str) -> Outcome:
    """Return the outcome of what is stored in another form that users are warned of.

    Args:
        form: The form in the file.
    """
    return Outcome("changed", form, warned=True)


def everywhere(name: RuleName, about: str, outcome: Outcome) -> Rule:
    """Return a rule with the same outcome in each format; see `Rule`."""
    return Rule(name, about, outcome, outcome, outcome)
