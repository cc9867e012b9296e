"""What every face of the panel shares, whatever it is drawn with."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any

from digime_pandas._client.authorizations.consent_client import one_account
from digime_pandas._client.client import Client
from digime_pandas._client.connect import current_client
from digime_pandas._client.consent.descriptions import checked_access
from digime_pandas._client.consent.session import ConsentSession
from digime_pandas._service.authorization import Access, Authorization
from digime_pandas._service.http.attempts.deadline import checked_timeout
from digime_pandas._service.oauth.flow import AuthorizationFlow
from digime_pandas.errors import InputError, in_words
from digime_pandas.errors.calls.explained import explains_calls

_START_SECONDS = 60.0  # which `flow` and `authorization` wait at most
_FIRST_SECONDS = 0.5  # which making a panel waits at most, so that what is shown first need not be replaced at once


class ConsentPanel:
    """A panel below a notebook cell; a subclass draws it, and names the arguments.

    What a subclass has to have raises here: an abstract class has a metaclass, and so have widgets, another one.
    """

    _session: ConsentSession

    @explains_calls()
    def __init__(
        self,
        account_id: str,
        *,
        access: Access = "write",
        client: Client | None = None,
        callback: str | None = None,
        timeout: float = 600.0,
        on_authorized: Callable[[Authorization], object] | None = None,
    ) -> None:
        (account_id,) = one_account(account_id)
        if on_authorized is not None and not callable(on_authorized):
            raise InputError(
                f"on_authorized is {in_words(on_authorized)}.",
                remedy="Pass a function of one argument, which is called with the authorization.",
            )
        session = ConsentSession(
            current_client(client),
            account_id,
            checked_access(access),
            callback=callback,
            timeout=checked_timeout(timeout),
            on_change=self._draw,
            on_stage=self._tell_stage,
            on_authorized=on_authorized,
        )
        self._drawing = threading.RLock()
        self._timeout = timeout
        self._build(session)
        self._session = session
        # Asked for the link in the background.
        session.start_in_background()
        session.wait_for_start(_FIRST_SECONDS)

    def _build(self, session: ConsentSession) -> None:
        """Make the widget, its parts first."""
        raise NotImplementedError

    def _draw(self) -> None:
        """Show the state of the session."""
        raise NotImplementedError

    def _waited(self) -> None:
        """Do what has to be done when somebody has waited in a cell."""

    def _tell_stage(self) -> None:
        with self._drawing:
            set_stage(self, self._session.state.stage)

    @property
    def flow(self) -> AuthorizationFlow | None:
        """The authorization in progress (or the last one); None where the account was authorized already.

        While the service is asked for the link, this waits for its answer, for a minute at most.
        """
        self._session.wait_for_start(_START_SECONDS)
        return self._session.flow

    @property
    def authorization(self) -> Authorization | None:
        """The authorization, once there is one. It is stored already. Waits as `flow` does."""
        self._session.wait_for_start(_START_SECONDS)
        return self._session.state.authorization

    @explains_calls()
    def result(self, timeout: float) -> Authorization:
        """Wait for the authorization; the panel goes on by itself meanwhile.

        Args:
            timeout: Seconds to wait at most.

        Returns:
            The authorization, stored already.

        Raises:
            AuthorizationTimeoutError: No redirect came in time.
            ConsentRefusedError: The person or the service refused.
            DigimeError: Any other error that ended it; the panel shows it, too.
        """
        self._session.look_again()
        try:
            return self._session.result(checked_timeout(timeout))
        finally:
            self._waited()

    def __repr__(self) -> str:
        if not hasattr(self, "_session"):  # a traceback may show a panel whose making failed
            return "<AuthorizationWidget>"
        session = self._session
        return (
            f"<AuthorizationWidget account_id={session.account_id!r} access={session.access!r} {session.state.stage}>"
        )


def set_stage(panel: Any, stage: str) -> None:
    """Set the trait `stage` of a panel. What a function raises that observes it is logged, and ends nothing."""
    try:
        panel.set_trait("stage", stage)
    except Exception:
        logging.getLogger("digime_pandas").exception("A function that observes the stage raised an error.")
