"""Sends requests: attempts, waits and time-outs. The only file that imports httpx."""

from __future__ import annotations

import logging
import math
import os
import re
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from http.cookiejar import CookieJar, DefaultCookiePolicy
from io import BytesIO
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

import httpx

from digime_pandas._service.http.error_replies import error_from_reply, is_retryable
from digime_pandas._service.http.request import Receiver, Reply, Request
from digime_pandas._service.http.request_body import RequestBody
from digime_pandas._service.masking.secret import MaskedMapping, Secret
from digime_pandas._service.masking.tracebacks import drop_frames, without_frames
from digime_pandas._service.process import OnePerProcess
from digime_pandas.errors import (
    APIError,
    ConfigurationError,
    Outcome,
    ReplyError,
    ServiceUnreachableError,
)

Transport = httpx.BaseTransport

DEFAULT_TIMEOUT = 60.0
DEFAULT_DEADLINE = 300.0
DEFAULT_ATTEMPTS = 5
_REPLY_LIMIT_BYTES = 16 << 20
_PIECE_BYTES = 1 << 20
_FIRST_WAIT, _LONGEST_WAIT, _JITTER = 0.25, 8.0, 0.5
_SHORTEST_ATTEMPT = 1.0  # seconds; a shorter one could only end with an unknown outcome
_SESSION_IN_URL = re.compile(r"(permission-access/(?:query|postbox)/)[^/?#\s]+")


@dataclass(frozen=True, slots=True)
class _Attempt:
    """One attempt of a call.

    Args:
        what: What the call does, for messages.
        number: Its number, from 1.
        end: When the call's deadline is, on the clock of `Http`.
        may_have_succeeded: Whether an earlier attempt may have been carried out.
    """

    what: str
    number: int
    end: float
    may_have_succeeded: bool


