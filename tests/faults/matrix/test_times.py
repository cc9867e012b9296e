"""What depends on time, to the second: lifetimes of tokens, waits that are asked for, deadlines, looks at a library."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any, get_args

import pytest

from digime_pandas import Receipt
from digime_pandas.errors import APIError
from digime_pandas.sandbox.faults import InjectedFault

from .bodies import body
from .cases import Case
from .conftest import LIFETIME, World
from .rules import MAX_ATTEMPTS, Protocol
from .times import TIME, TimedClient

pytestmark = pytest.mark.slow

both_protocols = pytest.mark.parametrize("protocol", get_args(Protocol), indirect=True)
without_case = pytest.mark.parametrize("case", [Case(())], indirect=True, ids=["-"])


def write(world: World) -> Receipt | APIError:
    came = world.write(body("small"), "rows.csv")
    assert isinstance(came, Receipt | APIError)
    return came


@pytest.fixture
def refreshes(world: World) -> Iterator[InjectedFault]:
    """Counts the refreshes, and leaves them as they are."""
    with world.sandbox.fail("refresh", times=None, edit=lambda claims: claims) as counted:
        yield counted


@without_case
@both_protocols
def test_a_token_is_refreshed_when_its_time_is_over_and_not_a_second_before(
    world: World, case: Case, protocol: Protocol, refreshes: InjectedFault
) -> None:
    TIME.pass_by(LIFETIME - 1)
    found = write(world)
    assert isinstance(found, Receipt)
    assert (found.attempts, refreshes.hits) == (1, 0)
    TIME.pass_by(1)
    found = write(world)
    assert isinstance(found, Receipt)
    assert (found.attempts, refreshes.hits) == (1, 1)
    assert found.authorization is not None
    assert found.authorization.user_access_token.access_token.expiry == pytest.approx(TIME.now() + LIFETIME, abs=1)


def of_seconds(seconds: float) -> str:
    return format_datetime(datetime.fromtimestamp(TIME.now() + seconds, UTC), usegmt=True)


@without_case
@both_protocols
@pytest.mark.parametrize("as_date", [False, True], ids=["seconds", "date"])
@pytest.mark.parametrize("seconds", [-5, 0, 3, 50])
def test_what_is_asked_for_is_waited_for(
    world: World, case: Case, protocol: Protocol, seconds: int, as_date: bool
) -> None:
    asked = of_seconds(seconds) if as_date else str(seconds)
    with world.sandbox.fail("upload", status=503, retry_after=asked):
        assert isinstance(write(world), Receipt)
    # A date has no fractions of a second.
    assert TIME.waits == [pytest.approx(max(0.25, seconds), abs=1.0 if as_date else 1e-6)]


@without_case
@both_protocols
@pytest.mark.parametrize("as_date", [False, True], ids=["seconds", "date"])
@pytest.mark.parametrize("seconds", [59.5, 100, 121, 86_400, 10**9])
def test_what_is_more_than_is_left_is_not_waited_for(
    world: World, case: Case, protocol: Protocol, seconds: float, as_date: bool
) -> None:
    asked = of_seconds(seconds + 1) if as_date else str(int(seconds + 1))
    with world.sandbox.fail("upload", times=None, status=429, retry_after=asked):
        found = write(world)
    assert isinstance(found, APIError)
    assert (TIME.waits, found.attempts, found.outcome) == ([], 1, "refused")
    assert found.retry_after == pytest.approx(min(seconds + 1, 366 * 86_400), abs=1.0)


class Patient(TimedClient):
    """A client that would try for long, in ten seconds."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **(options | {"max_attempts": 100, "deadline": 10.0}))


@pytest.mark.parametrize("client_class", [Patient], indirect=True)
@without_case
@both_protocols
@pytest.mark.parametrize(
    ("asked", "waits"), [(None, [0.25, 0.5, 1, 2, 4]), ("3", [3, 3, 3]), ("9", [9]), ("9.5", None)]
)
def test_no_attempt_begins_in_the_last_second_before_the_deadline(
    world: World, case: Case, protocol: Protocol, asked: str | None, waits: list[float] | None
) -> None:
    with world.sandbox.fail("upload", times=None, status=503, retry_after=asked) as fault:
        found = write(world)
    expected = [0.25, 0.5, 1, 2, 4] if waits is None else waits
    assert isinstance(found, APIError)
    assert (TIME.waits, found.attempts, fault.hits) == (expected, len(expected) + 1, len(expected) + 1)
    assert found.attempts > MAX_ATTEMPTS or asked == "9"


@without_case
@both_protocols
def test_a_library_that_is_not_ready_is_looked_at_less_and_less_often(
    world: World, case: Case, protocol: Protocol
) -> None:
    assert isinstance(write(world), Receipt)
    world.sandbox.pending_lists = 4
    TIME.forget_waits()
    assert len(world.client.files(world.account_id)) == 1
    assert [later / before for before, later in zip(TIME.waits, TIME.waits[1:], strict=False)] == [2.0, 2.0, 2.0]
