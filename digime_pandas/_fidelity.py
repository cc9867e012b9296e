"""What each kind of column becomes in each format."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Verdict = Literal["kept", "changed", "lost", "impossible"]


class FidelityWarning(UserWarning):
    """Something of the frame is not in the file; the message says what."""


@dataclass(frozen=True, slots=True)
class ColumnVerdict:
    """What becomes of one column."""

    name: str
    dtype: str
    verdict: Verdict
    note: str
    row: int | None
    stored_as: str
