"""How a session is asked for its list until that is complete."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any

import pytest

from digime_pandas._client.library.session import Session
from digime_pandas._service.http.attempts.deadline import Deadline
from digime_pandas._service.masking.secret import Secret
from digime_pandas._service.messages import FileListing, ReadingSession
from digime_pandas.errors import ReadError

KEY = "0123456789abcdef0123456789abcdef"


class Service:
    """Stands for the read contract's consents and endpoints: gives its states in turn, the last one for ever."""

    def __init__(self, *states: str, deadline: float = 300.0, takes: float = 0.0) -> None:
        self.states = list(states)
        self.takes = takes
        self.asked = 0
        self.now = 0.0
        self.waits: list[float] = []
        self.deadline = Deadline(deadline, lambda: self.now)
        self.api: Any = SimpleNamespace(
            one_deadline=lambda: nullcontext(self.deadline),
            trigger=lambda *_: ReadingSession(Secret(KEY), None),
            list_files=self.list_files,
        )

    def call_with_token(self, _: object, call: Callable[[Secret[str]], Any]) -> Any:
        return call(Secret("token"))

    def list_files(self, *_: object) -> FileListing:
        self.asked += 1
        self.now += self.takes
        return FileListing(self.states.pop(0) if len(self.states) > 1 else self.states[0], {"f": 1.0})

    def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += seconds

    def session(self) -> Session:
        consents: Any = self
        nobody: Any = SimpleNamespace()
        return Session(consents, nobody, None, lambda: 0.0, clock=lambda: self.now, sleep=self.sleep)


@pytest.mark.parametrize("state", ["completed", "partial"])
def test_a_list_that_is_complete_is_returned_at_once(state: str) -> None:
    service = Service(state)
    assert service.session().wait_for_listing(60).files == {"f": 1.0}
    assert (service.asked, service.waits) == (1, [])


def test_waits_double_up_to_three_seconds() -> None:
    service = Service(*["pending"] * 8, "completed")
    service.session().wait_for_listing(60)
    assert service.waits == pytest.approx([0.1, 0.2, 0.4, 0.8, 1.6, 3, 3, 3])


@pytest.mark.parametrize(("timeout", "deadline"), [(5, 300.0), (60, 5.0)], ids=["timeout", "deadline"])
@pytest.mark.parametrize("takes", [0.0, 0.3])
def test_asking_ends_with_the_timeout_and_with_the_deadline(timeout: float, deadline: float, takes: float) -> None:
    service = Service("pending", deadline=deadline, takes=takes)
    with pytest.raises(ReadError, match=r"not ready within .* seconds \(state pending\)"):
        service.session().wait_for_listing(timeout)
    assert 5 <= service.now <= 5 + takes
    assert sum(service.waits) + takes * service.asked == pytest.approx(service.now)


def test_each_wait_is_logged_without_the_key(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    with caplog.at_level(logging.INFO):
        Service("pending", "running", "completed").session().wait_for_listing(60)
    assert {(each.name, each.levelname) for each in caplog.records} == {("digime_pandas", "INFO")}
    assert caplog.messages == [
        "The library is not ready (pending): asked again in 0.1 seconds.",
        "The library is not ready (running): asked again in 0.2 seconds.",
    ]
    assert KEY not in caplog.text
    assert capfd.readouterr() == ("", "")
