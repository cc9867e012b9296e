"""One consent of one person, stage by stage, in the background. The widget shows it; nothing here knows of widgets.

::

    waiting ──► done ──► forgotten
       │  ▲                │
       │  └── start again ─┘  (from every stage below, too; it begins with starting)
       ├──► refused      the person or the service refused
       ├──► timed out    no redirect came in time
       ├──► cancelled    stopped by hand
       ├──► replaced     begun again elsewhere in this process
       └──► failed       an error, whose message is shown
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

from digime_pandas._client.client import Client
from digime_pandas._client.consent.latest import become_latest
from digime_pandas._client.consent.pastes import explain_paste
from digime_pandas._client.consent.state import AGAIN, ConsentState, Stage, clear_tracebacks, failed, span_text
from digime_pandas._service.authorization import Access, Authorization
from digime_pandas._service.masking.secret import Secret
from digime_pandas._service.oauth.flow import AuthorizationFlow
from digime_pandas.errors import (
    AuthorizationError,
    AuthorizationExpiredError,
    AuthorizationTimeoutError,
    ConsentRefusedError,
    DigimeError,
    NotAuthorizedError,
    RedirectError,
    collected_warnings,
)

__all__ = ["Access", "Authorization", "AuthorizationFlow", "ConsentSession", "ConsentState", "Stage"]

_WAIT_SECONDS = 0.2  # bounded slices keep interrupts alive where a lock's wait cannot be interrupted
_REFUSED = "The stored authorization was refused: authorize again. The service did not take its refresh token."
_LOGGER = logging.getLogger("digime_pandas")


class ConsentSession:
    """One consent of one account, in the background.

    The stage changes from ``waiting`` once: the first of redirect, pasted address, deadline, `cancel` and `replace`
    decides, and the later ones change nothing. `cancel` and `replace` end ``starting``, too; an answer is let go.

    Args:
        client: The client to authorize.
        account_id: The person's id in your own system.
        access: ``"write"`` or ``"read"``.
        callback: As for `Client.begin_authorization`.
        timeout: Seconds to wait for the person at most.
        on_change: Called, in any thread, after `state` has changed, to show it.
        on_stage: Called after that, when `result` and `wait_for_start` know of it, too.
        on_authorized: Called, in any thread, with each authorization. What it raises is logged and shown.
        clock: Gives seconds that only grow, for deadlines.
        now: Gives Unix seconds, for the life of stored tokens.

    Attributes:
        state: The latest state.
        flow: The flow of the latest start; None when the authorization was there already, and while it is starting.
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
        on_stage: Callable[[], None] = lambda: None,
        on_authorized: Callable[[Authorization], object] | None = None,
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
        self._on_change, self._on_stage = on_change, on_stage
        self._on_authorized = on_authorized
        self._clock, self._now = clock, now
        self._lock = threading.RLock()
        self._latest_start: object = None  # the latest one; None once it was cancelled
        self._begun, self._settled = threading.Event(), threading.Event()

    def start(self, *, again: bool = False) -> None:
        """Take the stored authorization if it is still valid, else begin to ask for consent.

        Args:
            again: Ask for consent even so.
        """
        self._ask(self._new_start(), again=again)

    def start_in_background(self, *, again: bool = False) -> None:
        """Do what `start` does, in a thread of its own: the service may take long to answer, or never do."""
        arguments = {"start": self._new_start(), "again": again}
        threading.Thread(target=self._ask, kwargs=arguments, name="digime-start", daemon=True).start()

    def _new_start(self) -> object:
        become_latest(self, (self.client.base_url, self.access, self.client.contract.client_id, self.account_id))
        with self._lock:
            start = self._latest_start = object()
            self._set_flow(None)
            self._set(ConsentState(stage="starting"))
        self._changed()
        return start

    def _ask(self, start: object, *, again: bool) -> None:
        flow = None
        try:
            with collected_warnings() as known:
                stored = None if again else self._stored()
                flow = None if stored else self._begin()
                if flow is not None and self._was_refused():
                    known.append(_REFUSED)
        except Exception as error:  # noqa: BLE001 - any error is shown: no caller is there to see it raised
            state = failed(error)
        else:
            stage: Stage = "done" if flow is None else "waiting"
            url = None if flow is None else flow.url
            state = ConsentState(stage=stage, message=" ".join(known), url=url, authorization=stored)
        self._end_start(start, state, flow)

    def _end_start(self, start: object, state: ConsentState, flow: AuthorizationFlow | None) -> None:
        """Show what a start came to, unless it was cancelled or another one was made."""
        with self._lock:
            is_latest = self._latest_start is start
            if is_latest:
                self._set_flow(flow if state.stage == "waiting" else None)
                self._set(state)
        if flow is not None and self.flow is not flow:
            flow.close()
        if is_latest:
            self._changed()
            self._tell(state)
        if is_latest and flow is not None and state.stage == "waiting":
            threading.Thread(target=self._watch, args=(flow,), name="digime-consent", daemon=True).start()

    def wait_for_start(self, timeout: float) -> bool:
        """Wait until it is no longer ``starting``, for so many seconds at most; tell whether it is not."""
        return self._wait_for(self._begun, timeout)

    def _wait_for(self, signal: threading.Event, timeout: float) -> bool:
        deadline = self._clock() + timeout
        while not signal.wait(max(0.0, min(_WAIT_SECONDS, deadline - self._clock()))):
            if self._clock() >= deadline:
                return False
        return True

    def look_again(self) -> None:
        """Note where the authorization was refused since it was shown, as by a refresh in a later cell."""
        if self.state.stage == "done" and self._was_refused():
            error = AuthorizationExpiredError(_REFUSED)
            self._show(ConsentState(stage="failed", message=f"{error} {AGAIN}", error=error))

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
        """Stop waiting, for the person or for the service."""
        self._stop("cancelled", AuthorizationError("Authorization was cancelled."), "Nothing was authorized.")

    def replace(self) -> None:
        """Stop waiting, since a newer session of this process asks for the same consent."""
        self._stop("replaced", AuthorizationError("This authorization was begun again, in a newer cell."))

    def _stop(self, stage: Stage, error: DigimeError, message: str = "") -> None:
        with self._lock:
            was_starting = self.state.stage == "starting" and self._latest_start is not None
            if was_starting:
                self._latest_start = None
                self._set(ConsentState(stage=stage, message=message or str(error), error=error))
        if was_starting:
            self._changed()
        else:
            self._settle(self.flow, stage, error, message)

    def forget(self) -> None:
        """Forget the stored authorization. The consent itself stays given at the service."""
        try:
            self.client.forget(self.account_id, access=self.access)
        except DigimeError as error:
            self._show(failed(error))
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
        if not self._wait_for(self._settled, timeout):
            raise AuthorizationTimeoutError(
                f"Account {self.account_id!r} has not given consent within {span_text(timeout)}; the widget goes on "
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

    def _was_refused(self) -> bool:
        with suppress(DigimeError):  # what cannot be read is told where it is used
            return self.client.was_refused(self.account_id, access=self.access)
        return False

    def _begin(self) -> AuthorizationFlow:
        return self.client.begin_authorization(self.account_id, access=self.access, callback=self._callback)

    def _watch(self, flow: AuthorizationFlow) -> None:
        """Wait for the redirect, in a thread of its own."""
        known: list[str] = []
        try:
            if flow.listens:
                with collected_warnings() as known:  # the flow's `notice` among them
                    flow.wait(self._timeout)
            elif not flow.finished.wait(self._timeout):
                raise AuthorizationTimeoutError("Nobody pasted an address in time.")
        except AuthorizationTimeoutError as error:
            message = f"Nobody came back within {span_text(self._timeout)}. {AGAIN}"
            self._settle(flow, "timed out", error, message)
        except Exception as error:  # noqa: BLE001 - see `start`
            self._fail(flow, error)
        else:
            self._settle(flow, "done", message=" ".join(known) or flow.notice or "")

    def _complete(self, flow: AuthorizationFlow, pasted: Secret[str]) -> None:
        """Complete a flow with a pasted address, in a thread of its own; `_watch` notices that it is complete."""
        try:
            with collected_warnings():  # as in `_watch`, which shows them
                flow.complete(pasted.reveal())
        except RedirectError as error:
            message = explain_paste(self.client, flow, pasted, error)
            with self._lock:
                waits = self._waits_for(flow)
                if waits:
                    self._set(ConsentState(stage="waiting", message=message, url=flow.url))
            if waits:
                self._changed()
        except Exception as error:  # noqa: BLE001 - see `start`
            self._fail(flow, error)

    def _fail(self, flow: AuthorizationFlow, error: Exception) -> None:
        if isinstance(error, ConsentRefusedError):
            self._settle(flow, "refused", error)
        else:
            self._settle(flow, "failed", failed(error).error)

    def _settle(
        self, flow: AuthorizationFlow | None, stage: Stage, error: DigimeError | None = None, message: str = ""
    ) -> None:
        """Change from ``waiting`` to a settled stage, unless something else came first."""
        with self._lock:
            if flow is None or not self._waits_for(flow):
                return
            clear_tracebacks(error)
            message = message or (str(error) if error else "")
            state = ConsentState(stage=stage, message=message, authorization=flow.authorization, error=error)
            self._set(state)
        flow.close()
        self._changed()
        self._tell(state)

    def _waits_for(self, flow: AuthorizationFlow) -> bool:
        """Whether a flow is the latest one and undecided. Threads of earlier flows may still be running."""
        return self.flow is flow and self.state.stage == "waiting"

    def _set_flow(self, flow: AuthorizationFlow | None) -> None:
        with self._lock:
            before, self.flow = self.flow, flow
        if before is not None:
            before.close()

    def _show(self, state: ConsentState) -> None:
        self._set(state)
        self._changed()

    def _set(self, state: ConsentState) -> None:
        """Change the state; `_changed` is to be called when the lock is free, for it may wait for other threads."""
        with self._lock:
            self.state = state
            self._signal(clear=True)

    def _changed(self) -> None:
        self._on_change()
        with self._lock:
            self._signal(clear=False)  # now that the state is shown, too
        self._on_stage()

    def _signal(self, *, clear: bool) -> None:
        for signal, is_so in ((self._begun, self.state.stage != "starting"), (self._settled, self.state.is_settled)):
            if is_so is not clear:
                (signal.clear if clear else signal.set)()

    def _tell(self, state: ConsentState) -> None:
        if state.authorization is None or self._on_authorized is None:
            return
        try:
            self._on_authorized(state.authorization)
        except Exception as error:
            _LOGGER.exception("on_authorized raised an error.")
            message = f"{state.message} The function that was given as on_authorized raised {type(error).__name__}."
            self._show(replace(state, message=message.strip(), url=None))
