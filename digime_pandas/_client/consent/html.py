"""The panel below a notebook cell, as HTML and as text: one function for each of its parts."""

from __future__ import annotations

import html
from collections.abc import Mapping

from digime_pandas._client.consent.descriptions import request_facts, request_sentence, result_facts
from digime_pandas._client.consent.session import ConsentSession, ConsentState

# JupyterLab's own colours where it defines them; elsewhere colours for light and dark pages.
STYLE = """<style>
.digime-consent{max-width:44rem;margin:4px 0;padding:8px 16px 12px;border:1px solid var(--jp-border-color1,#8886);
border-radius:8px;color:var(--jp-ui-font-color1,inherit);box-sizing:border-box;overflow:hidden}
.digime-consent .widget-html{margin:0;width:auto;height:auto;min-width:0}
.digime-consent .widget-html-content{min-width:0;height:auto;line-height:1.5;overflow:visible;white-space:normal}
.digime-consent h4{display:flex;align-items:center;gap:8px;margin:8px 0 4px;font-size:1.1em;font-weight:600}
.digime-consent h4 b{flex:none;width:1.6em;height:1.6em;border-radius:50%;text-align:center;line-height:1.6em;
font-weight:600;background:#6b7280;color:#fff}
.digime-consent h4.later{font-weight:normal;color:var(--jp-ui-font-color2,inherit)}
.digime-consent h4.now b{background:#1565c0}
.digime-consent h4.over b{background:#2e7d32}
.digime-consent h4.bad b{background:#c62828}
.digime-consent dl{width:auto;margin:0 0 4px 2.4em}
.digime-consent dl div{display:flex;flex-wrap:wrap;gap:0 8px}
.digime-consent dt{flex:0 0 7em;margin:0;font-weight:normal;color:var(--jp-ui-font-color2,inherit)}
.digime-consent dd{flex:1 1 14em;margin:0;overflow-wrap:anywhere}
.digime-consent p{margin:4px 0 6px 2.4em;overflow-wrap:anywhere}
.digime-consent p.bad{padding-left:8px;border-left:3px solid #c62828}
.digime-consent a.digime-link{display:inline-block;padding:6px 14px;border-radius:4px;background:#1565c0;color:#fff;
font-weight:600;text-decoration:none}
.digime-consent a.digime-link:hover{background:#0d47a1}
.digime-consent a.digime-link:focus-visible{outline:3px solid #90caf9;outline-offset:2px}
.digime-consent .digime-row{margin-left:2.4em;flex-wrap:wrap;overflow:visible}
.digime-consent .digime-row .widget-label{flex:none;width:auto}
.digime-consent .digime-row>.widget-text{flex:1 1 14em;min-width:0;width:auto}
.digime-consent .digime-row>button{flex:none;width:auto;min-width:8em}
</style>"""

_MARKS = {"over": "✓", "bad": "!"}
_SPOKEN = {"over": "done", "bad": "stopped", "now": "now", "later": "later"}
_ENDS = {
    "refused": "Consent was not given",
    "timed out": "Nobody came back",
    "cancelled": "Cancelled",
    "forgotten": "Forgotten",
    "replaced": "Begun again elsewhere",
    "failed": "That did not work",
}
_BY_HAND = {"cancelled", "forgotten", "replaced"}  # ends that a call or a click asked for


def render_request(session: ConsentSession) -> str:
    """Return step 1: the request, with the application, the account and the service."""
    facts = request_facts(session.client, session.account_id, session.access)
    return _step(1, "What is asked", "now" if session.state.stage == "starting" else "over", _table(facts))


def render_link(state: ConsentState) -> str:
    """Return step 2: the link to the consent page."""
    if state.url is None:
        return _step(2, "Give consent", "over" if state.stage == "done" else "later")
    link = f'<a class="digime-link" href="{html.escape(state.url)}" target="_blank" rel="noopener noreferrer">'
    return _step(2, "Give consent", "now", f"<p>{link}Open the consent page</a> (in a new tab)</p>")


