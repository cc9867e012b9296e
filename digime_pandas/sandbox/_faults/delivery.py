"""How an answer leaves: whole, or as far as the fault of its connection lets it."""

from __future__ import annotations

import asyncio
import os
import socket
import struct
from contextlib import suppress
from dataclasses import replace
from http import HTTPStatus

from digime_pandas.sandbox._faults.answer import Answer, Receive, Send
from digime_pandas.sandbox._faults.plan import InjectedFault

_LOOK_SECONDS = 0.02
_LINGER_SECONDS = 5.0
# SO_LINGER: closed with a reset, at once.
_RESET = struct.pack("hh" if os.name == "nt" else "ii", 1, 0)


async def send_whole(answer: Answer, send: Send) -> None:
    """Send an answer whole, over a connection that stays open."""
    length = len(answer.shown_body) if answer.length is None else answer.length
    has_length = answer.status != HTTPStatus.NO_CONTENT
    fields = [*answer.headers, *([("content-length", str(length))] if has_length else [])]
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in fields]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.shown_body})


def send_last(answer: Answer, transport: asyncio.Transport) -> None:
    """Send an answer whole with its own header fields alone, and close the connection: uvicorn would add a Date."""
    transport.write(answer.head() + answer.shown_body)
    transport.close()


async def send_early(answer: Answer, transport: asyncio.Transport, receive: Receive) -> None:
    """Send an answer while the request is still sent, and read on until the client closes the connection.

    To close it at once could reset it, and the answer could be lost with that.
    """
    transport.write(answer.head() + answer.shown_body)
    with suppress(TimeoutError):
        async with asyncio.timeout(_LINGER_SECONDS):
            await until_disconnected(receive)
    transport.close()


async def send_interrupted(answer: Answer, injected: InjectedFault, transport: asyncio.Transport) -> None:
    """Send an answer as far as a fault lets it; the connection ends with it."""
    if injected.fault.place == "body" and not answer.shown_body:
        # A body that can break off is needed.
        answer = replace(answer, status=HTTPStatus.OK, body=b"{}")
    head, body = answer.head(), answer.shown_body
    if injected.fault.trickle is not None:
        await _trickle(head, body, injected, transport)
        return
    sent = {"answer": b"", "head": head[: len(head) // 2], "body": head + body[: len(body) // 2]}
    transport.write(sent[str(injected.fault.place)])
    await end_connection(injected, transport)


async def end_connection(injected: InjectedFault, transport: asyncio.Transport) -> None:
    """Close or reset a connection, or leave it silent until the client closes it or the fault is taken back."""
    if injected.fault.hang is not None:
        await _closed(transport, injected)
    reset_or_close(injected, transport)


def reset_or_close(injected: InjectedFault, transport: asyncio.Transport) -> None:
    """Close a connection, or reset it."""
    connected = transport.get_extra_info("socket")
    if injected.fault.cut is None and connected is not None and not transport.is_closing():
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        transport.abort()
    else:
        transport.close()


async def until_disconnected(receive: Receive) -> None:
    """Wait for the end of a connection that was closed here."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def _trickle(head: bytes, body: bytes, injected: InjectedFault, transport: asyncio.Transport) -> None:
    at_once = head if injected.fault.place == "body" else b""
    transport.write(at_once)
    rest = (head + body)[len(at_once) :]
    for position in range(len(rest)):
        if transport.is_closing() or injected.is_healed:
            transport.write(rest[position:])
            break
        transport.write(rest[position : position + 1])
        await asyncio.sleep(injected.fault.every)
    transport.close()


async def _closed(transport: asyncio.Transport, injected: InjectedFault) -> None:
    # Looked at again and again, since faults are taken back in other threads.
    while not transport.is_closing() and not injected.is_healed:  # noqa: ASYNC110
        await asyncio.sleep(_LOOK_SECONDS)
