"""One authorization in progress: from the consent link to the tokens."""

from __future__ import annotations

import math
import os
import re
import threading
from collections.abc import Callable
from functools import partial
from ipaddress import ip_address
from urllib.parse import quote, urlsplit

from digime_pandas._service.authorization import Access, Authorization
from digime_pandas._service.http.attempts.deadline import checked_timeout
from digime_pandas._service.masking.secret import Secret
from digime_pandas._service.oauth.loopback import LoopbackListener
from digime_pandas._service.oauth.pages.page import Page, given, not_completed
from digime_pandas._service.oauth.pasted import parse_pasted
from digime_pandas._service.oauth.redirect import RedirectResult, parse_redirect, state_of
from digime_pandas._service.process import ClosesAtExit, reset_after_fork
from digime_pandas.errors import (
    AuthorizationError,
    ConfigurationError,
    ConsentRefusedError,
    DigimeError,
    DigimeWarning,
    RedirectError,
    warn,
)
from digime_pandas.errors.calls.attributes import NearNames
from digime_pandas.errors.calls.explained import explains_calls

Exchange = Callable[[RedirectResult], Authorization]

_PATH_BYTES = 16
_NOT_SURE = (
    "This address does not say whose authorization that is, and any web page could have led here. So your notebook or "
    "terminal still waits: cancel there if you said no."
)
# jupyter-server-proxy removes this much of the path and forwards the rest to the port.
_PROXIED = re.compile(r"/proxy/(?P<port>[1-9][0-9]{0,4})(?P<path>/.*)$")


