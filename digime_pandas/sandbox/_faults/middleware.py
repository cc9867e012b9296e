"""The ASGI middleware: lets the faults happen whose turn it is."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from typing import Any

from digime_pandas.sandbox._context import SandboxContext
from digime_pandas.sandbox._faults.answer import Answer, App, Message, Receive, Send, answer_of, drain
from digime_pandas.sandbox._faults.calls import Scope, calls_of, claims_of
from digime_pandas.sandbox._faults.changes import AnswerChanges
from digime_pandas.sandbox._faults.delivery import (
    end_connection,
    send_early,
    send_interrupted,
    send_last,
    send_whole,
    until_disconnected,
)
from digime_pandas.sandbox._faults.fault import Fault
from digime_pandas.sandbox._faults.plan import FaultPlan, InjectedFault
from digime_pandas.sandbox._wire.error_replies import ErrorReply

_SIGNED = {"authorize", "exchange", "refresh"}


class FaultMiddleware:
    """An ASGI application around the sandbox's own.

    Args:
        app: The application.
        plan: The faults.
        context: What all endpoints share.
    """

    def __init__(self, app: App, plan: FaultPlan, context: SandboxContext) -> None:
        self._app = app
        self._plan = plan
        self._context = context
        self._changes = AnswerChanges(context)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        calls = calls_of(scope)
        injected = self._plan.take(calls)
        if injected is not None:
            await self._fail(injected, scope, receive, send)
        elif self._plan.replaces_key() and not _SIGNED.isdisjoint(calls):
            await send_whole(await self._answer(scope, receive), send)
        else:
            await self._app(scope, receive, send)

    async def _fail(self, injected: InjectedFault, scope: Scope, receive: Receive, send: Send) -> None:
        fault, transport = injected.fault, scope["state"]["transport"]
        if fault.breaks_request or fault.early:
            await receive()  # the beginning of the body
            await asyncio.sleep(fault.delay)
            if fault.early:
                await send_early(self._changes.own(fault), transport, receive)
            else:
                await end_connection(injected, transport)
            await until_disconnected(receive)
            return
        if fault.trickle is not None and fault.place == "request":
            await self._app(scope, _slowly(receive, injected), send)
            return
        answer = await self._answer_to(fault, scope, receive)
        await asyncio.sleep(fault.delay)
        if answer is None:
            return
        if fault.interruption is None and not fault.skew:
            await send_whole(answer, send)
            return
        if fault.interruption is None:
            send_last(answer, transport)
        else:
            await send_interrupted(answer, injected, transport)
        await until_disconnected(receive)

    async def _answer_to(self, fault: Fault, scope: Scope, receive: Receive) -> Answer | None:
        """Return the answer to a request that is received whole; None where it was not."""
        if fault.expired or fault.ignore_scope:
            receive, body = await _received(receive)
            if body is None:
                return None
            if fault.ignore_scope:
                receive = _replayed(_without_scope(body))
        self._change_tokens(fault, scope)
        if not fault.is_carried_out:
            return self._changes.own(fault) if await drain(receive) else None
        answer = await self._answer(scope, receive)
        return self._changes.own(fault) if fault.has_own_answer else self._changes.changed(fault, answer)

    async def _answer(self, scope: Scope, receive: Receive) -> Answer:
        """Return the service's own answer, signed by the key that replaced its own, where one did."""
        answer = await answer_of(self._app, scope, receive)
        is_signed = self._plan.replaces_key() and not _SIGNED.isdisjoint(calls_of(scope))
        return self._changes.signed_anew(answer) if is_signed else answer

    def _change_tokens(self, fault: Fault, scope: Scope) -> None:
        authorizations, now = self._context.authorizations, self._context.now()
        if fault.expired:
            authorizations.expire_access_tokens(now)
        if fault.rotated:
            claims = claims_of(scope)
            with suppress(ErrorReply):  # the application will answer it
                authorizations.refresh(str(claims.get("refresh_token")), str(claims.get("client_id")), now=now)


def _slowly(receive: Receive, injected: InjectedFault) -> Receive:
    async def receive_slowly() -> Message:
        await asyncio.sleep(0 if injected.is_healed else injected.fault.every)
        return await receive()

    return receive_slowly


async def _received(receive: Receive) -> tuple[Receive, bytes | None]:
    """Receive a body whole; return what gives it again, and the body, or None where it broke off."""
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return receive, None
        body += message.get("body", b"")
        if not message.get("more_body", False):
            return _replayed(bytes(body)), bytes(body)


def _replayed(body: bytes) -> Receive:
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Message:
        return messages.pop() if messages else {"type": "http.disconnect"}

    return receive


def _without_scope(body: bytes) -> bytes:
    try:
        document: Any = json.loads(body)
    except ValueError:
        return body
    if isinstance(document, dict):
        document.pop("scope", None)
    return json.dumps(document).encode()
