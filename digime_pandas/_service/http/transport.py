"""Sends requests: attempts, waits and time-outs."""

from __future__ import annotations

import logging
import math
import os
import random
import time
from collections.abc import Callable
from contextvars import Token
from functools import partial
from typing import TYPE_CHECKING

from digime_pandas._service.http.attempts.deadline import CURRENT, PASSED, Deadline
from digime_pandas._service.http.attempts.retry_budget import RetryBudget
from digime_pandas._service.http.attempts.waits import SHORTEST_ATTEMPT, wait_before_retry
from digime_pandas._service.http.environment import Route
from digime_pandas._service.http.error_replies import is_retryable
from digime_pandas._service.http.exchange import Attempt, Exchanger
from digime_pandas._service.http.lines import Transport, is_lasting, is_timeout, make_line
from digime_pandas._service.http.request import Reply, Request
from digime_pandas._service.process import OnePerProcess
from digime_pandas.errors import APIError, ConfigurationError, ServiceUnreachableError

if TYPE_CHECKING:
    import tenacity

DEFAULT_TIMEOUT = 60.0
DEFAULT_DEADLINE = 300.0
DEFAULT_ATTEMPTS = 5
_log = logging.getLogger("digime_pandas")


class Http:
    """Sends requests; keeps connections open between them, but no cookies.

    Connections belong to one process: a forked child opens its own, and leaves its parent's as they are.

    Args:
        timeout: Seconds that one step (connecting, one read, one write) may take.
        deadline: Seconds after which a call has ended, whatever it is waiting for. None: 300, beyond which a file is
            still sent or received as long as it moves by 64 KiB a second.
        max_attempts: Attempts for one call, the first included.
        transport: An `httpx` transport to use instead of the network, for tests and special routing.
        route: How requests get to the service. Without meaning where a transport is given.
        clock: Monotonic clock, in seconds.
        now: Clock, Unix seconds, for the dates of replies.
        absence: Returns why there is no service, where that is known; asked for where a first attempt got no reply,
            which is not made again then.
        sleep: Waits so many seconds between attempts. None: as tenacity does.
        chance: Returns a random number from 0 to 1.

    Attributes:
        clock: Monotonic clock, in seconds.
    """

    def __init__(
        self,
        *,
        timeout: float = DEFAULT_TIMEOUT,
        deadline: float | None = None,
        max_attempts: int = DEFAULT_ATTEMPTS,
        transport: Transport | None = None,
        route: Route = Route(),  # noqa: B008 - a constant
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
        absence: Callable[[], ServiceUnreachableError | None] = lambda: None,
        sleep: Callable[[float], None] | None = None,
        chance: Callable[[], float] = random.random,
    ) -> None:
        seconds = DEFAULT_DEADLINE if deadline is None else deadline
        for name, value in (("timeout", timeout), ("deadline", seconds), ("max_attempts", max_attempts)):
            if not isinstance(value, int | float) or isinstance(value, bool) or not 0 < value < math.inf:
                raise ConfigurationError(f"{name} is {value!r}; pass a number above 0.")
        if max_attempts != int(max_attempts):
            raise ConfigurationError(f"max_attempts is {max_attempts!r}; pass a whole number.")
        self._timeout = timeout
        self.clock = clock
        self._begin = partial(Deadline, seconds, clock, extends=deadline is None)
        self._max_attempts = int(max_attempts)
        self._sleep = sleep
        self._chance = chance
        self._absence = absence
        make = partial(make_line, transport, route, clock, os.getpid())
        proxy = None if transport is not None else route.proxy
        self._exchanger = OnePerProcess(lambda: Exchanger(make(), proxy, clock, now), Exchanger.leave)
        self._exchanger.get()  # so that a variable of the environment that cannot be used is reported here

    def close(self) -> None:
        """Close all connections."""
        self._exchanger.end(Exchanger.close)

    def one_deadline(self, spent: float = 0.0) -> OneDeadline:
        """Return a block all requests in which have one deadline: a call of the user's that takes several.

        Args:
            spent: Seconds that the call has taken before.
        """
        return OneDeadline(self, partial(self._begin, spent=spent))

    def send(
        self, make_request: Callable[[], Request], *, what: str, repeats: Callable[[], bool] = lambda: True
    ) -> Reply:
        """Send a request, again where an attempt fails and another one may succeed.

        Args:
            make_request: Called once for each attempt, so that nonce, timestamp and body are new each time.
            what: What the request does, for messages: "refresh the token".
            repeats: Returns whether to send it again where it may have been carried out.

        Returns:
            The reply, which is a success.

        Raises:
            InvalidTokenError: 401 about the token; never repeated here.
            RefusedError: Another error reply.
            ServiceUnreachableError: No usable reply within the attempts and the deadline.
            ConfigurationError: This was closed.
            Exception: What `make_request` or the body raises, as it is.
        """
        current = CURRENT.get()
        if current is None or current[0] is not self:
            deadline = self._begin()
        elif (deadline := current[1]).left() <= 0:
            remedy = "Try again, with a larger deadline= of the client where it is slow."
            raise ServiceUnreachableError(f"Could not {what}: {PASSED}.", outcome="not sent", attempts=0, remedy=remedy)
        first = Attempt(what, 1, deadline, self._timeout, may_have_succeeded=False)
        try:
            return self._send_once(make_request, first)
        except APIError as error:
            if error.outcome == "not sent" and error.status is None and (gone := self._absence()) is not None:
                raise gone from None
            if self._max_attempts == 1 or not _is_repeatable(error, repeats=repeats):
                raise
            return self._send_again(make_request, first, error, repeats=repeats)

    def _send_again(
        self, make_request: Callable[[], Request], begun: Attempt, first: APIError, *, repeats: Callable[[], bool]
    ) -> Reply:
        """Make further attempts after a first one that ended in an error."""
        import tenacity  # here, because it takes long to load and only what failed needs it

        retries = _Retries(begun.deadline, self._exchanger.get().budget, self._max_attempts, self._chance)
        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception(partial(_is_repeatable, repeats=repeats)),
            wait=retries.wait,
            stop=retries.is_over,
            before_sleep=retries.log,
            reraise=True,
            sleep=self._sleep or tenacity.nap.sleep,
        )
        last = first
        for attempt in retrying:
            with attempt:
                number = attempt.retry_state.attempt_number
                if number == 1:
                    raise first
                may_have_succeeded = last.outcome == "unknown"
                this = begun._replace(number=number, may_have_succeeded=may_have_succeeded, taken=retries.taken)
                try:
                    return self._send_once(make_request, this)
                except APIError as error:
                    last = error
                    raise
        raise AssertionError("unreachable: the last attempt returns or raises")

    def _send_once(self, make_request: Callable[[], Request], attempt: Attempt) -> Reply:
        if self._exchanger.ended:
            raise ConfigurationError(f"Could not {attempt.what}: the client is closed. Make a new one with connect().")
        return self._exchanger.get().send(make_request(), attempt)


