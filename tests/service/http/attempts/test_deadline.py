"""How much time a call has left, and what gives it more."""

from __future__ import annotations

import pytest

from digime_pandas._service.http.attempts.deadline import Deadline


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(("passed", "step"), [(0.0, 5), (6.0, 4.0), (9.5, 0.5), (9.9999, 0.001)])
def test_a_step_takes_no_longer_than_what_is_left(passed: float, step: float) -> None:
    clock = Clock()
    deadline = Deadline(10, clock)
    clock.now += passed
    assert deadline.step(5, TimeoutError) == pytest.approx(step)
    assert deadline.at_most(5) == pytest.approx(min(5, 10 - passed))


@pytest.mark.parametrize("passed", [10.0, 11.0])
def test_no_step_begins_after_it(passed: float) -> None:
    clock = Clock()
    deadline = Deadline(10, clock)
    clock.now += passed
    with pytest.raises(TimeoutError, match="deadline"):
        deadline.step(5, TimeoutError)
    assert (deadline.left(), deadline.at_most(5)) == (10 - passed, 0)


def test_what_a_call_took_before_counts() -> None:
    assert Deadline(10, Clock(), spent=4).left() == 6


def test_one_that_was_asked_for_is_not_moved() -> None:
    deadline = Deadline(10, Clock())
    deadline.moved(1 << 30)
    assert deadline.left() == 10


def test_the_default_is_moved_by_a_second_for_each_64_kib_as_long_as_these_come() -> None:
    clock = Clock()
    deadline = Deadline(10, clock, extends=True)
    for _ in range(100):
        clock.now += 1
        deadline.moved(64 << 10)
        assert deadline.left() == 10
    for _ in range(18):
        clock.now += 1
        deadline.moved(32 << 10)
    assert deadline.left() == pytest.approx(1)
    deadline.moved(1 << 30)
    assert deadline.left() == 10  # never more than it was at first
    clock.now += 10
    with pytest.raises(TimeoutError):
        deadline.step(5, TimeoutError)
