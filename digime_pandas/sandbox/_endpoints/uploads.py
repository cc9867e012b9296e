"""The endpoints that write a file: through a postbox (encrypted) and by direct import (plain)."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from digime_pandas.sandbox._context import SandboxContext
from digime_pandas.sandbox._endpoints.request_checks import SignedRequest, check_signed, check_user
from digime_pandas.sandbox._endpoints.worker_threads import in_worker_thread
from digime_pandas.sandbox._store.library import PartialFile
from digime_pandas.sandbox._wire.descriptors import parse_descriptor
from digime_pandas.sandbox._wire.envelope import StreamDecryptor, unwrap_key
from digime_pandas.sandbox._wire.error_replies import ErrorReply, ExpiredTokenReply
from digime_pandas.sandbox._wire.json_text import parse_json
from digime_pandas.sandbox._wire.jws import parse_token
from digime_pandas.sandbox._wire.multipart import MultipartFileParser, read_boundary

_IV = re.compile(r"[0-9a-f]{32}")
# Bytes. Large enough that calling a worker thread costs little, small enough for many uploads at once in memory.
_BLOCK_SIZE = 1 << 20
# Bytes of a multipart body besides the file: boundaries, part headers, a second text part.
_MULTIPART_ALLOWANCE = 1 << 16


class Uploads:
    """The endpoints that write a file.

    Args:
        context: What all endpoints share.
    """

    def __init__(self, context: SandboxContext) -> None:
        self._context = context

    async def postbox(self, request: Request) -> Response:
        """Answer ``POST permission-access/postbox/{postbox_id}``: an encrypted file in a multipart body.

        An expired access token is answered ``pending``, and the file is not stored: the Node SDK 8, the last that
        writes to postboxes, refreshes then, and takes a 401 for an error that ends the write (SDK-observed).
        """
        signed = check_signed(self._context, request.headers)
        try:
            user_id = check_user(self._context, signed, "write")
        except ExpiredTokenReply:
            async for _ in request.stream():
                pass
            return self._postbox_answer(signed, None, "pending")
        if request.path_params["postbox_id"] != self._context.authorizations.postbox_id(signed.client_id, user_id):
            raise ErrorReply("InvalidPostbox", "The access token is not for this postbox")
        boundary = read_boundary(request.headers.get("content-type", ""))
        self._check_length(request, allowance=_MULTIPART_ALLOWANCE)
        key, iv, descriptor = await in_worker_thread(self._decrypt_envelope, signed)
        decryptor = StreamDecryptor(key, iv)
        with self._context.library.partial_file(self._context.settings.max_file_size) as partial:
            parser = MultipartFileParser(boundary, lambda piece: partial.write(decryptor.update(piece)))

            def finish() -> Response:
                name = parser.finish()
                partial.write(_decrypted(decryptor.finish))
                if self._context.scripted_replies.pending_writes > 0:
                    self._context.scripted_replies.pending_writes -= 1
                    return self._postbox_answer(signed, user_id, "pending")
                self._add_file(partial, signed, user_id, name, descriptor)
                return self._postbox_answer(signed, user_id, "delivered")

            return await _receive(request, parser.update, finish)

    async def direct_import(self, request: Request) -> Response:
        """Answer ``POST permission-access/import``: the plain bytes as the body."""
        signed = check_signed(self._context, request.headers)
        user_id = check_user(self._context, signed, "write")
        # Earlier Node SDKs send no Content-Type here (SDK-observed).
        if request.headers.get("content-type", "application/octet-stream") != "application/octet-stream":
            raise ErrorReply("UnsupportedMediaType", "The Content-Type is not application/octet-stream")
        self._check_length(request, allowance=0)
        descriptor = _signed_descriptor(request, signed)
        with self._context.library.partial_file(self._context.settings.max_file_size) as partial:

            def finish() -> Response:
                self._add_file(partial, signed, user_id, None, descriptor)
                return Response(status_code=204)

            return await _receive(request, partial.write, finish)

    def _check_length(self, request: Request, *, allowance: int) -> None:
        # Rejected before the body is read. A chunked body has no Content-Length; its bytes are counted as they arrive.
        length = request.headers.get("content-length", "0")
        if int(length) > self._context.settings.max_file_size + allowance:
            raise ErrorReply("FileTooLarge", f"The file is larger than {self._context.settings.max_file_size} bytes")

    def _decrypt_envelope(self, signed: SignedRequest) -> tuple[bytes, bytes, dict[str, Any]]:
        if not _IV.fullmatch(signed.text("iv")):
            raise _invalid_envelope("The claim iv is not 32 lower-case hexadecimal characters")
        iv = bytes.fromhex(signed.text("iv"))
        wrapped, encrypted = (_base64_claim(signed, name) for name in ("symmetrical_key", "metadata"))
        try:
            key = unwrap_key(self._context.keys.postbox, wrapped)
        except ValueError:
            raise _invalid_envelope("The claim symmetrical_key does not open with the postbox key") from None
        decryptor = StreamDecryptor(key, iv)
        plain = _decrypted(lambda: bytes(decryptor.update(encrypted)) + decryptor.finish())
        return key, iv, _parsed_descriptor(plain)

    def _add_file(
        self, partial: PartialFile, signed: SignedRequest, user_id: str, name: str | None, descriptor: dict[str, Any]
    ) -> None:
        self._context.library.add_file(
            partial,
            user_id=user_id,
            writer=signed.registration.contract,
            protocol="import" if name is None else "postbox",
            name=name,
            descriptor=descriptor,
            now=self._context.now(),
        )

    def _postbox_answer(self, signed: SignedRequest, user_id: str | None, status: str) -> Response:
        # The Node SDKs read `status` and `expires`, iOS reads `session` (SDK-observed).
        session = self._context.authorizations.open_session(signed.client_id, user_id, now=self._context.now())
        sent = session.to_dict()
        return JSONResponse({"status": status, "expires": sent["expiry"], "session": sent})


async def _receive(request: Request, update: Callable[[bytes], object], finish: Callable[[], Response]) -> Response:
    """Call `update` with large pieces of the body, then `finish`; both run in a worker thread."""
    pieces: list[bytes] = []
    size = 0
    async for piece in request.stream():
        pieces.append(piece)
        size += len(piece)
        if size >= _BLOCK_SIZE:
            await in_worker_thread(update, b"".join(pieces))
            pieces, size = [], 0

    def last() -> Response:
        update(b"".join(pieces))
        return finish()

    return await in_worker_thread(last)


def _decrypted(decrypt: Callable[[], bytes]) -> bytes:
    try:
        return decrypt()
    except ValueError:
        raise _invalid_envelope("The ciphertext does not open: it is cut, or key and iv are others") from None


def _base64_claim(signed: SignedRequest, name: str) -> bytes:
    try:
        return base64.b64decode(signed.text(name), validate=True)
    except ValueError:  # binascii.Error is one
        raise _invalid_envelope(f"The claim {name} is not standard base64") from None


def _parsed_descriptor(plain: bytes) -> dict[str, Any]:
    try:
        wire = parse_json(plain)
    except ValueError:
        raise ErrorReply("InvalidFileDescriptor", "The file descriptor is not JSON in UTF-8") from None
    parse_descriptor(wire)
    return dict(wire)


def _signed_descriptor(request: Request, signed: SignedRequest) -> dict[str, Any]:
    token = parse_token(request.headers.get("filedescriptor", ""))
    claims = token.verify(signed.registration.contract.private_key.public_key())
    if claims.keys() != {"metadata"}:
        raise ErrorReply("InvalidFileDescriptor", "The FileDescriptor token holds something else than metadata alone")
    parse_descriptor(claims["metadata"])
    return dict(claims["metadata"])


def _invalid_envelope(message: str) -> ErrorReply:
    return ErrorReply("InvalidEnvelope", message)