class AuthorizationFlow(NearNames, ClosesAtExit):
    """An authorization that waits for the person's consent.

    Open `url` in the person's browser. Consent then arrives in one of two ways, or both at once: the browser comes
    back to the loopback listener (`wait`), or the address it was sent to is passed to `complete`. The code in it is
    exchanged once.

    Args:
        account_id: The person's id in your own system.
        access: ``"write"`` or ``"read"``.
        url: The consent page's address for this authorization.
        state: What the redirected address must bring back.
        listener: Where the browser comes back to, or None if it is sent elsewhere.
        not_listening: Why there is no listener, in a sentence or two.
        exchange: Exchanges the code of a redirect for an authorization, and stores that.
        expires: Until when an answer is taken, Unix seconds.
        refused: Called when the consent page said no.
        cancelled: Called when the flow is closed before it is complete.
        notice: Returns a remark on that authorization, or None.

    Attributes:
        authorization: The result; None until there is one.
        notice: A remark on it, or None. `complete` and `wait` warn of it.
        expires: Until when an answer is taken, Unix seconds. The service's link may end earlier (not documented).
        finished: Set when it is complete or closed.
        not_listening: Why the browser does not come back to this process, with what to do; empty where it does.
    """

    def __init__(
        self,
        *,
        account_id: str,
        access: Access,
        url: str,
        state: str,
        listener: LoopbackListener[RedirectResult] | None,
        exchange: Exchange,
        expires: float = math.inf,
        refused: Callable[[], None] = lambda: None,
        cancelled: Callable[[], None] = lambda: None,
        not_listening: str = "",
        notice: Callable[[Authorization], str | None] = lambda _: None,
    ) -> None:
        self.account_id = account_id
        self.access = access
        self._url = Secret(url)
        self._state = Secret(state)
        self.authorization: Authorization | None = None
        self.notice: str | None = None
        self.finished = threading.Event()
        self.not_listening = not_listening
        self._listener = listener
        # None once it was used or the flow was closed, so that the verifier in it is kept no longer than needed.
        self._exchange: Exchange | None = exchange
        self.expires = expires
        self._refused = refused
        self._cancelled = cancelled
        self._notice_of = notice
        self._result: RedirectResult | None = None
        self._lock = threading.Lock()
        reset_after_fork(self, AuthorizationFlow._renew_locks)

    @property
    def url(self) -> str:
        """The consent page's address for this authorization. A secret until the authorization is complete."""
        return self._url.reveal()

    @property
    def state(self) -> str:
        """What the redirected address must bring back. A secret until the authorization is complete."""
        return self._state.reveal()

    @property
    def listens(self) -> bool:
        """Whether the browser comes back to this process, so that there is something to `wait` for."""
        return self._listener is not None

    @explains_calls()
    def complete(self, redirected_url: str) -> Authorization:
        """Finish with the address to which the consent page sent the browser.

        Args:
            redirected_url: The full address, or only its query; as it was copied, with line breaks, quotes or words
                around it.

        Returns:
            The authorization, stored already. The same one again, when it is called again with the same address.

        Raises:
            RedirectError: Not an address of this authorization. The flow can still be completed with the right one.
            ConsentRefusedError: The person or the service said no.
            AuthorizationError: The flow was closed, or is complete by another address.
            APIError: The exchange failed; `outcome` says what is known.

        Warns:
            DigimeWarning: There is a remark on it, see `notice`.
        """
        redirected = Secret(redirected_url)
        del redirected_url  # a traceback that shows local variables would show the code in it
        try:
            result = parse_pasted(redirected, state=self._state)
        except ConsentRefusedError:
            self._refused()
            raise
        return self._warned(self._complete(result))

    def _complete(self, result: RedirectResult) -> Authorization:
        # A redirect and a pasted address may come at the same time: the second waits here for the first.
        with self._lock:
            if self.authorization is not None and result == self._result:
                return self.authorization
            if self._exchange is None:
                end = "was closed" if self.authorization is None else "is complete"
                raise AuthorizationError(f"This authorization of {self.account_id!r} {end}. Begin a new one.")
            authorization = self._exchange(result)
            self.authorization, self._result, self._exchange = authorization, result, None
            self.notice = self._notice_of(authorization)
        self._report(given(self.access))
        self._stop()
        return authorization

    def _report(self, page: Page) -> None:
        if self._listener is not None:
            self._listener.report(page)

    @explains_calls()
    def wait(self, timeout: float) -> Authorization:
        """Wait until the browser comes back, or until another thread calls `complete`.

        Args:
            timeout: Seconds to wait at most. The exchange that follows has the client's own timeout.

        Returns:
            The authorization, stored already.

        Raises:
            AuthorizationTimeoutError: No redirect came in time. The flow can still be waited for or completed.
            ConsentRefusedError: The person or the service said no.
            AuthorizationError: The flow was closed, or the browser is sent to an address this process does not
                listen on, so that only `complete` can finish it.
            APIError: The exchange failed; `outcome` says what is known.

        Warns:
            DigimeWarning: There is a remark on it, see `notice`.
        """
        seconds = checked_timeout(timeout)
        if self._listener is None:
            if self.authorization is not None:
                return self._warned(self.authorization)
            raise AuthorizationError(
                f"This authorization comes back to an address that is not listened on here. {self.not_listening}",
                remedy="Pass the address the browser ends at to flow.complete(redirected_url).",
                command="Paste the address the browser ends at into: digime-pandas authorize --address -",
            )
        try:
            result = self._listener.wait(seconds, reports=True)
        except DigimeError as error:
            # `complete` closes the listener under a waiting thread; and what completed at the last moment counts.
            with self._lock:
                if self.authorization is not None:
                    return self._warned(self.authorization)
            if isinstance(error, ConsentRefusedError):
                self._refused()
            raise
        try:
            return self._warned(self._complete(result))
        except DigimeError as error:
            self._report(not_completed(str(error)))
            raise

    def close(self) -> None:
        """Cancel, unless it is complete: stop the listener, discard the verifier. May be called again.

        What comes back afterwards is not taken, in other processes neither. A flow that is only dropped is not
        cancelled: `Client.complete_authorization` completes it.
        """
        # Without the lock, so that cancelling does not wait for an exchange in another thread.
        self._exchange = None
        self._stop()
        if self.authorization is None:
            self._cancelled()

    def __repr__(self) -> str:
        stage = "complete" if self.authorization is not None else "closed" if self._exchange is None else "waiting"
        return f"<AuthorizationFlow account_id={self.account_id!r} access={self.access!r} {stage}>"

    def _warned(self, authorization: Authorization) -> Authorization:
        if self.notice is not None:
            warn(self.notice, DigimeWarning)
        return authorization

    def _renew_locks(self) -> None:
        self._cancelled = lambda: None  # that is for the process to do that began it
        self._lock = threading.Lock()
        before, self.finished = self.finished, threading.Event()
        if before.is_set():
            self.finished.set()

    def _stop(self) -> None:
        self.finished.set()
        if self._listener is not None:
            self._listener.close()


