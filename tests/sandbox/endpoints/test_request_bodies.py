from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
from starlette.requests import Request

from digime_pandas.sandbox._endpoints.request_bodies import MAX_BODY_SIZE, read_form, read_json_object
from digime_pandas.sandbox._wire.error_replies import ErrorReply

from .protocol_client import Consent, ProtocolClient, error_reply, pieces

pytestmark = pytest.mark.slow


def read(reader: Callable[[Request], Awaitable[Any]], body: bytes, size: int = 1000) -> Any:
    """Read a body that arrives in pieces of `size` bytes."""
    messages = [{"type": "http.request", "body": piece, "more_body": True} for piece in pieces(body, size)]
    messages.append({"type": "http.request", "body": b"", "more_body": False})
    waiting = iter(messages)

    async def receive() -> dict[str, Any]:
        return next(waiting)

    async def run() -> Any:
        return await reader(Request({"type": "http"}, receive))

    return asyncio.run(run())


def test_a_json_object_is_read() -> None:
    assert read(read_json_object, '{"a": "中"}'.encode(), 1) == {"a": "中"}


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"a"', b"\xff", b"[" * 100_000])
def test_any_other_body_is_refused(body: bytes) -> None:
    with pytest.raises(ErrorReply) as raised:
        read(read_json_object, body)
    assert raised.value.code == "InvalidRequest"


def test_a_form_is_read_the_last_of_two_equal_names_counts() -> None:
    assert read(read_form, b"a=1&b=%C3%BC+x&c=&a=2", 1) == {"a": "2", "b": "ü x", "c": ""}
    assert read(read_form, b"") == {}


def test_a_form_of_other_bytes_is_refused() -> None:
    with pytest.raises(ErrorReply, match="form"):
        read(read_form, b"a=\xff")


@pytest.mark.parametrize("reader", [read_json_object, read_form])
def test_a_body_has_at_most_its_limit(reader: Callable[[Request], Awaitable[Any]]) -> None:
    with pytest.raises(ErrorReply, match="larger than"):
        read(reader, b" " * (MAX_BODY_SIZE + 1))


def test_endless_bodies_are_refused_over_http(api: ProtocolClient, person: Consent) -> None:
    block = b"x" * (1 << 16)
    headers = api.headers(person.contract)
    body = {"agent": {"sdk": {"name": "x" * MAX_BODY_SIZE, "version": "1"}}}
    assert error_reply(api.authorize(person.contract, body=body)) == (400, "InvalidRequest")
    answer = httpx.post(
        f"{api.sandbox.onboard_url}authorize", content=(block for _ in range(20)), headers=headers, trust_env=False
    )
    assert error_reply(answer) == (400, "InvalidRequest")
