"""A part is sent as often as it is granted, with waits where the service is the reason."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from digime_pandas._client.partitions.prepared import PartFacts, RefusedPart, prepare_part
from digime_pandas._client.partitions.sending import seconds_before, send_part, send_prepared
from digime_pandas._client.write_plan import check_write_request
from digime_pandas._service.grants.upload_grant import UploadResult
from digime_pandas.errors import GrantExpiredError, InputError, RefusedError, ServiceUnreachableError


def result(error: Any = None) -> UploadResult:
    return UploadResult(status="not sent", size=1, sha256="0" * 64, attempts=1, elapsed=0.0, error=error)


BUSY = result(RefusedError("busy", outcome="refused", status=503))
ASKED = result(RefusedError("busy", outcome="refused", status=429, retry_after=20.0))
LONG = result(RefusedError("busy", outcome="refused", status=429, retry_after=2000.0))


class Granted:
    """Grants as often as there are results, and gives one after the other."""

    def __init__(self, results: list[UploadResult]) -> None:
        self._results = results
        self.told: list[UploadResult | None] = []
        self.sent: list[tuple[bytes, ...]] = []
        self.failed: list[tuple[str, Exception]] = []

    def fail(self, key: str, error: Exception) -> None:
        self.failed.append((key, error))

    def ask(self, facts: PartFacts, result: UploadResult | None) -> Any:
        assert facts.rows == 2
        self.told.append(result)
        return self if self._results else None

    def send(self, pieces: tuple[bytes, ...]) -> UploadResult:
        self.sent.append(pieces)
        return self._results.pop(0)


def test_it_is_sent_as_often_as_it_is_granted() -> None:
    prepared = prepare_part(pd.DataFrame({"a": [1, 2]}), "k", check_write_request("a.csv", "p", {}))
    assert b"".join(prepared.pieces).split() == [b"a", b"1", b"2"]
    results = [BUSY, result(GrantExpiredError("late")), result()]
    channel, waits = Granted(list(results)), list[float]()
    send_part(prepared, channel, waits.append)
    assert channel.told == [None, *results]
    assert channel.sent == [prepared.pieces] * 3
    assert waits[0] >= 0.25
    assert waits[1:] == [0.0]


def test_a_part_that_cannot_be_written_is_reported_and_the_next_one_sent() -> None:
    prepared = prepare_part(pd.DataFrame({"a": [1, 2]}), "k", check_write_request("a.csv", "p", {}))
    channel, error = Granted([result()]), InputError("no")
    send_prepared([RefusedPart("r", error), prepared], channel)
    assert channel.failed == [("r", error)]
    assert len(channel.sent) == 1


def test_nothing_is_sent_that_is_not_granted() -> None:
    prepared = prepare_part(pd.DataFrame({"a": [1, 2]}), "k", check_write_request("a.csv", "p", {}))
    channel = Granted([])
    send_part(prepared, channel, lambda _: pytest.fail("waited"))
    assert (channel.told, channel.sent) == ([None], [])


def test_waits_grow_and_follow_what_the_service_asks_for() -> None:
    facts = prepare_part(pd.DataFrame({"a": [1]}), "k", check_write_request("a.csv", "p", {})).facts
    waits = [seconds_before(attempt, BUSY, facts) for attempt in range(1, 12)]
    assert waits == sorted(waits)
    assert 0.25 <= waits[0] < 1
    assert 8 <= waits[-1] < 9
    assert seconds_before(1, ASKED, facts) == 20
    assert seconds_before(1, LONG, facts) == 60
    assert seconds_before(1, result(ServiceUnreachableError("no", outcome="not sent")), facts) > 0
    assert seconds_before(1, result(), facts) == 0
