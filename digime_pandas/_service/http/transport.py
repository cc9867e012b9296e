"""Sends requests: attempts, waits and time-outs. The only file that imports httpx."""

from __future__ import annotations

import logging
import math
import os
import re
import ssl
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from http.cookiejar import CookieJar, DefaultCookiePolicy
from io import BytesIO
from typing import Any
from urllib.parse import urlsplit

import httpx

from digime_pandas._service.http.environment import SOCKS_PROXIES, Proxy, Route, is_host, is_loopback_url, tls_context
from digime_pandas._service.http.error_replies import (
    FIRST_WAIT,
    JITTER,
    LONGEST_WAIT,
    SHORTEST_ATTEMPT,
    error_from_reply,
    wait_before_retry,
)
from digime_pandas._service.http.request import Receiver, Reply, Request
from digime_pandas._service.http.request_body import RequestBody
from digime_pandas._service.http.socks import SocksBackend
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
_LIMITS = httpx.Limits()  # none: as many connections as threads send, all of which are kept
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
        route: How requests get to the service. Without meaning where a transport is given.
        clock: Monotonic clock, in seconds.
    """

    def __init__(
        self,
        *,
        timeout: float = DEFAULT_TIMEOUT,
        deadline: float = DEFAULT_DEADLINE,
        max_attempts: int = DEFAULT_ATTEMPTS,
        transport: Transport | None = None,
        route: Route = Route(),  # noqa: B008 - a constant
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
        self._proxy = None if transport is not None else route.proxy
        self._client = OnePerProcess(partial(_make_client, timeout, transport, route, os.getpid()), _leave_client)
        self._client.get()  # so that a variable of the environment that cannot be used is reported here

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
            on=lambda error: wait_before_retry(error, end - self._clock()),
            attempts=self._max_attempts,
            timeout=None,  # `wait_before_retry` keeps the deadline
            wait_initial=FIRST_WAIT,
            wait_max=LONGEST_WAIT,
            wait_jitter=JITTER,
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
        timeout = min(self._timeout, max(SHORTEST_ATTEMPT, attempt.end - self._clock()))
        handled = sys.exception()
        try:
            with client.stream(
                request.method, request.address(), headers=request.fields(), content=body, timeout=timeout
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
            error.request = httpx.Request(request.method, _SESSION_IN_URL.sub(r"\1…", request.address()))
            if body is not None and body.failed:
                raise
            without_frames(error)
            raise _unreachable(error, body, attempt, self._proxy) from error
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


def _unreachable(
    error: httpx.RequestError, body: RequestBody | None, attempt: _Attempt, proxy: Proxy | None
) -> ServiceUnreachableError:
    """Return the error of an attempt that got no reply."""
    arrived = not isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout | httpx.ProxyError)
    whole = body is None or body.whole
    outcome: Outcome = "unknown" if attempt.may_have_succeeded or (arrived and whole) else "not sent"
    # httpx quotes a header that it refuses.
    reason = "" if isinstance(error, httpx.LocalProtocolError) else str(error)
    advice = "Check the network and try again."
    if "CERTIFICATE_VERIFY_FAILED" in reason:
        advice = "Where the network has an authority of its own, set SSL_CERT_FILE to a file with its certificate."
    elif proxy is not None:
        advice = f"Check the network and the proxy, which {proxy.variable} names, and try again."
    return ServiceUnreachableError(
        f"Could not {attempt.what}: {reason or type(error).__name__} (attempt {attempt.number}, outcome: {outcome}). "
        f"{advice}",
        outcome=outcome,
        attempts=attempt.number,
    )


def _make_client(timeout: float, transport: Transport | None, route: Route, made_in: int) -> httpx.Client:
    if transport is not None and os.getpid() != made_in and not _is_separable(transport):
        raise ConfigurationError(
            f"This client was made before the process was forked, and its transport ({type(transport).__name__}) may "
            "hold connections of the parent process. Make a client, with a transport of its own, in each process."
        )
    return httpx.Client(
        timeout=timeout,
        transport=transport or _make_transport(route),
        trust_env=False,  # what the environment says is in the route
        follow_redirects=False,
        headers={"User-Agent": "digime-pandas"},
        # One client serves many people: a cookie set in a reply for one of them must not be sent for another.
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
    )


def _make_transport(route: Route) -> httpx.HTTPTransport:
    # Where there is no TLS, authorities take long to load in vain; a context without any trusts nothing.
    default = partial(httpx.create_ssl_context, trust_env=False)
    context = tls_context(default) if route.secure else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    proxy, make = route.proxy, partial(httpx.HTTPTransport, verify=context, limits=_LIMITS)
    if proxy is None:
        return make()
    if not _is_url(f"http://{proxy.netloc}"):
        raise ConfigurationError(f"{proxy.variable} names a proxy whose host is no name that can be used. Correct it.")
    if proxy.scheme in SOCKS_PROXIES:
        transport = make()
        transport._pool._network_backend = SocksBackend(proxy)  # noqa: SLF001 - nothing public leads there
        return transport
    auth = None if proxy.credentials is None else proxy.credentials.reveal()
    to_proxy = context if proxy.scheme == "https" else None
    url = f"{proxy.scheme}://{proxy.netloc}"
    return make(proxy=httpx.Proxy(url, auth=auth, ssl_context=to_proxy))


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
    url = url.strip()
    if "@" in url:
        raise ConfigurationError(f"{name} holds an '@'; leave user information out (and write %40 for one in a path).")
    if not _is_url(url):
        raise ConfigurationError(f"{name} is {url!r}, which is no address that can be used.")
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
        raise ConfigurationError(f"{name} is {url!r}; pass an absolute address such as 'https://api.digi.me/v1.7/'.")
    if parts.scheme == "http" and not is_loopback_url(url):
        raise ConfigurationError(f"{name} is plain http to another machine ({parts.hostname}); use https.")
    return parts.geturl().rstrip("/") + "/"


def _is_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
        _ = parts.port, httpx.URL(text)
    except (ValueError, httpx.InvalidURL):
        return False
    return not parts.hostname or is_host(parts.hostname)


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
