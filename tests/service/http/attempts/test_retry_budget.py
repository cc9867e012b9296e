"""What a client may repeat."""

from __future__ import annotations

from digime_pandas._service.http.attempts.retry_budget import FULL, RetryBudget


def test_a_hundred_attempts_may_follow_failures_and_fifty_may_follow_timeouts() -> None:
    for timed_out, most in ((False, 100), (True, 50)):
        budget = RetryBudget()
        taken = [budget.take(timed_out=timed_out) for _ in range(most + 1)]
        assert taken == [500 // most] * most + [0]


def test_successes_give_back_what_they_took_or_one() -> None:
    budget = RetryBudget()
    taken = budget.take(timed_out=True)
    budget.take(timed_out=False)
    budget.give_back(taken)
    assert budget.tokens == FULL - 5
    for _ in range(9):
        budget.give_back()
    assert budget.tokens == FULL


def test_what_is_left_may_be_too_little_for_a_timeout_and_enough_for_another_failure() -> None:
    budget = RetryBudget()
    budget.tokens = 5
    assert (budget.take(timed_out=True), budget.take(timed_out=False), budget.tokens) == (0, 5, 0)