def listen_for(
    state: str, address: str | None = None, random: Callable[[int], bytes] = os.urandom
) -> tuple[LoopbackListener[RedirectResult] | None, str]:
    """Start a listener that takes the redirect of one authorization, where this process can have one.

    Args:
        state: The `state` of the authorization.
        address: The address the contract has registered. Default: a free port of this computer, and a random path.
        random: Source of random bytes.

    Returns:
        A listener whose `url` is that address: on its own port where it is one of this computer
        (``http://localhost:8765/digime``), on the port behind it where it leads through `jupyter-server-proxy`
        (``https://hub.example.org/user/ana/proxy/8765/digime``). None where it leads elsewhere, or to a port that
        another program (your own web application, say) listens on; then also the reason.
    """
    handler = partial(_handle, state=Secret(state))
    del state  # as in `AuthorizationFlow.complete`
    if address is None:
        # A path that nobody can guess: only the consent page leads there.
        return LoopbackListener(path=f"/digime/{random(_PATH_BYTES).hex()}", handler=handler), ""
    handler = partial(handler, is_known=True)
    try:
        host, port, path = _place(address)
        return LoopbackListener(host=host, port=port, path=path, handler=handler, public_url=address), ""
    except ConfigurationError as error:
        return None, str(error)


def leads_to_this_computer(address: str) -> bool:
    """Tell whether an address leads to this computer, or through `jupyter-server-proxy` to a port of it.

    People who are elsewhere cannot come back to a listener there.
    """
    try:
        parts = urlsplit(address)
    except ValueError:
        return False
    return _is_loopback(parts.hostname or "") or _PROXIED.search(parts.path) is not None


def _place(address: str) -> tuple[str, int, str]:
    """Return host, port and path at which a registered address is listened on."""
    try:
        parts = urlsplit(address)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise ConfigurationError("The redirect_uri is no address that a browser can open.") from None
    if (proxied := _PROXIED.search(parts.path)) and parts.scheme in {"http", "https"}:
        return "localhost", int(proxied["port"]), _as_requested(proxied["path"])
    if not _is_loopback(host):
        raise ConfigurationError(f"The redirect_uri leads to {host or address!r}, which is not this computer.")
    if parts.scheme != "http":
        raise ConfigurationError(f"The redirect_uri begins with {parts.scheme}:, and only http: is listened on.")
    if not port:
        raise ConfigurationError("The redirect_uri has no port; register one such as http://localhost:8765/digime.")
    return (host if host == "localhost" else str(ip_address(host))), port, _as_requested(parts.path)


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _as_requested(path: str) -> str:
    """Return a path as browsers ask for it."""
    return quote(path or "/", safe="/%!$&'()*+,;=:@~")


def _handle(
    redirected: Secret[str], *, state: Secret[str], is_known: bool = False
) -> RedirectResult | AuthorizationError:
    try:
        return parse_redirect(redirected, state=state)
    except ConsentRefusedError as error:
        # Any web page can lead a browser to an address that is known, but none knows the `state`.
        if is_known and state_of(redirected) is None:
            return RedirectError(f"{error} {_NOT_SURE}")
        return error
    except AuthorizationError as error:
        return error