class Http:
    """Sends requests; keeps connections open between them, but no cookies.

    Connections belong to one process: a forked child opens its own, and leaves its parent's as they are.

    Args:
        timeout: Seconds that one step (connecting, one read, one write) may take.
        deadline: Seconds after which no further attempt is begun and no reply is read any longer; only the reply to an
            upload that took longer still has `timeout` seconds.
        max_attempts: Attempts for one call, the first included.
        transport: An `httpx` transport to use instead of the network, for tests and special routing.
        trust_env: Whether proxy variables of the environment count.
        clock: Monotonic clock, in seconds.
    """

    def __init__(
        self,
        *,
        timeout: float = DEFAULT_TIMEOUT,
        deadline: float = DEFAULT_DEADLINE,
        max_attempts: int = DEFAULT_ATTEMPTS,
        transport: Transport | None = None,
        trust_env: bool = True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        for name, value in (("timeout", timeout), ("deadline", deadline), ("max_attempts", max_attempts)):
            if not isinstance(value, int | float) or isinstance(value, bool) or not 0 < value < math.inf:
                raise ConfigurationError(f"{name} is {value!r}; pass a number above 0.")
        if max_attempts != int(max_attempts):
            raise ConfigurationError(f"max_attempts is {max_attempts!r}; pass a whole number.")
        self._timeout = timeout
        self._deadline = deadline
        self._max_attempts = int(max_attempts)
        self._clock = clock
        self._copies_body = transport is not None
        self._client = OnePerProcess(partial(_make_client, timeout, transport, trust_env, os.getpid()), _leave_client)
        self._client.get()  # so that a proxy variable that cannot be used is reported here

    def close(self) -> None:
        """Close all connections."""
        self._client.end(httpx.Client.close)

    def send(self, make_request: Callable[[], Request], *, what: str) -> Reply:
        """Send a request, again where an attempt fails and another one may succeed.

        Args:
            make_request: Called once for each attempt, so that nonce, timestamp and body are new each time.
            what: What the request does, for messages: "refresh the token".

        Returns:
            The reply, which is a success.

        Raises:
            InvalidTokenError: 401 about the token; never repeated here.
            RefusedError: Another error reply.
            ServiceUnreachableError: No usable reply within the attempts and the deadline.
            ConfigurationError: This was closed.
            Exception: What `make_request` or the body raises, as it is.
        """
        import stamina  # here, because it takes long to load and only requests need it

        if self._client.ended:
            raise ConfigurationError(f"Could not {what}: the client is closed. Make a new one with connect().")
        end = self._clock() + self._deadline
        may_have_succeeded = False
        for attempt in stamina.retry_context(
            on=lambda error: _wait_before_retry(error, end - self._clock()),
            attempts=self._max_attempts,
            timeout=None,  # `_wait_before_retry` keeps the deadline
            wait_initial=_FIRST_WAIT,
            wait_max=_LONGEST_WAIT,
            wait_jitter=_JITTER,
        ):
            with attempt:
                try:
                    return self._send_once(make_request(), _Attempt(what, attempt.num, end, may_have_succeeded))
                except APIError as error:
                    may_have_succeeded = error.outcome == "unknown"
                    raise
        raise AssertionError("unreachable: the last attempt returns or raises")

    def _send_once(self, request: Request, attempt: _Attempt) -> Reply:
        if request.body is None:
            return self._exchange(request, None, attempt)
        body = RequestBody(request.body, request.size, request.progress, copied=self._copies_body)
        try:
            return self._exchange(request, body, attempt)
        finally:
            if not body.whole:
                # A traceback may keep the body, and a thread that serializes for it, alive for long.
                body.close()

    def _exchange(self, request: Request, body: RequestBody | None, attempt: _Attempt) -> Reply:
        """Send a request and read the reply to it; raise an error for any reply but a success."""
        client = self._client.get()
        timeout = min(self._timeout, max(_SHORTEST_ATTEMPT, attempt.end - self._clock()))
        handled = sys.exception()
        try:
            with client.stream(
                request.method, _address(request), headers=_fields(request), content=body, timeout=timeout
            ) as response:
                names = MaskedMapping({name.lower(): value for name, value in response.headers.items()})
                if request.receive is not None and response.is_success:
                    return Reply(names, Secret(b""), attempt.number, _received(response, request.receive(names)))
                # The reply to an upload that took longer than the deadline is still read.
                content = self._read(response, max(attempt.end, self._clock() + timeout))
        except BaseException as error:
            drop_frames(error, handled, __name__)
            if not isinstance(error, httpx.RequestError):
                raise
            # httpx stores the request in its error: pickling that, as Dask does, would copy the token.
            error.request = httpx.Request(request.method, _SESSION_IN_URL.sub(r"\1…", _address(request)))
            if body is not None and body.failed:
                raise
            without_frames(error)
            raise _unreachable(error, body, attempt) from error
        if not response.is_success:
            raise error_from_reply(
                response.status_code,
                names,
                content,
                attempt.what,
                attempt.number,
                may_have_succeeded=attempt.may_have_succeeded,
            )
        if body is not None and not body.whole:
            raise ServiceUnreachableError(
                f"Could not {attempt.what}: the service answered {response.status_code} before it had the whole "
                "request.",
                outcome="unknown",
                status=response.status_code,
                attempts=attempt.number,
            )
        return Reply(names, content, attempt.number)

    def _read(self, response: httpx.Response, end: float) -> Secret[bytes]:
        content, size = BytesIO(), 0  # this shows nothing of what is in it, nor does a sum of sizes
        for taken in map(content.write, response.iter_bytes()):
            size += taken
            if self._clock() > end:
                raise httpx.ReadTimeout("the answer did not end before the deadline")
            if size > _REPLY_LIMIT_BYTES:
                raise ReplyError(f"The answer is larger than {_REPLY_LIMIT_BYTES:,} bytes.", outcome="unknown")
        return Secret(content.getvalue())


def _wait_before_retry(error: Exception, left: float) -> bool | float:
    """Tell whether to make another attempt after an error.

    Args:
        error: What the last attempt ended in.
        left: Seconds until the deadline.

    Returns:
        False for no further attempt, True for one after the usual wait, a number for one after so many seconds.
    """
    if not isinstance(error, APIError) or not is_retryable(error):
        return False
    usual = min(_LONGEST_WAIT, _FIRST_WAIT * 2 ** (error.attempts - 1)) + _JITTER
    wait = usual if error.retry_after is None else error.retry_after
    if wait + _SHORTEST_ATTEMPT > left:
        return False
    return True if error.retry_after is None else wait


def _unreachable(error: httpx.RequestError, body: RequestBody | None, attempt: _Attempt) -> ServiceUnreachableError:
    """Return the error of an attempt that got no reply."""
    arrived = not isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout)
    whole = body is None or body.whole
    outcome: Outcome = "unknown" if attempt.may_have_succeeded or (arrived and whole) else "not sent"
    # httpx quotes a header that it refuses.
    reason = "" if isinstance(error, httpx.LocalProtocolError) else str(error)
    return ServiceUnreachableError(
        f"Could not {attempt.what}: {reason or type(error).__name__} (attempt {attempt.number}, outcome: {outcome}). "
        "Check the network and try again.",
        outcome=outcome,
        attempts=attempt.number,
    )


