"""One request and its reply: what the reply means, and what is known of the request where there is none."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from http import HTTPStatus
from io import BytesIO
from typing import NamedTuple

from digime_pandas._service.http.attempts.deadline import SECOND_BYTES, Deadline
from digime_pandas._service.http.attempts.retry_budget import FULL, RetryBudget
from digime_pandas._service.http.carrying.line import Line, LineAnswer
from digime_pandas._service.http.environment import Proxy
from digime_pandas._service.http.error_replies import error_from_reply
from digime_pandas._service.http.lines import (
    UNTRUSTED,
    NoAnswer,
    ReadTimeout,
    is_no_answer,
    no_answer,
)
from digime_pandas._service.http.request import Receiver, Reply, Request
from digime_pandas._service.http.request_body import RequestBody
from digime_pandas._service.masking.secret import MaskedMapping, Secret
from digime_pandas._service.masking.tracebacks import drop_frames, without_frames
from digime_pandas.errors import Outcome, ReplyError, ServiceUnreachableError

_REPLY_LIMIT_BYTES = 16 << 20
_PIECE_BYTES = 1 << 20
_SESSION_IN_URL = re.compile(r"(permission-access/(?:query|postbox)/)[^/?#\s]+")
_OF_ANOTHER_TIME = ("certificate has expired", "certificate is not yet valid")
_log = logging.getLogger("digime_pandas")


class Attempt(NamedTuple):
    """One attempt of a call.

    Attributes:
        what: What the call does, for messages.
        number: Its number, from 1.
        deadline: When all of it has to be over.
        timeout: Seconds that one step (connecting, one read, one write) may take.
        may_have_succeeded: Whether an earlier attempt may have been carried out.
        taken: What it took from the retry budget.
    """

    what: str
    number: int
    deadline: Deadline
    timeout: float
    may_have_succeeded: bool
    taken: int = 0


class Exchanger:
    """Sends requests of one process.

    Args:
        line: What carries them.
        proxy: The proxy on its way, for messages.
        clock: Monotonic clock, in seconds.
        now: Clock, Unix seconds.

    Attributes:
        line: What carries them.
        budget: What they may repeat.
    """

    def __init__(self, line: Line, proxy: Proxy | None, clock: Callable[[], float], now: Callable[[], float]) -> None:
        self.line = line
        self._clock = clock
        self._now = now
        self.budget = RetryBudget()
        self._proxy = proxy

    def close(self) -> None:
        """Close all connections."""
        self.line.close()

    def leave(self) -> None:
        """Close a forked child's copies of its parent's connections; nothing is sent on them."""
        with suppress(Exception):
            self.line.leave()

    def send(self, request: Request, attempt: Attempt) -> Reply:
        """Send a request once; return the reply to it, which is a success.

        Raises:
            InvalidTokenError: 401 about the token.
            RefusedError: Another error reply.
            ServiceUnreachableError: No usable reply.
            Exception: What the body raises, as it is.
        """
        body: RequestBody | None = None
        if request.body is not None:
            body = RequestBody(request.body, request.size, request.progress, copied=self.line.copies_body)
        try:
            reply = self._exchange(request, body, attempt)
        finally:
            if body is not None and not body.whole:
                # A traceback may keep the body, and a thread that serializes for it, alive for long.
                body.close()
        if self.budget.tokens < FULL:
            self.budget.give_back(attempt.taken)
        if body is None and attempt.deadline.extends:
            attempt.deadline.moved(SECOND_BYTES)
        return reply

    def _exchange(self, request: Request, body: RequestBody | None, attempt: Attempt) -> Reply:
        """Send a request and read the reply to it; raise an error for any reply but a success."""
        handled = sys.exception()
        answer: LineAnswer | None = None
        try:
            answer = self.line.open(request, body, attempt.timeout, attempt.deadline)
            status, names = answer.status, MaskedMapping(answer.fields)
            if _log.isEnabledFor(logging.DEBUG):
                _log.debug("%s %s: %d", request.method, _masked_address(request), status)
            pieces = _pieces(answer, attempt)
            if request.receive is not None and _is_success(status):
                received = _received(pieces, request.receive(names), attempt.deadline)
                return Reply(names, Secret(b""), attempt.number, received)
            content = self._read(pieces, attempt.deadline)
        except BaseException as error:
            known = no_answer(error, request.method, _masked_address(request)) if is_no_answer(error) else None
            drop_frames(error, handled, __name__)
            if known is None or (body is not None and body.failed):
                raise
            without_frames(error)
            raise _unreachable(known, body, attempt, self._proxy) from None  # its text and `cause` say it all
        finally:
            if answer is not None and not answer.is_over:
                answer.close()
        if not _is_success(status):
            raise error_from_reply(
                status,
                names,
                content,
                attempt.what,
                attempt.number,
                may_have_succeeded=attempt.may_have_succeeded,
                arrived=body is None or body.whole,
                now=lambda: datetime.fromtimestamp(self._now(), UTC),
            ) from None  # the errors of earlier attempts say nothing more
        if body is not None and not body.whole:
            raise ServiceUnreachableError(
                f"Could not {attempt.what}: the service answered {status} before it had the whole request.",
                outcome="unknown",
                status=status,
                attempts=attempt.number,
            )
        return Reply(names, content, attempt.number)

    def _read(self, pieces: Iterable[bytes], deadline: Deadline) -> Secret[bytes]:
        content, size = BytesIO(), 0  # this shows nothing of what is in it, nor does a sum of sizes
        for taken in map(content.write, pieces):
            size += taken
            if size > _REPLY_LIMIT_BYTES:
                raise ReplyError(f"The answer is larger than {_REPLY_LIMIT_BYTES:,} bytes.", outcome="unknown")
            if self._clock() > deadline.end:
                raise ReadTimeout("the answer did not end before the deadline")
        return Secret(content.getvalue())


def _is_success(status: int) -> bool:
    return HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES


def _pieces(answer: LineAnswer, attempt: Attempt) -> Iterable[bytes]:
    """Return the body of an answer as it comes; nothing where it is compressed, which was not asked for."""
    if answer.fields.get("content-encoding", "").strip().lower() in {"", "identity"}:
        return answer.pieces
    if not _is_success(answer.status):
        return ()
    raise ReplyError(
        f"Could not {attempt.what}: the answer is compressed (Content-Encoding), which was not asked for.",
        outcome="unknown",
        status=answer.status,
        attempts=attempt.number,
    )


def _received(pieces: Iterable[bytes], receiver: Receiver, deadline: Deadline) -> Receiver:
    try:
        for piece in _collected(pieces, deadline):
            receiver.write(piece)
        receiver.finish()
    except BaseException:
        receiver.close()
        raise
    return receiver


def _collected(pieces: Iterable[bytes], deadline: Deadline) -> Iterator[bytes]:
    """Join small pieces to some of about `_PIECE_BYTES`, since each one that is decrypted costs."""
    waiting = BytesIO()
    for taken in map(waiting.write, pieces):
        deadline.moved(taken)
        if deadline.left() < 0:
            raise ReadTimeout("the file did not end before the deadline")
        if taken and waiting.tell() >= _PIECE_BYTES:
            yield waiting.getvalue()
            waiting.seek(0)
            waiting.truncate()
    if waiting.tell():
        yield waiting.getvalue()


def _unreachable(
    known: NoAnswer, body: RequestBody | None, attempt: Attempt, proxy: Proxy | None
) -> ServiceUnreachableError:
    """Return the error of an attempt that got no reply."""
    whole = body is None or body.whole or body.lost
    outcome: Outcome = "unknown" if attempt.may_have_succeeded or (known.arrived and whole) else "not sent"
    return ServiceUnreachableError(
        f"Could not {attempt.what}: {known.reason} (attempt {attempt.number}, outcome: {outcome}).",
        outcome=outcome,
        attempts=attempt.number,
        remedy=_advice(known, proxy),
        cause=known.error,
    )


def _advice(known: NoAnswer, proxy: Proxy | None, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> str:
    """Return what to do where there is no answer."""
    if UNTRUSTED not in known.reason:
        if known.lasting and proxy is None:
            return "There is no such host: check base_url and the network."
        where = "the network" if proxy is None else f"the network and the proxy, which {proxy.variable} names,"
        return f"Check {where} and try again."
    if any(words in known.reason for words in _OF_ANOTHER_TIME):
        time = f"{now():%Y-%m-%d %H:%M} UTC"
        return f"The clock of this computer says {time}: set it where that is wrong, else the service has to act."
    if "mismatch" in known.reason:
        return "The certificate is another host's: check base_url."
    return "Where the network has an authority of its own, pass ca= or set SSL_CERT_FILE: a file with its certificate."


def _masked_address(request: Request) -> str:
    return _SESSION_IN_URL.sub(r"\1…", request.in_clear()[0])
