"""Requests: attempts, waiting and time-outs. The only file that imports httpx."""

from __future__ import annotations

import logging
import math
import os
import re
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from http.cookiejar import CookieJar, DefaultCookiePolicy
from io import BytesIO
from ipaddress import ip_address
from typing import Any, Protocol
from urllib.parse import urlsplit

import httpx

from digime_pandas._service.http.error_replies import error_from_reply, is_retryable
from digime_pandas._service.http.request_body import RequestBody
from digime_pandas._service.masking.secret import MaskedMapping, Secret, clear
from digime_pandas._service.masking.tracebacks import FramesDropped, without_frames
from digime_pandas._service.messages import Buffer, Progress
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
_SHORTEST_ATTEMPT = 1.0  # seconds; one begun with less left could only end in doubt
_SESSION_IN_URL = re.compile(r"(permission-access/(?:query|postbox)/)[^/?#\s]+")


class Receiver(Protocol):
    """Takes the body of one successful answer, piece by piece."""

    def write(self, piece: bytes) -> None:
        """Take the next piece."""

    def finish(self) -> None:
        """Take note that the body was whole."""

    def close(self) -> None:
        """Forget everything: the body broke off, and there may be another attempt."""


@dataclass(frozen=True, slots=True)
class Request:
    """One attempt's request.

    Args:
        method: HTTP method.
        url: Absolute address; masked where a secret is in it.
        headers: Header fields, which may hold secrets; whatever is given is masked.
        body: Pieces of the body; used once. None for no body.
        size: Length of the body in bytes where it is known, which makes it a Content-Length; else it goes out chunked.
        progress: Called with the bytes of the body that the socket has taken, and with `size`, after each piece.
        receive: Makes of the headers of a success what takes its body, for bodies that may not fit into memory. Such a
            body may take as long as it goes on coming.
    """

    method: str
    url: str | Secret[str]
    headers: Mapping[str, str | Secret[str]] = field(repr=False)
    body: Iterable[Buffer] | None = field(default=None, repr=False)
    size: int | None = None
    progress: Progress | None = field(default=None, repr=False)
    receive: Callable[[Mapping[str, str]], Receiver] | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        values = {name: value if isinstance(value, Secret) else Secret(value) for name, value in self.headers.items()}
        object.__setattr__(self, "headers", values)


@dataclass(frozen=True, slots=True)
class Reply:
    """A successful answer (2xx).

    Attributes:
        headers: Header fields, names in lower case. Only the names show.
        body: The whole body, masked; empty where it was received piece by piece.
        attempts: How many requests it took.
        received: What the request's `receive` made, after it took the whole body.
    """

    headers: Mapping[str, str] = field(repr=False)
    body: Secret[bytes] = field(repr=False)
    attempts: int = 1
    received: Any = field(default=None, repr=False)