def _make_client(timeout: float, transport: Transport | None, trust_env: bool, made_in: int) -> httpx.Client:
    if transport is not None and os.getpid() != made_in and not _is_separable(transport):
        raise ConfigurationError(
            f"This client was made before the process was forked, and its transport ({type(transport).__name__}) may "
            "hold connections of the parent process. Make a client, with a transport of its own, in each process."
        )
    return httpx.Client(
        timeout=timeout,
        transport=transport,
        trust_env=trust_env,
        follow_redirects=False,
        headers={"User-Agent": "digime-pandas"},
        # One client serves many people: a cookie set in a reply for one of them must not be sent for another.
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
    )


def _is_separable(transport: Transport) -> bool:
    if isinstance(transport, httpx.HTTPTransport):
        return hasattr(transport._pool, "_optional_thread_lock")  # noqa: SLF001 - see `_leave_client`
    return isinstance(transport, httpx.MockTransport | httpx.WSGITransport)  # these have no connections


def _leave_client(client: httpx.Client) -> None:
    """Close a forked child's copies of its parent's connections; nothing is sent on them."""
    for transport in (client._transport, *client._mounts.values()):  # noqa: SLF001 - nothing public leads there
        if isinstance(transport, httpx.HTTPTransport) and _is_separable(transport):
            # What threads of the parent hold or wait for is never released here: they do not exist in the child.
            pool: Any = transport._pool  # noqa: SLF001 - as above
            pool._optional_thread_lock = type(pool._optional_thread_lock)()  # noqa: SLF001 - as above
            pool._requests = [each for each in pool._requests if not each.is_queued()]  # noqa: SLF001 - as above
            with suppress(Exception):
                transport.close()


def _address(request: Request) -> str:
    return request.url.reveal() if isinstance(request.url, Secret) else request.url


def _fields(request: Request) -> Mapping[str, str]:
    length = {} if request.size is None else {"Content-Length": str(request.size)}
    return {**(request.headers.reveal() if isinstance(request.headers, Secret) else request.headers), **length}


def _received(response: httpx.Response, receiver: Receiver) -> Receiver:
    try:
        for piece in response.iter_bytes(_PIECE_BYTES):
            receiver.write(piece)
        receiver.finish()
    except BaseException:
        receiver.close()
        raise
    return receiver


def check_base_url(name: str, url: object) -> str:
    """Return a base address with its trailing slash.

    Raises:
        ConfigurationError: It is not absolute, or is plain HTTP to another machine: tokens could be read.
    """
    if not isinstance(url, str):
        raise ConfigurationError(f"{name} is a {type(url).__name__}; pass an absolute address.")
    try:
        parts = urlsplit(url)
        _ = parts.port, httpx.URL(url)
    except (ValueError, httpx.InvalidURL):
        raise ConfigurationError(f"{name} is {url!r}, which is no address that can be used.") from None
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
        raise ConfigurationError(f"{name} is {url!r}; pass an absolute address such as 'https://api.digi.me/v1.7/'.")
    if "@" in parts.netloc:
        raise ConfigurationError(f"{name} holds user information before an '@'; leave it out.")
    if parts.scheme == "http" and not is_loopback_url(url):
        raise ConfigurationError(f"{name} is plain http to another machine ({parts.hostname}); use https.")
    return parts.geturl().rstrip("/") + "/"


def is_loopback_url(url: str) -> bool:
    """Tell whether a URL leads to this machine itself."""
    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class _MaskSessions(logging.Filter):
    """Masks the session keys and postbox ids that httpx would log with each address."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(
                _SESSION_IN_URL.sub(r"\1…", str(value)) if isinstance(value, httpx.URL) else value
                for value in record.args
            )
        return True


logging.getLogger("httpx").addFilter(_MaskSessions())
