"""The consent widget of notebooks: it shows the state of a `ConsentSession` and calls it for each click."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import ipywidgets
import traitlets
from IPython.display import HTML, display, update_display

from digime_pandas._client.consent.html import (
    STYLE,
    hide_earlier,
    render_earlier,
    render_html,
    render_link,
    render_request,
    render_result,
    render_text,
    render_wait,
)
from digime_pandas._client.consent.panel import ConsentPanel
from digime_pandas._client.consent.session import ConsentSession

_IN_MARIMO = (
    "<p>For a panel that is live in marimo: <code>from digime_pandas.anywidget import AuthorizationWidget</code>, and "
    "<code>mo.ui.anywidget(AuthorizationWidget(...))</code>.</p>"
)


class AuthorizationWidget(ConsentPanel, ipywidgets.VBox):  # type: ignore[misc]  # ipywidgets has no types
    """Asks a person for consent, below a notebook cell, without blocking it.

    It shows the request and the link to the consent page, and waits for the browser to be redirected to its listener;
    where that is not possible (the kernel runs on another computer), the address the browser ends at can be pasted. An
    account that is authorized already is shown as such. The cell can be run again at any time: the newest widget of an
    account replaces the earlier ones, and closing a widget stops its listener.

    Everything it does is a plain call: `flow.url` is the link, ``flow.complete(address)`` what the paste box does,
    ``client.forget(account_id)`` what the button does.

    The service is asked for the link in the background. In Jupyter, a widget that is settled becomes plain HTML, which
    stays true in a saved notebook and after a restart of the kernel; run the cell again to begin anew. "Forget" unfolds
    the call to copy there: a button would be a widget again, which is dead once its kernel is gone and asks for trust
    in every saved notebook. Where the widget is a part of another one, it stays one, and "Forget" is a button. In
    marimo, use `digime_pandas.anywidget.AuthorizationWidget`, which takes the same arguments.

    Args:
        account_id: The person's id in your own system.
        access: ``"write"`` or ``"read"``: two contracts, two consents.
        client: Default: the one that `connect` made.
        callback: Address, registered on the contract, to which the browser is redirected; see
            `Client.begin_authorization`. Where it leads through jupyter-server-proxy to a port of this computer, such
            as ``https://hub.example.org/user/ana/proxy/8765/digime``, that port is listened on.
        timeout: Seconds to wait for the person at most.
        on_authorized: Called with the authorization once there is one, also where it was there already. It is called
            in another thread, and what it raises is logged and shown in the widget.

    Attributes:
        stage: ``"starting"``, ``"waiting"``, ``"done"``, ``"refused"``, ``"timed out"``, ``"cancelled"``,
            ``"forgotten"``, ``"replaced"`` or ``"failed"``. A trait: ``widget.observe(function, "stage")`` has the
            function called, in another thread, whenever it changes.

    Raises:
        ConfigurationError: There is no client. (All that goes wrong later is shown in the widget.)
        InputError: An argument is not valid.
    """

    stage = traitlets.Unicode("starting", read_only=True)

    def _build(self, session: ConsentSession) -> None:
        self._display_ids: list[str] = []
        self._shown_stage = ""
        self._request, self._link, self._wait, self._result = (ipywidgets.HTML() for _ in range(4))
        self._address = ipywidgets.Text(
            description="Address",
            placeholder="of the tab you ended in",
            continuous_update=False,
            tooltip="Paste the address of the tab in which the consent page ended",
        )
        self._address.observe(self._take_address, "value")
        self._paste = _row(self._address, _button("Use this address", self._take_click))
        self._again = _button("Start again", self._start_again)
        self._cancel = _button("Cancel", session.cancel)
        self._forget = _button("Forget", session.forget)
        self._buttons = _row(self._again, self._cancel, self._forget)
        parts = [self._request, self._link, self._wait, self._paste, self._result, self._buttons]
        ipywidgets.VBox.__init__(self, parts)
        self.add_class("digime-consent")

    def close(self) -> None:
        """Remove the widget and stop its listener."""
        if hasattr(self, "_session"):  # the garbage collector also closes a widget whose making failed
            self._session.close()
            for part in (self, *self.children, *self._paste.children, *self._buttons.children):
                part.layout.close()
                if part.has_trait("style"):
                    part.style.close()
                if part is not self:
                    part.close()
        super().close()

    def _repr_mimebundle_(self, **options: Any) -> dict[str, Any]:
        """Return the widget, and for front ends without widgets the same as text and HTML."""
        return {**(super()._repr_mimebundle_(**options) or {}), **self._static()}

    def _static(self) -> dict[str, str]:
        return {"text/plain": render_text(self._session), "text/html": render_html(self._session)}

    def _display_(self) -> HTML:
        """Return what marimo shows, which draws no such widgets: the same as HTML, and what to use there."""
        return HTML(self._static()["text/html"] + _IN_MARIMO)  # type: ignore[no-untyped-call]  # IPython's is

    def _ipython_display_(self) -> None:
        self._session.look_again()
        # Under an id, so that the output in front ends without widgets, and in saved files, can be replaced later.
        with self._drawing:
            self._display_ids.append(uuid.uuid4().hex)
            self._publish(display, self._display_ids[-1])
            if not self._session.state.is_settled:
                self._publish_earlier(display, self._display_ids[-1])

    def _take_address(self, change: dict[str, Any]) -> None:
        self._address.value = ""  # first: the pasted address holds a code, and this trait is saved with notebooks
        if change["new"].strip():
            self._session.paste(change["new"])

    def _take_click(self) -> None:
        """Do nothing: the box sent its text when it lost the focus, which is before this click."""

    def _start_again(self) -> None:
        self._session.start_in_background(again=True)

    def _draw(self) -> None:
        with self._drawing:
            session, state = self._session, self._session.state
            done = state.stage == "done"
            self._request.value = STYLE + hide_earlier(self.model_id) + render_request(session)
            self._link.value = render_link(state)
            flow = session.flow
            self._wait.value = render_wait(
                state, not_listening=flow.not_listening if flow else "", minutes=self._timeout / 60
            )
            self._result.value = render_result(session)
            self._again.description = "Authorize again" if done else "Start again"
            shown = (
                (self._paste, state.stage == "waiting"),
                (self._cancel, not state.is_settled),
                (self._again, state.is_settled),
                (self._forget, done),
            )
            for part, is_shown in shown:
                part.layout.display = None if is_shown else "none"
            (self.add_class if state.is_settled else self.remove_class)("digime-settled")
            if state.stage != self._shown_stage:  # or a box that has the focus would lose it
                self._shown_stage = state.stage
                self._update_displays()

    def _waited(self) -> None:
        # Programs that run notebooks process only what is sent while a cell runs. A thread may have sent the latest
        # state between two cells; without this, the link would be in the notebook they save.
        with self._drawing:
            for part in self.children:
                part.send_state()
                part.layout.send_state()
            self._update_displays()

    def _update_displays(self) -> None:
        for display_id in self._display_ids:
            self._publish(update_display, display_id)
            self._publish_earlier(update_display, display_id)

    def _publish(self, publish: Callable[..., object], display_id: str) -> None:
        bundle = self._static() if self._session.state.is_settled else self._repr_mimebundle_()
        publish(bundle, raw=True, display_id=display_id)

    def _publish_earlier(self, publish: Callable[..., object], display_id: str) -> None:
        markup = "" if self._session.state.is_settled else render_earlier(self.model_id)
        publish({"text/plain": "", "text/html": markup}, raw=True, display_id=f"{display_id}-earlier")


def _button(description: str, act: Callable[[], None]) -> Any:
    button = ipywidgets.Button(description=description)
    button.on_click(lambda _: act())
    return button


def _row(*parts: Any) -> Any:
    return ipywidgets.HBox(parts).add_class("digime-row")
