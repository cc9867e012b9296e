"""Small request bodies, read whole: JSON objects and forms."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import Request

from digime_pandas.sandbox._wire.error_replies import ErrorReply
from digime_pandas.sandbox._wire.json_text import parse_json

# Bytes. Bodies of vendor clients have some hundred.
MAX_BODY_SIZE = 1 << 20


async def read_json_object(request: Request) -> Mapping[str, Any]:
    """Return the body of a request, a JSON object.

    Raises:
        ErrorReply: ``InvalidRequest``: it is none, or larger than `MAX_BODY_SIZE`.
    """
    try:
        body = parse_json(await _read_body(request))
    except ValueError:
        raise ErrorReply("InvalidRequest", "The body is not JSON") from None
    if not isinstance(body, dict):
        raise ErrorReply("InvalidRequest", "The body is not a JSON object")
    return body


async def read_form(request: Request) -> Mapping[str, str]:
    """Return the fields of a URL-encoded form; of fields with the same name, the last one.

    Raises:
        ErrorReply: ``InvalidRequest``: the body is not URL-encoded text, or larger than `MAX_BODY_SIZE`.
    """
    try:
        return dict(parse_qsl((await _read_body(request)).decode("ascii"), keep_blank_values=True))
    except ValueError:
        raise ErrorReply("InvalidRequest", "The body is not a URL-encoded form") from None


async def _read_body(request: Request) -> bytes:
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > MAX_BODY_SIZE:
            raise ErrorReply("InvalidRequest", f"The body is larger than {MAX_BODY_SIZE} bytes")
    return bytes(body)
