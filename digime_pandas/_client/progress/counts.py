"""What is counted while a write is shown, and how it is said."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from digime_pandas._service.display.texts import count_text, size_text


@dataclass(frozen=True, slots=True)
class Unit:
    """What is counted beside rows.

    Args:
        text: What is said of a count, and of all there are where that is known.
        ended: What the last line says, with a gap for the count.
        bar: Arguments of tqdm for it, as pairs.
        called_with: What a callable is given, for messages.
    """

    text: Callable[[int, int | None], str]
    ended: str
    bar: tuple[tuple[str, object], ...]
    called_with: str


def _bytes(sent: int, total: int | None) -> str:
    return size_text(sent) if total is None or total == sent else f"{size_text(sent)} of {size_text(total)}"


def _persons(done: int, total: int | None) -> str:
    return count_text(done, "person") if total is None else f"{done:,} of {count_text(total, 'person')}"


def _rows(done: int, total: int) -> str:
    return count_text(total, "row") if total == done else f"{done:,} of {count_text(total, 'row')}"


BYTES = Unit(_bytes, "sent {}", (("unit", "B"), ("unit_scale", True)), "the bytes sent and the bytes in all")
PERSONS = Unit(_persons, "{} done", (("unit", " persons"),), "the persons done and the persons in all")
# tqdm's own form with commas, and without the rows per second.
_ROWS = (("bar_format", "{l_bar}{bar}| {n:,}/{total:,} rows [{elapsed}<{remaining}{postfix}]"),)


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """How much was sent at one time.

    Args:
        done: Bytes or persons so far, of this attempt.
        total: How many there are in all, or None where that is not known.
        unit: What `done` counts.
        rows: Rows so far and in all, or None where they are not known.
        attempt: Number of the attempt, from 1.
    """

    done: int
    total: int | None
    unit: Unit
    rows: tuple[int, int] | None = None
    attempt: int = 1

    @property
    def measure(self) -> tuple[int, int | None]:
        """What the remaining time is calculated from: the rows where they are known."""
        return (self.done, self.total) if self.rows is None else self.rows

    @property
    def bar(self) -> dict[str, object]:
        """Arguments of tqdm for the measure."""
        return dict(self.unit.bar if self.rows is None else _ROWS)

    @property
    def details(self) -> str:
        """What there is to say beside the measure; may be empty."""
        beside = [] if self.rows is None else [self.unit.text(self.done, self.total)]
        return ", ".join([*beside, *([f"attempt {self.attempt}"] if self.attempt > 1 else [])])

    @property
    def text(self) -> str:
        """All of it, such as ``"45,000 of 100,000 rows (4.1 MB, attempt 2)"``."""
        measure = self.unit.text(self.done, self.total) if self.rows is None else _rows(*self.rows)
        return f"{measure} ({self.details})" if self.details else measure
