"""Consent asked for in a terminal, to which the browser comes back or in which its address is pasted."""

from __future__ import annotations

import os
import queue
import sys
import threading
import time
import webbrowser
from collections.abc import Callable, Iterator
from typing import TypeAlias

from digime_pandas._client.client import Client
from digime_pandas._client.command_line.output import print_notice
from digime_pandas._client.consent.authorize import refreshed_authorization
from digime_pandas._client.consent.descriptions import request_sentence
from digime_pandas._client.consent.prompts import TerminalPrompt
from digime_pandas._service.authorization import Access, Authorization
from digime_pandas._service.masking.secret import Secret
from digime_pandas._service.oauth.flow import AuthorizationFlow
from digime_pandas.errors import AuthorizationError, AuthorizationTimeoutError, RedirectError

_TICK_SECONDS = 0.25
_PIECE_BYTES = 65_536
_PASTE = "On another computer, paste here the whole address that the browser ends at, and press Enter."

Lines: TypeAlias = "queue.SimpleQueue[Secret[str] | None]"
"""Lines that were entered; None at their end."""


def authorize_here(
    client: Client, account_id: str, access: Access, *, timeout: float, open_browser: bool
) -> Authorization:
    """Ask for consent, and wait until it is given in this computer's browser or an address is pasted.

    Args:
        client: The client.
        account_id: The person's id in your own system.
        access: ``"write"`` or ``"read"``.
        timeout: Seconds to wait at most.
        open_browser: Whether to open the consent page here. Where not, standard input is read, whatever it is.

    Raises:
        DigimeError: As for `authorize`.
    """
    known = refreshed_authorization(client, account_id, access)
    if known is not None:
        return known
    with client.begin_authorization(account_id, access=access) as flow:
        # What is no terminal may be the input of a loop around this command, and is left alone where possible.
        is_read = not open_browser or not flow.listens or _is_terminal()
        request = request_sentence(client, account_id, access)
        prompt = TerminalPrompt(f"{request} {_PASTE}" if is_read else request, flow.url)
        outcome = f"Account {account_id!r} is not authorized."
        try:
            prompt.show(timeout)
            if open_browser and flow.listens and not webbrowser.open(flow.url):
                print_notice("no browser can be opened here")
            # The time that is left would be written into what is being pasted.
            authorization = _wait(flow, timeout, _entered() if is_read else None, _ignore if is_read else prompt.show)
            outcome = f"Account {account_id!r} is authorized."
        finally:
            prompt.end(outcome)
        return authorization


def _ignore(seconds_left: float) -> None:
    """Show nothing."""


def _wait(
    flow: AuthorizationFlow,
    timeout: float,
    lines: Lines | None,
    show: Callable[[float], object],
    clock: Callable[[], float] = time.monotonic,
) -> Authorization:
    """Wait for the browser, and for lines where they are read, in turns."""
    end = clock() + timeout
    while (left := end - clock()) > 0:
        tick = min(left, _TICK_SECONDS)
        found = _pasted(flow, lines, 0.0 if flow.listens else tick)
        if found is not None:
            return found
        if flow.listens:
            try:
                return flow.wait(tick)
            except AuthorizationTimeoutError:
                show(left)
    raise AuthorizationTimeoutError(
        f"Nobody gave consent for account {flow.account_id!r} within {timeout:g} seconds.",
        remedy="Call this again with more time.",
        command="Try again with a larger --timeout, or make a link with digime-pandas invite, and complete it later "
        "with digime-pandas authorize --address -",
    )


def _pasted(flow: AuthorizationFlow, lines: Lines | None, seconds: float) -> Authorization | None:
    """Complete with the next line, where there is one within so many seconds."""
    if lines is None:
        return None
    try:
        line = lines.get(block=seconds > 0, timeout=seconds or None)
    except queue.Empty:
        return None
    if line is None:
        if flow.listens:
            return None
        raise AuthorizationError(
            f"{flow.not_listening} And standard input ended before an address was pasted.",
            command="Run this in a terminal; or make a link with digime-pandas invite and complete it later with "
            "digime-pandas authorize --address -",
        )
    try:
        return flow.complete(line.reveal()) if line.reveal().strip() else None
    except RedirectError as error:
        print_notice(error.text("shell"))
        return None


def _is_terminal() -> bool:
    try:
        return sys.stdin.isatty()
    except (AttributeError, ValueError):  # there is none, or it is closed
        return False


def _entered() -> Lines:
    """Return the lines of standard input, as they come."""
    lines: Lines = queue.SimpleQueue()
    threading.Thread(target=_read_lines, args=(lines,), name="stdin-of-digime", daemon=True).start()
    return lines


def _read_lines(lines: Lines) -> None:
    try:
        for line in _lines():
            lines.put(Secret(line))
    except (OSError, ValueError, AttributeError):  # there is none, or it is closed
        pass
    lines.put(None)


def _lines() -> Iterator[str]:
    try:
        number = sys.stdin.fileno()
    except (AttributeError, OSError):  # put there by a program
        yield from sys.stdin
        return
    # Not through `sys.stdin`, whose lock would be held by this thread when the interpreter ends.
    rest = b""
    while piece := os.read(number, _PIECE_BYTES):
        *whole, rest = (rest + piece).split(b"\n")
        yield from (line.decode(errors="replace") for line in whole)
    if rest:
        yield rest.decode(errors="replace")
