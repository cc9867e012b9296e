"""The panel below a notebook cell, as HTML and as text: one function for each of its parts."""

from __future__ import annotations

import html
from collections.abc import Mapping
from dataclasses import replace

from digime_pandas._client.consent.descriptions import (
    forget_call,
    next_call,
    request_facts,
    request_sentence,
    result_facts,
    result_sentence,
)
from digime_pandas._client.consent.session import ConsentSession, ConsentState
from digime_pandas._client.consent.state import AGAIN, span_text
from digime_pandas._service.authorization import Authorization

# JupyterLab's and VS Code's own colours where they define them; elsewhere colours for light and dark pages.
STYLE = """<style>
.digime-consent{max-width:44rem;margin:4px 0;padding:8px 16px 12px;
border:1px solid var(--digime-line);border-radius:8px;
color:var(--jp-ui-font-color1,var(--vscode-editor-foreground,inherit));
font:14px/1.5 var(--jp-ui-font-family,system-ui,sans-serif);box-sizing:border-box;overflow:hidden;
--digime-quiet:var(--jp-ui-font-color2,var(--vscode-descriptionForeground,inherit));
--digime-line:var(--jp-border-color1,var(--vscode-panel-border,#8888))}
.digime-consent.jupyter-widgets-disconnected{display:none!important}
.digime-consent .widget-html{margin:0;width:auto;height:auto;min-width:0}
.digime-consent .widget-html-content{min-width:0;height:auto;font:inherit;line-height:1.5;overflow:visible;
white-space:normal}
.digime-consent h4{display:flex;align-items:center;gap:8px;margin:8px 0 4px;font:inherit;font-size:1.1em;
font-weight:600;color:inherit}
.digime-consent h4 b{flex:none;width:1.6em;height:1.6em;border-radius:50%;text-align:center;line-height:1.6em;
font-weight:600;background:#6b7280;color:#fff}
.digime-consent h4.later{font-weight:normal;color:var(--digime-quiet)}
.digime-consent h4.now b{background:#1565c0}
.digime-consent h4.over b{background:#2e7d32}
.digime-consent h4.bad b{background:#c62828}
.digime-consent dl{width:auto;margin:0 0 4px 2.4em}
.digime-consent dl div{display:flex;flex-wrap:wrap;gap:0 8px}
.digime-consent dt{flex:0 0 7em;margin:0;font-weight:normal;color:var(--digime-quiet)}
.digime-consent dd{flex:1 1 14em;margin:0;overflow-wrap:anywhere}
.digime-consent p{margin:4px 0 6px 2.4em;font:inherit;overflow-wrap:anywhere}
.digime-consent p.bad{padding-left:8px;border-left:3px solid #c62828}
.digime-consent a.digime-link{display:inline-block;padding:6px 14px;border-radius:4px;background:#1565c0;color:#fff;
font-weight:600;text-decoration:none}
.digime-consent a.digime-link:hover{background:#0d47a1}
.digime-consent a.digime-link:focus-visible{outline:3px solid #90caf9;outline-offset:2px}
.digime-consent .digime-line a{color:var(--jp-content-link-color,var(--vscode-textLink-foreground,LinkText))}
.digime-consent code{padding:1px 4px;border:0;border-radius:4px;background:#8882;color:inherit;user-select:all;
font:13px/1.5 var(--jp-code-font-family,ui-monospace,Menlo,Consolas,monospace);overflow-wrap:anywhere}
.digime-consent .digime-line{margin-left:0;overflow-wrap:anywhere}
.digime-consent .digime-line b{display:inline-block;width:1.6em;height:1.6em;border-radius:50%;background:#2e7d32;
color:#fff;font-size:.8em;font-weight:600;line-height:1.6em;text-align:center}
.digime-consent details{margin:4px 0 0}
.digime-consent details p,.digime-consent details dl{margin-left:1em}
.digime-consent .digime-line details{display:inline-block;margin:0;vertical-align:top}
.digime-consent summary{cursor:pointer;color:var(--digime-quiet)}
.digime-consent .digime-row{margin-left:2.4em;flex-wrap:wrap;overflow:visible}
.digime-consent .digime-row .widget-label{flex:none;width:auto}
.digime-consent .digime-row>.widget-text{flex:1 1 14em;min-width:0;width:auto}
.digime-consent .digime-row>button{flex:none;width:auto;min-width:8em}
.digime-consent .digime-controls{display:flex;gap:8px;margin-bottom:4px}
.digime-consent .digime-controls[hidden]{display:none}
.digime-consent .digime-controls>*{padding:4px 12px;border:1px solid var(--digime-line);border-radius:4px;
background:transparent;color:inherit;font:inherit}
.digime-consent .digime-controls>input{flex:1 1 14em;min-width:0}
.digime-consent .digime-controls>button{cursor:pointer}
.digime-consent.digime-settled .digime-row{margin:8px 0 0}
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
_AGAIN = "Run the cell again for a new link."


def render_request(session: ConsentSession) -> str:
    """Return step 1: the request, with the application, the account and the service; nothing once it is settled."""
    if session.state.is_settled:
        return ""
    return _step(1, "What is asked", "over", _table(request_facts(session.client, session.account_id, session.access)))


def render_link(state: ConsentState) -> str:
    """Return step 2: the link to the consent page; nothing once it is settled."""
    if state.is_settled:
        return ""
    if state.url is None:
        return _step(2, "Give consent", "now", '<p role="status">Asking the service for a consent link …</p>')
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
        return ""
    if state.stage == "starting":
        return _step(3, "Come back", "later")
    if state.stage in _BY_HAND:
        return _step(
            3, _ENDS[state.stage], "later", f'<p role="status">{html.escape(state.message)}</p>', mark="&#8211;"
        )
    if state.stage != "waiting":
        return _step(3, _ENDS[state.stage], "bad", _alert(state.message))
    hint = (
        f"{html.escape(not_listening)} When the consent page has sent you on, copy the address of that tab and paste "
        "it here."
        if not_listening
        else "This page notices when you are done. The tab ends in an error instead? Copy its address from the address "
        "bar and paste it here."
    )
    most = span_text(minutes * 60)
    waiting = f'<p role="status">Waiting for consent, for {most} at most. {hint}</p>'
    return _step(3, "Come back", "later", waiting + _alert(state.message))


def render_result(session: ConsentSession, *, forget: bool = False) -> str:
    """Return the result in one line, the next line of code, a notice if there is one, and details, folded.

    Args:
        session: The session, which is settled or not: then there is no result.
        forget: Show the call that forgets it, for where there is no button.
    """
    state = session.state
    if state.authorization is None:
        return f"<p>{html.escape(_request(session))}</p>" if state.is_settled else ""
    asked = request_facts(session.client, session.account_id, session.access)
    facts = asked | result_facts(session.client, state.authorization)
    said = html.escape(result_sentence(session.client, state.authorization))
    button = f" · {_forget(state.authorization)}" if forget else ""
    title = "Done" if session.flow is not None else "Authorized already"
    return (
        f'<div class="digime-line" role="status"><b>✓</b> {said}{button}</div>{_alert(state.message)}'
        f'<p class="digime-line">Next: <code>{html.escape(next_call(state.authorization))}</code></p>'
        f"<details><summary>{title}: details</summary>{_table(facts)}</details>"
    )


def render_html(session: ConsentSession) -> str:
    """Return the whole panel for front ends without widgets, and for when nothing changes any more."""
    state = session.state
    if state.authorization is not None:
        content = render_result(session, forget=True)
    elif state.url is not None:
        link = f'<a href="{html.escape(state.url)}" target="_blank" rel="noopener noreferrer">Open the consent page</a>'
        lines = [_request(session), f"{link}: <code>{html.escape(state.url)}</code>", *map(html.escape, _CALLS)]
        paragraphs = [html.escape(lines[0]), *lines[1:]]
        content = "".join(f'<p class="digime-line">{line}</p>' for line in paragraphs) + _alert(state.message)
    elif state.is_settled:
        here = replace(state, message=_without_start(state.message), url=None)
        content = render_wait(here, not_listening="", minutes=0) + f"<p>{html.escape(_request(session))} {_AGAIN}</p>"
    else:
        content = render_request(session) + render_link(state)
    return f'{STYLE}<div class="digime-consent">{content}</div>'


def render_text(session: ConsentSession) -> str:
    """Return the whole panel as plain text."""
    state = session.state
    notice = [state.message] if state.message else []
    if state.url is not None:
        return "\n".join((_request(session), f"Open this address in a browser: {state.url}", *_CALLS, *notice))
    if state.authorization is not None:
        lines = [f"Authorized. {result_sentence(session.client, state.authorization)}"]
        lines += [f"{name}: {text}" for name, text in result_facts(session.client, state.authorization).items()]
        calls = [f"Next: {next_call(state.authorization)}", f"To forget it: {forget_call(state.authorization)}"]
        return "\n".join((*lines, *calls, *notice))
    end = (
        f"{_ENDS[state.stage]}. {_without_start(state.message)} {_AGAIN}"
        if state.is_settled
        else "Asking for a consent link …"
    )
    return f"{_request(session)}\n{end}"


def render_earlier(name: str) -> str:
    """Return the line that is shown in place of a panel whose kernel is gone; `hide_earlier` hides it till then.

    Saved notebooks hold it beside the panel while that waits. Front ends show an error in place of a panel that is no
    longer there, which is hidden where a page can do that.

    Args:
        name: Tells it from others on the page.
    """
    output = ".jp-OutputArea-child"
    no_panel = f"{output}:not(:has(.digime-consent)):has(+{output} .digime-earlier-{name})"
    return (
        f"<style>{no_panel}{{display:none}}</style>"
        f'<p class="digime-earlier-{name}" style="margin:4px 0;padding:8px 16px;border:1px solid #8886;'
        'border-radius:8px">This panel is from an earlier kernel: run the cell again.</p>'
    )


def hide_earlier(name: str) -> str:
    """Return the style, for within a panel, that hides the line of `render_earlier` as long as the panel works."""
    line = f".digime-earlier-{name}"
    gone = f".jp-OutputArea:has(.digime-consent.jupyter-widgets-disconnected) {line}"
    return f"<style>{line}{{display:none}}{gone}{{display:block}}</style>"


_CALLS = (
    "Then, with this widget in a variable: widget.result(timeout=300) waits for the browser to come back.",
    "Where the tab ends in an error: widget.flow.complete('its address').",
)


def _request(session: ConsentSession) -> str:
    return request_sentence(session.client, session.account_id, session.access)


def _without_start(message: str) -> str:
    """Return a message without the advice to press a button, for where there is none."""
    return message.replace(AGAIN, "").strip()


def _forget(authorization: Authorization) -> str:
    call = html.escape(forget_call(authorization))
    return f"<details><summary>Forget</summary><code>{call}</code></details>"


def _step(number: int, title: str, tense: str, body: str = "", mark: str = "") -> str:
    current = ' aria-current="step"' if tense == "now" else ""
    mark = mark or _MARKS.get(tense, str(number))
    return f'<h4 class="{tense}"{current}><b title="step {number}, {_SPOKEN[tense]}">{mark}</b>{title}</h4>{body}'


def _table(facts: Mapping[str, str]) -> str:
    rows = (f"<div><dt>{html.escape(name)}</dt><dd>{html.escape(text)}</dd></div>" for name, text in facts.items())
    return f"<dl>{''.join(rows)}</dl>"


def _alert(message: str) -> str:
    return f'<p class="bad" role="alert">{html.escape(message)}</p>' if message else ""