class Http:
    """Sends requests; keeps connections open between them, but no cookies.

    Connections belong to one process: a forked child makes its own, and leaves its parent's as they are.

    Args:
        timeout: Seconds that one step (connecting, one read, one write) may take.
        deadline: Seconds after which no further attempt is begun and no answer is read any longer; only the answer to
            an upload that took longer still has `timeout` seconds.
        max_attempts: Attempts for one call, the first included.
        transport: An `httpx` transport to use instead of the network, for tests and special routing.
        trust_env: Whether proxy variables of the environment count.
    """

    def __init__(
        self,
        *,
        timeout: float = DEFAULT_TIMEOUT,
        deadline: float = DEFAULT_DEADLINE,
        max_attempts: int = DEFAULT_ATTEMPTS,
        transport: Transport | None = None,
        trust_env: bool = True,
    ) -> None:
        for name, value in (("timeout", timeout), ("deadline", deadline), ("max_attempts", max_attempts)):
            if not isinstance(value, int | float) or isinstance(value, bool) or not 0 < value < math.inf:
                raise ConfigurationError(f"{name} is {value!r}; pass a number above 0.")
        if max_attempts != int(max_attempts):
            raise ConfigurationError(f"max_attempts is {max_attempts!r}; pass a whole number.")
        self._timeout = timeout
        self._deadline = deadline
        self._max_attempts = int(max_attempts)
        self._copies_body = transport is not None
        self._client = OnePerProcess(partial(_make_client, timeout, transport, trust_env, os.getpid()), _leave_client)
        self._client.get()  # so that a proxy variable that cannot be used is reported here

    def close(self) -> None:
        """Close all connections."""
        self._client.end(httpx.Client.close)

    def send(self, make_request: Callable[[], Request], *, what: str) -> Reply:
        """Send a request, as often as it takes.

        Args:
            make_request: Called once for each attempt, so that nonce, timestamp and body are new each time.
            what: What the request does, for messages: "refresh the token".

        Returns:
            The answer, which is a success.

        Raises:
            InvalidTokenError: 401 about the token; never repeated here.
            RefusedError: Another error answer.
            ServiceUnreachableError: No usable answer within the attempts and the deadline.
            ConfigurationError: This was closed.
            Exception: Whatever `make_request` or the body raises, as it is.
        """
        import stamina  # here, because it loads much that nobody needs who only imports this package

        if self._client.ended:
            raise ConfigurationError(f"Could not {what}: the client is closed. Make a new one with connect().")
        end = time.monotonic() + self._deadline
        may_have_succeeded = False

        def wait_or_give_up(error: Exception) -> bool | float:
            if not isinstance(error, APIError) or not is_retryable(error):
                return False
            wait = attempt.next_wait + _JITTER if error.retry_after is None else error.retry_after
            if wait + _SHORTEST_ATTEMPT > end - time.monotonic():
                return False
            return True if error.retry_after is None else wait

        for attempt in stamina.retry_context(
            on=wait_or_give_up,
            attempts=self._max_attempts,
            timeout=self._deadline,
            wait_initial=_FIRST_WAIT,
            wait_max=_LONGEST_WAIT,
            wait_jitter=_JITTER,
        ):
            with attempt:
                try:
                    return self._attempt(make_request(), what, attempt.num, end, may_have_succeeded=may_have_succeeded)
                except APIError as error:
                    may_have_succeeded = error.outcome == "unknown"
                    raise
        raise AssertionError("unreachable: the last attempt returns or raises")

    def _attempt(self, request: Request, what: str, number: int, end: float, *, may_have_succeeded: bool) -> Reply:
        """Make one attempt; `may_have_succeeded` says that an earlier one may have been carried out."""
        client = self._client.get()
        body = None
        if request.body is not None:
            body = RequestBody(request.body, request.size, request.progress, copied=self._copies_body)
        timeout = min(self._timeout, max(_SHORTEST_ATTEMPT, end - time.monotonic()))
        try:
            with (
                FramesDropped(__name__),
                client.stream(
                    request.method, clear(request.url), headers=_fields(request), content=body, timeout=timeout
                ) as response,
            ):
                end = max(end, time.monotonic() + timeout)
                names = MaskedMapping({name.lower(): value for name, value in response.headers.items()})
                if request.receive is not None and response.is_success:
                    return Reply(names, Secret(b""), number, _received(response, request.receive(names)))
                content = _read(response, end)
        except httpx.RequestError as error:
            # httpx hangs the request on its error: whoever pickles that, as Dask does, would take the token along.
            error.request = httpx.Request(request.method, _SESSION_IN_URL.sub(r"\1…", clear(request.url)))
            if body is not None and body.failed:
                raise
            without_frames(error)
            arrived = not isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout)
            whole = body is None or body.whole
            outcome: Outcome = "unknown" if may_have_succeeded or (arrived and whole) else "not sent"
            # What is wrong with a header is told with the header.
            reason = "" if isinstance(error, httpx.LocalProtocolError) else str(error)
            raise ServiceUnreachableError(
                f"Could not {what}: {reason or type(error).__name__} (attempt {number}, outcome: {outcome}). "
                "Check the network and try again.",
                outcome=outcome,
                attempts=number,
            ) from error
        finally:
            # A traceback may keep the body, and a thread that serializes for it, alive for long.
            if body is not None:
                body.close()
        if response.is_success:
            if body is not None and not body.whole:
                raise ServiceUnreachableError(
                    f"Could not {what}: the service answered {response.status_code} before it had the whole request.",
                    outcome="unknown",
                    status=response.status_code,
                    attempts=number,
                )
            return Reply(names, content, number)
        raise error_from_reply(
            response.status_code, names, content, what, number, may_have_succeeded=may_have_succeeded
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
        # One client asks for many people: what an answer for one of them sets must not go out for another.
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
    )


def _is_separable(transport: Transport) -> bool:
    if isinstance(transport, httpx.HTTPTransport):
        return hasattr(transport._pool, "_optional_thread_lock")  # noqa: SLF001 - see `_leave_client`
    return isinstance(transport, httpx.MockTransport | httpx.WSGITransport)  # these have no connections


def _leave_client(client: httpx.Client) -> None:
    """Close a forked child's copies of its parent's connections, which sends nothing on them."""
    for transport in (client._transport, *client._mounts.values()):  # noqa: SLF001 - nothing public leads there
        if isinstance(transport, httpx.HTTPTransport) and _is_separable(transport):
            # What threads of the parent hold or wait for is never released here: they do not exist in the child.
            pool: Any = transport._pool  # noqa: SLF001 - as above
            pool._optional_thread_lock = type(pool._optional_thread_lock)()  # noqa: SLF001 - as above
            pool._requests = [each for each in pool._requests if not each.is_queued()]  # noqa: SLF001 - as above
            with suppress(Exception):
                transport.close()


def _fields(request: Request) -> dict[str, str]:
    length = {} if request.size is None else {"Content-Length": str(request.size)}
    return {name: clear(request.headers[name]) for name in request.headers} | length


def _read(response: httpx.Response, end: float) -> Secret[bytes]:
    content, size = BytesIO(), 0  # this shows nothing of what is in it, nor does a sum of sizes
    for taken in map(content.write, response.iter_bytes()):
        size += taken
        if time.monotonic() > end:
            raise httpx.ReadTimeout("the answer did not end before the deadline")
        if size > _REPLY_LIMIT_BYTES:
            raise ReplyError(f"The answer is larger than {_REPLY_LIMIT_BYTES:,} bytes.", outcome="unknown")
    return Secret(content.getvalue())


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
        ConfigurationError: It is not absolute, or is plain HTTP to another machine, where anybody could read tokens.
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