def render_wait(state: ConsentState, *, not_listening: str, minutes: float) -> str:
    """Return step 3: waiting, or how it ended.

    Args:
        state: The latest state.
        not_listening: Why the browser does not come back to this process; empty where it does.
        minutes: The longest wait.
    """
    if state.stage == "done":
        return _step(3, "Come back", "over")
    if state.stage == "starting":
        return _step(3, "Come back", "later", '<p role="status">Asking for a consent link …</p>')
    if state.stage in _BY_HAND:
        return _step(3, _ENDS[state.stage], "later", f'<p role="status">{html.escape(state.message)}</p>')
    if state.stage != "waiting":
        return _step(3, _ENDS[state.stage], "bad", _alert(state.message))
    hint = (
        f"{html.escape(not_listening)} When the consent page has sent you on, copy the address of that tab and paste "
        "it here."
        if not_listening
        else "This page notices when you are done. The tab ends in an error instead? Copy its address from the address "
        "bar and paste it here."
    )
    waiting = f'<p role="status">Waiting for consent, for {minutes:.0f} minutes at most. {hint}</p>'
    return _step(3, "Come back", "now", waiting + _alert(state.message))


def render_result(session: ConsentSession) -> str:
    """Return step 4: the library, the protocol, the last day, the token store, and a notice if there is one."""
    state = session.state
    if state.authorization is None:
        return "" if state.is_settled else _step(4, "Done", "later")
    facts = result_facts(session.client, state.authorization)
    del facts["Environment"]  # said in step 1
    title = "Done" if session.flow is not None else "Authorized already"
    return _step(4, title, "over", f'<div role="status">{_table(facts)}</div>{_alert(state.message)}')


def render_html(session: ConsentSession) -> str:
    """Return the whole panel for front ends without widgets: nothing to click but the link."""
    state = session.state
    if state.url is not None:
        link = f'<a href="{html.escape(state.url)}" target="_blank" rel="noopener noreferrer">Open the consent page</a>'
        lines = [_request(session), f"{link}: <code>{html.escape(state.url)}</code>", *map(html.escape, _CALLS)]
        return "".join(f"<p>{line}</p>" for line in [html.escape(lines[0]), *lines[1:]])
    if state.authorization is not None:
        facts = {"Authorized": _request(session), **result_facts(session.client, state.authorization)}
        return _table(facts) + _alert(state.message)
    return "".join(f"<p>{html.escape(line)}</p>" for line in (_request(session), _end(state)))


def render_text(session: ConsentSession) -> str:
    """Return the whole panel as plain text."""
    state = session.state
    if state.url is not None:
        return "\n".join((_request(session), f"Open this address in a browser: {state.url}", *_CALLS))
    if state.authorization is not None:
        facts = result_facts(session.client, state.authorization)
        notice = [state.message] if state.message else []
        return "\n".join(("Authorized.", *(f"{name}: {text}" for name, text in facts.items()), *notice))
    return f"{_request(session)}\n{_end(state)}"


_CALLS = (
    "Then, with this widget in a variable: widget.result(timeout=300) waits for the browser to come back.",
    "Where the tab ends in an error: widget.flow.complete('its address').",
)


def _request(session: ConsentSession) -> str:
    return request_sentence(session.client, session.account_id, session.access)


def _end(state: ConsentState) -> str:
    return f"{_ENDS.get(state.stage, 'Starting')}. {state.message} Run the cell again for a new link."


def _step(number: int, title: str, tense: str, body: str = "") -> str:
    current = ' aria-current="step"' if tense == "now" else ""
    mark = _MARKS.get(tense, str(number))
    return f'<h4 class="{tense}"{current}><b title="step {number}, {_SPOKEN[tense]}">{mark}</b>{title}</h4>{body}'


def _table(facts: Mapping[str, str]) -> str:
    rows = (f"<div><dt>{html.escape(name)}</dt><dd>{html.escape(text)}</dd></div>" for name, text in facts.items())
    return f"<dl>{''.join(rows)}</dl>"


def _alert(message: str) -> str:
    return f'<p class="bad" role="alert">{html.escape(message)}</p>' if message else ""
