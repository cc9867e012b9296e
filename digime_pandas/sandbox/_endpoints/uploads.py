"""Writes into a library: through a postbox (sealed) and by direct import (plain)."""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
import re
from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from digime_pandas.sandbox._context import Service
from digime_pandas.sandbox._endpoints.request_checks import SignedRequest, check_signed, check_user
from digime_pandas.sandbox._store.library import PartialFile
from digime_pandas.sandbox._wire.descriptors import read_descriptor
from digime_pandas.sandbox._wire.envelope import Opener, unwrap_key
from digime_pandas.sandbox._wire.error_replies import Refusal
from digime_pandas.sandbox._wire.jws import parse_token
from digime_pandas.sandbox._wire.multipart import FilePart, read_boundary

_IV = re.compile(r"[0-9a-f]{32}")
# Large enough that the hop to a worker thread does not show, small enough that many uploads fit into memory.
_BLOCK_SIZE = 1 << 20
# What a multipart body has besides the file: boundaries, part headers, a second text part.
_MULTIPART_ALLOWANCE = 1 << 16


class Uploads:
    """The write endpoints.

    Args:
        service: The service.
    """

    def __init__(self, service: Service) -> None:
        self._service = service

    async def postbox(self, request: Request) -> Response:
        """Answer ``POST permission-access/postbox/{postbox_id}``: a sealed file in a multipart body."""
        signed = check_signed(self._service, request.headers)
        user_id = check_user(self._service, signed, "write")
        if request.path_params["postbox_id"] != self._service.grants.postbox(signed.client_id, user_id):
            raise Refusal("InvalidPostbox", "The access token is not for this postbox")
        boundary = read_boundary(request.headers.get("content-type", ""))
        self._check_length(request, allowance=_MULTIPART_ALLOWANCE)
        key, iv, descriptor = await asyncio.to_thread(self._open_envelope, signed)
        opener = Opener(key, iv)
        with self._service.library.incoming(self._service.settings.max_file_size) as incoming:
            part = FilePart(boundary, lambda piece: incoming.write(opener.update(piece)))

            def finish() -> Response:
                name = part.finish()
                incoming.write(_opened(opener.finish))
                if self._service.rehearsals.pending_writes > 0:
                    self._service.rehearsals.pending_writes -= 1
                    return self._postbox_answer(signed, user_id, "pending")
                self._add(incoming, signed, user_id, name, descriptor)
                return self._postbox_answer(signed, user_id, "delivered")

            return await _receive(request, part.update, finish)

    async def direct_import(self, request: Request) -> Response:
        """Answer ``POST permission-access/import``: the plain bytes as the body."""
        signed = check_signed(self._service, request.headers)
        user_id = check_user(self._service, signed, "write")
        # Earlier Node SDKs send no Content-Type here (SDK-observed).
        if request.headers.get("content-type", "application/octet-stream") != "application/octet-stream":
            raise Refusal("UnsupportedMediaType", "The Content-Type is not application/octet-stream")
        self._check_length(request, allowance=0)
        descriptor = _signed_descriptor(request, signed)
        with self._service.library.incoming(self._service.settings.max_file_size) as incoming:

            def finish() -> Response:
                self._add(incoming, signed, user_id, None, descriptor)
                return Response(status_code=204)

            return await _receive(request, incoming.write, finish)

    def _check_length(self, request: Request, *, allowance: int) -> None:
        # Refused by its header, before the body is read. A chunked body has none and is counted as it comes.
        length = request.headers.get("content-length", "0")
        if int(length) > self._service.settings.max_file_size + allowance:
            raise Refusal("FileTooLarge", f"The file is larger than {self._service.settings.max_file_size} bytes")

    def _open_envelope(self, signed: SignedRequest) -> tuple[bytes, bytes, dict[str, Any]]:
        if not _IV.fullmatch(signed.text("iv")):
            raise Refusal("InvalidEnvelope", "The claim iv is not 32 lower-case hexadecimal characters")
        iv = bytes.fromhex(signed.text("iv"))
        wrapped, sealed = (_base64_claim(signed, name) for name in ("symmetrical_key", "metadata"))
        try:
            key = unwrap_key(self._service.keys.postbox, wrapped)
        except ValueError:
            raise Refusal("InvalidEnvelope", "The claim symmetrical_key does not open with the postbox key") from None
        opener = Opener(key, iv)
        plain = _opened(lambda: bytes(opener.update(sealed)) + opener.finish())
        return key, iv, _descriptor(plain)

    def _add(
        self, incoming: PartialFile, signed: SignedRequest, user_id: str, name: str | None, descriptor: dict[str, Any]
    ) -> None:
        self._service.library.add(
            incoming,
            user_id=user_id,
            writer=signed.registration.contract,
            protocol="import" if name is None else "postbox",
            name=name,
            descriptor=descriptor,
            now=self._service.now(),
        )

    def _postbox_answer(self, signed: SignedRequest, user_id: str, status: str) -> Response:
        # The Node SDKs read `status` and `expires`, iOS reads `session` (SDK-observed); milliseconds are inferred.
        session_key, expires = self._service.grants.open_session(signed.client_id, user_id, now=self._service.now())
        session = {"key": session_key, "expiry": round(expires * 1000)}
        return JSONResponse({"status": status, "expires": session["expiry"], "session": session})


async def _receive(request: Request, update: Callable[[bytes], object], finish: Callable[[], Response]) -> Response:
    """Hand a body to `update` in large pieces, then call `finish`; both run in a worker thread."""
    pieces: list[bytes] = []
    size = 0
    async for piece in request.stream():
        pieces.append(piece)
        size += len(piece)
        if size >= _BLOCK_SIZE:
            await asyncio.to_thread(update, b"".join(pieces))
            pieces, size = [], 0

    def last() -> Response:
        update(b"".join(pieces))
        return finish()

    return await asyncio.to_thread(last)


def _opened(open_: Callable[[], bytes]) -> bytes:
    try:
        return open_()
    except ValueError:
        raise Refusal("InvalidEnvelope", "The ciphertext does not open: it is cut, or key and iv are others") from None


def _base64_claim(signed: SignedRequest, name: str) -> bytes:
    try:
        return base64.b64decode(signed.text(name), validate=True)
    except (binascii.Error, ValueError):
        raise Refusal("InvalidEnvelope", f"The claim {name} is not standard base64") from None


def _descriptor(plain: bytes) -> dict[str, Any]:
    try:
        wire = json.loads(plain)
    except ValueError:
        raise Refusal("InvalidFileDescriptor", "The file descriptor is not JSON in UTF-8") from None
    read_descriptor(wire)
    return dict(wire)


def _signed_descriptor(request: Request, signed: SignedRequest) -> dict[str, Any]:
    token = parse_token(request.headers.get("filedescriptor", ""))
    claims = token.verify(signed.registration.contract.private_key.public_key())
    if claims.keys() != {"metadata"}:
        raise Refusal("InvalidFileDescriptor", "The FileDescriptor token holds something else than metadata alone")
    read_descriptor(claims["metadata"])
    return dict(claims["metadata"])
