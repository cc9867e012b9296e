"""One consent of one person, stage by stage, in the background. The widget shows it; nothing here knows of widgets.

::

    waiting ──► done ──► forgotten
       │  ▲                │
       │  └── start again ─┘  (from every stage below, too)
       ├──► refused      the person or the service refused
       ├──► timed out    no redirect came in time
       ├──► cancelled    stopped by hand
       ├──► replaced     begun again elsewhere in this process
       └──► failed       an error, whose message is shown
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import InitVar, dataclass
from typing import TYPE_CHECKING, Literal
from weakref import WeakValueDictionary

from digime_pandas._client.client import Client
from digime_pandas._service.authorization import Access, Authorization
from digime_pandas._service.masking.secret import HoldsSecret, Revealed, Secret
from digime_pandas._service.oauth.flow import AuthorizationFlow
from digime_pandas.errors import (
    AuthorizationError,
    AuthorizationTimeoutError,
    ConsentRefusedError,
    DigimeError,
    NotAuthorizedError,
    RedirectError,
    collected_warnings,
)

__all__ = ["Access", "Authorization", "AuthorizationFlow", "ConsentSession", "ConsentState", "Stage"]

Stage = Literal["starting", "waiting", "done", "refused", "timed out", "cancelled", "forgotten", "replaced", "failed"]

_WAIT_SECONDS = 0.2  # bounded slices keep interrupts alive where a lock's wait cannot be interrupted
_AGAIN = "Start again for a new link."


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentState(HoldsSecret):
    """The state of a consent, as it is shown.

    Attributes:
        stage: The stage.
        message: How it came to this stage, in words; for ``waiting``, why the last pasted address was not accepted; for
            ``done``, what there is to know about the authorization.
        url: The consent link, while there is one. It is a secret, and no field.
        authorization: The result, once there is one.
        error: What `result` raises, once there will be no authorization.
    """

    stage: Stage
    message: str = ""
    if TYPE_CHECKING:
        url: str | None = None
    else:
        url: InitVar[str | None] = Revealed()

        def __post_init__(self, url: str | None) -> None:
            object.__setattr__(self, "_secret", Secret(url))

    authorization: Authorization | None = None
    error: DigimeError | None = None

    @property
    def is_settled(self) -> bool:
        """Whether the stage changes no more unless something is called."""
        return self.stage not in {"starting", "waiting"}


class ConsentSession:
    """One consent of one account, in the background.

    The stage changes from ``waiting`` once: the first of redirect, pasted address, deadline, `cancel` and `replace`
    decides, and the later ones change nothing (see `_settle`).

    Args:
        client: The client to authorize.
        account_id: The person's id in your own system.
        access: ``"write"`` or ``"read"``.
        callback: As for `Client.begin_authorization`.
        timeout: Seconds to wait for the person at most.
        on_change: Called, in any thread, after `state` has changed.
        clock: Gives seconds that only grow, for deadlines.
        now: Gives Unix seconds, for the life of stored tokens.

    Attributes:
        state: The latest state.
        flow: The flow of the latest start; None when the authorization was there already.
    """

    def __init__(
        self,
        client: Client,
        account_id: str,
        access: Access,
        *,
        callback: str | None,
        timeout: float,
        on_change: Callable[[], None],
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.client = client
        self.account_id = account_id
        self.access: Access = access
        self.state = ConsentState(stage="starting")
        self.flow: AuthorizationFlow | None = None
        self._callback = callback
        self._timeout = timeout
        self._on_change = on_change
        self._clock, self._now = clock, now
        self._lock = threading.RLock()
        self._settled = threading.Event()

    def start(self, *, again: bool = False) -> None:
        """Take the stored authorization if it is still valid, else begin to ask for consent.

        Args:
            again: Ask for consent even so.
        """
        self._replace_previous_session()
        self._set_flow(None)
        self._show(ConsentState(stage="starting"))
        try:
            stored = None if again else self._stored()
            flow = None if stored else self._begin()
        except Exception as error:  # noqa: BLE001 - any error is shown: no caller is there to see it raised
            self._show(_failure(error))
            return
        if flow is None:
            self._show(ConsentState(stage="done", authorization=stored))
            return
        with self._lock:
            self._set_flow(flow)
            self._show(ConsentState(stage="waiting", url=flow.url))
        threading.Thread(target=self._watch, args=(flow,), name="digime-consent", daemon=True).start()

    def paste(self, address: str) -> threading.Thread | None:
        """Complete with an address the person pasted, in the background; None when nothing waits for one.

        A wrong address leaves the stage as it is; `ConsentState.message` says why.
        """
        pasted = Secret(address)
        del address  # a traceback that shows local variables would show the code in it
        flow = self.flow
        if flow is None or self.state.stage != "waiting":
            return None
        thread = threading.Thread(target=self._complete, args=(flow, pasted), name="digime-paste", daemon=True)
        thread.start()
        return thread

    def cancel(self) -> None:
        """Stop waiting."""
        error = AuthorizationError("Authorization was cancelled.")
        self._settle(self.flow, "cancelled", error, "Nothing was authorized.")

    def replace(self) -> None:
        """Stop waiting, since a newer session of this process asks for the same consent."""
        self._settle(self.flow, "replaced", AuthorizationError("This authorization was begun again, in a newer cell."))

    def forget(self) -> None:
        """Forget the stored authorization. The consent itself stays given at the service."""
        try:
            self.client.forget(self.account_id, access=self.access)
        except DigimeError as error:
            self._show(_failure(error))
            return
        words = f"The authorization of account {self.account_id!r} was forgotten."
        self._show(ConsentState(stage="forgotten", message=words, error=NotAuthorizedError(words)))

    def close(self) -> None:
        """Stop waiting and close the listener."""
        self.cancel()
        if self.flow is not None:
            self.flow.close()

    def result(self, timeout: float) -> Authorization:
        """Wait until it is settled.

        Args:
            timeout: Seconds to wait at most.

        Returns:
            The authorization.

        Raises:
            AuthorizationTimeoutError: It is not settled yet, or no redirect came in time.
            ConsentRefusedError: The person or the service refused.
            DigimeError: Any other error that ended it.
        """
        deadline = self._clock() + timeout
        while not self._settled.wait(max(0.0, min(_WAIT_SECONDS, deadline - self._clock()))):
            if self._clock() >= deadline:
                raise AuthorizationTimeoutError(
                    f"Account {self.account_id!r} has not given consent within {timeout:g} seconds; the widget goes on "
                    "waiting. A pasted address is only taken while no cell runs: ask for the result in a later cell."
                )
        state = self.state
        if state.authorization is not None:
            return state.authorization
        raise state.error or AuthorizationError("Authorization has begun again; ask for the result once more.")

    def _stored(self) -> Authorization | None:
        stored = self.client.usable_authorization(self.account_id, access=self.access)
        if stored is None or stored.user_access_token.refresh_token.is_expired(self._now()):
            return None
        return stored

    def _begin(self) -> AuthorizationFlow:
        return self.client.begin_authorization(self.account_id, access=self.access, callback=self._callback)

    def _watch(self, flow: AuthorizationFlow) -> None:
        """Wait for the redirect, in a thread of its own."""
        try:
            if flow.listens:
                with collected_warnings():  # they are in the flow's `notice`
                    flow.wait(self._timeout)
            elif not flow.finished.wait(self._timeout):
                raise AuthorizationTimeoutError("Nobody pasted an address in time.")
        except AuthorizationTimeoutError as error:
            message = f"Nobody came back within {self._timeout / 60:.0f} minutes. {_AGAIN}"
            self._settle(flow, "timed out", error, message)
        except Exception as error:  # noqa: BLE001 - see `start`
            self._fail(flow, error)
        else:
            self._settle(flow, "done", message=flow.notice or "")

    def _complete(self, flow: AuthorizationFlow, pasted: Secret[str]) -> None:
        """Complete a flow with a pasted address, in a thread of its own; `_watch` notices that it is complete."""
        try:
            with collected_warnings():  # as in `_watch`, which shows them
                flow.complete(pasted.reveal())
        except RedirectError as error:
            with self._lock:
                if self._waits_for(flow):
                    self._show(ConsentState(stage="waiting", message=str(error), url=flow.url))
        except Exception as error:  # noqa: BLE001 - see `start`
            self._fail(flow, error)

    def _fail(self, flow: AuthorizationFlow, error: Exception) -> None:
        if isinstance(error, ConsentRefusedError):
            self._settle(flow, "refused", error)
        else:
            self._settle(flow, "failed", _failure(error).error)

    def _settle(
        self, flow: AuthorizationFlow | None, stage: Stage, error: DigimeError | None = None, message: str = ""
    ) -> None:
        """Change from ``waiting`` to a settled stage, unless something else came first."""
        with self._lock:
            if flow is None or not self._waits_for(flow):
                return
            _clear_tracebacks(error)
            message = message or (str(error) if error else "")
            self._show(ConsentState(stage=stage, message=message, authorization=flow.authorization, error=error))
        flow.close()

    def _waits_for(self, flow: AuthorizationFlow) -> bool:
        """Whether a flow is the latest one and undecided. Threads of earlier flows may still be running."""
        return self.flow is flow and self.state.stage == "waiting"

    def _set_flow(self, flow: AuthorizationFlow | None) -> None:
        with self._lock:
            before, self.flow = self.flow, flow
        if before is not None:
            before.close()

    def _replace_previous_session(self) -> None:
        key = (self.client.base_url, self.access, self.client.contract.client_id, self.account_id)
        with _latest_lock:
            before = _latest.get(key)
            _latest[key] = self
        if before is not None and before is not self:
            before.replace()

    def _show(self, state: ConsentState) -> None:
        with self._lock:
            self.state = state
            if state.is_settled:
                self._settled.set()
            else:
                self._settled.clear()
        self._on_change()


# The latest session by environment, access, contract and account.
_latest: WeakValueDictionary[tuple[str, ...], ConsentSession] = WeakValueDictionary()
_latest_lock = threading.Lock()


def _failure(error: Exception) -> ConsentState:
    if not isinstance(error, DigimeError):
        # Without its message: only the messages of this package's errors are known to hold no secret.
        error = AuthorizationError(f"Something unforeseen happened ({type(error).__name__}). {_AGAIN}")
    _clear_tracebacks(error)
    return ConsentState(stage="failed", message=str(error), error=error)


def _clear_tracebacks(error: BaseException | None) -> None:
    # Their variables hold the address, and IPython's verbose tracebacks would print them where the error is raised
    # again.
    while error is not None:
        error.__traceback__ = None
        error = error.__cause__ or error.__context__