class OneDeadline:
    """A block all requests in which have one deadline; that of a block around it, if there is one.

    Args:
        owner: Whose calls they are; those of other owners are not bound by it.
        begin: Makes the deadline.
    """

    __slots__ = ("_begin", "_owner", "_token")

    def __init__(self, owner: object, begin: Callable[[], Deadline]) -> None:
        self._owner = owner
        self._begin = begin
        self._token: Token[tuple[object, Deadline] | None] | None = None

    def __enter__(self) -> Deadline:
        current = CURRENT.get()
        if current is not None and current[0] is self._owner:
            return current[1]
        begun = self._begin()
        self._token = CURRENT.set((self._owner, begun))
        return begun

    def __exit__(self, *_: object) -> None:
        if self._token is not None:
            CURRENT.reset(self._token)
            self._token = None


class _Retries:
    """When there is another attempt of one call.

    Args:
        deadline: When it has to be over.
        budget: What the client's calls may repeat.
        most: Most attempts.
        chance: Returns a random number from 0 to 1.

    Attributes:
        taken: What the next attempt takes from the budget.
    """

    def __init__(self, deadline: Deadline, budget: RetryBudget, most: int, chance: Callable[[], float]) -> None:
        self._deadline = deadline
        self._budget = budget
        self._most = most
        self._chance = chance
        self.taken = 0

    def wait(self, state: tenacity.RetryCallState) -> float:
        """Return the seconds to wait before the next attempt."""
        return wait_before_retry(_error_of(state), self._chance())

    def is_over(self, state: tenacity.RetryCallState) -> bool:
        """Tell whether there is no further attempt; where there is one, it is paid for."""
        error = _error_of(state)
        if state.attempt_number >= self._most or state.upcoming_sleep + SHORTEST_ATTEMPT > self._deadline.left():
            return True
        self.taken = self._budget.take(timed_out=is_timeout(error))
        if not self.taken:
            error.add_note("There was no further attempt: too many requests of this client failed lately.")
        return not self.taken

    def log(self, state: tenacity.RetryCallState) -> None:
        """Say that there is another attempt, and why."""
        reason, next_number = _error_of(state).what, state.attempt_number + 1
        _log.info("%s Attempt %d of %d in %.2f seconds.", reason, next_number, self._most, state.upcoming_sleep)


def _is_repeatable(error: BaseException, *, repeats: Callable[[], bool]) -> bool:
    """Tell whether the same request, made anew, may succeed, and may be made."""
    if not isinstance(error, APIError) or not is_retryable(error) or is_lasting(error):
        return False
    return error.outcome != "unknown" or repeats()


def _error_of(state: tenacity.RetryCallState) -> APIError:
    error = state.outcome.exception() if state.outcome else None
    assert isinstance(error, APIError)
    return error
