"""The consent widget for marimo, and for any front end that shows anywidgets.

::

    import marimo as mo
    from digime_pandas.anywidget import AuthorizationWidget

    consent = mo.ui.anywidget(AuthorizationWidget("patient-17"))
    consent  # in its own cell; cells that use `consent` run again whenever its stage changes
"""

from __future__ import annotations

from importlib.resources import files
from typing import Any

import traitlets

from digime_pandas._client.consent.html import STYLE, render_link, render_request, render_result, render_wait
from digime_pandas._client.consent.panel import ConsentPanel
from digime_pandas._client.consent.session import ConsentSession
from digime_pandas.errors import ConfigurationError

try:
    from anywidget import AnyWidget
except ImportError as error:
    raise ConfigurationError(
        f"This widget needs a part that is not installed ({error.name}). Run: pip install 'digime-pandas[anywidget]'"
    ) from error


class AuthorizationWidget(ConsentPanel, AnyWidget):
    """Asks a person for consent, below a notebook cell, without blocking it.

    The same as `digime_pandas.AuthorizationWidget`, whose arguments it takes, drawn by an anywidget.

    Args:
        account_id: The person's id in your own system.
        access: ``"write"`` or ``"read"``: two contracts, two consents.
        client: Default: the one that `connect` made.
        callback: Address, registered on the contract, to which the browser is redirected; see
            `Client.begin_authorization`.
        timeout: Seconds to wait for the person at most.
        on_authorized: Called with the authorization once there is one, also where it was there already. It is called
            in another thread, and what it raises is logged and shown in the widget.

    Attributes:
        stage: As for `digime_pandas.AuthorizationWidget`. A trait.
        seen: The stage that the front end has shown last. A trait that the front end sets.

    Raises:
        ConfigurationError: There is no client. (All that goes wrong later is shown in the widget.)
        InputError: An argument is not valid.
    """

    _esm = files("digime_pandas._client.consent").joinpath("panel.js").read_text(encoding="utf-8")

    stage = traitlets.Unicode("starting", read_only=True)
    seen = traitlets.Unicode("").tag(sync=True)

    def _build(self, session: ConsentSession) -> None:  # noqa: ARG002 - of the panel
        AnyWidget.__init__(self)
        self.on_msg(self._take)

    def close(self) -> None:
        """Remove the widget and stop its listener."""
        if hasattr(self, "_session"):  # the garbage collector also closes a widget whose making failed
            self._session.close()
        super().close()

    def _take(self, _: object, message: dict[str, Any], __: object) -> None:
        """Do what a click or a pasted address asks for."""
        session, action = self._session, message.get("action")
        if action == "paste":
            session.paste(str(message.pop("text", "")))
        elif action == "again":
            session.start_in_background(again=True)
        elif action == "cancel":
            session.cancel()
        elif action == "forget":
            session.forget()
        elif action == "show":
            self._draw()

    def _draw(self) -> None:
        with self._drawing:
            self.send(self._shown())

    def _shown(self) -> dict[str, Any]:
        session, state, flow = self._session, self._session.state, self._session.flow
        waiting = render_wait(state, not_listening=flow.not_listening if flow else "", minutes=self._timeout / 60)
        done = state.stage == "done"
        buttons = [("again", "Authorize again" if done else "Start again")] if state.is_settled else []
        buttons += [("forget", "Forget")] if done else []
        buttons += [] if state.is_settled else [("cancel", "Cancel")]
        return {
            "stage": state.stage,
            "settled": state.is_settled,
            "pastes": state.stage == "waiting",
            "above": STYLE + render_request(session) + render_link(state) + waiting,
            "below": render_result(session),
            "buttons": buttons,
        }
