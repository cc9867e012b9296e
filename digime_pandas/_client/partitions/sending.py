"""Sends a part from where it was computed: asks for a grant, sends, says what came of it, until that is enough."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any, Protocol

import pandas as pd

from digime_pandas._client.partitions.prepared import Labels, PartFacts, PreparedPart, RefusedPart, prepare_one
from digime_pandas._client.write_plan import WriteRequest
from digime_pandas._service.grants.upload_grant import UploadGrant, UploadResult
from digime_pandas._service.http.attempts.waits import FIRST_WAIT, JITTER, LONGEST_WAIT
from digime_pandas._service.http.error_replies import is_retryable
from digime_pandas.errors import APIError

_LONGEST_ASKED_WAIT = 60.0  # seconds of `Retry-After`, within the life of a grant
_HEX_DIGITS = 4


class Channel(Protocol):
    """The way to what grants."""

    def ask(self, facts: PartFacts, result: UploadResult | None) -> UploadGrant | None:
        """See `Deliveries.answer`."""

    def fail(self, key: str, error: Exception) -> None:
        """See `Deliveries.fail`."""


def deliver_part(
    part: pd.DataFrame | pd.Series[Any], key: str, request: WriteRequest, labels: Labels, channel: Channel
) -> None:
    """Serialize a part of a frame and send it; what grants it knows what came of it.

    Raises:
        InputError: As `prepare_one`.
    """
    for prepared in prepare_one(part, key, request, labels):
        send_part(prepared, channel)


def send_prepared(parts: Iterable[PreparedPart | RefusedPart], channel: Channel) -> None:
    """Send parts one after the other; those that cannot be written are reported."""
    for part in parts:
        if isinstance(part, RefusedPart):
            channel.fail(part.key, part.error)
        else:
            send_part(part, channel)


def send_part(prepared: PreparedPart, channel: Channel, sleep: Callable[[float], object] = time.sleep) -> None:
    """Send a part, as often as it is granted.

    Args:
        prepared: The part.
        channel: Where grants come from.
        sleep: Waits so many seconds.
    """
    result, tried = None, 0
    while (grant := channel.ask(prepared.facts, result)) is not None:
        if result is not None:
            sleep(seconds_before(tried, result, prepared.facts))
        result, tried = grant.send(prepared.pieces), tried + 1


def seconds_before(attempt: int, result: UploadResult, facts: PartFacts) -> float:
    """Return the seconds to wait before another attempt: none where the service is not the reason for it.

    Args:
        attempt: Its number, counted from 1 for the second one.
        result: What came of the attempt before.
        facts: Of the part; different parts wait for different times.
    """
    error = result.error
    if not isinstance(error, APIError) or not is_retryable(error):
        return 0.0
    share = int(facts.sha256[:_HEX_DIGITS], 16) / 16**_HEX_DIGITS
    usual: float = min(LONGEST_WAIT, FIRST_WAIT * 2 ** (attempt - 1)) + JITTER * share
    return max(usual, min(error.retry_after or 0.0, _LONGEST_ASKED_WAIT))
