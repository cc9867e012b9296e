"""What an error is made of beside the sentence that says what is wrong."""

from __future__ import annotations

from typing import Literal, TypedDict

Outcome = Literal["not sent", "refused", "unknown"]


class Parts(TypedDict, total=False):
    """Parts of an error beside what is wrong; `DigimeError` says what each is."""

    given: str
    remedy: str
    command: str
    cause: BaseException | None
