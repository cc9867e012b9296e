"""The endpoints that read: a session, the list of files, and a file encrypted for the read contract."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator, Iterator
from email.utils import format_datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from digime_pandas.sandbox._context import Registration, SandboxContext
from digime_pandas.sandbox._endpoints.request_bodies import read_json_object
from digime_pandas.sandbox._endpoints.request_checks import check_signed, check_user, read_scope
from digime_pandas.sandbox._endpoints.worker_threads import in_worker_thread
from digime_pandas.sandbox._store.library import SandboxFile
from digime_pandas.sandbox._wire.descriptors import descriptor_for_readers
from digime_pandas.sandbox._wire.envelope import blob_size, compress, encrypt_blob, prefix_digest
from digime_pandas.sandbox._wire.error_replies import ErrorReply
from digime_pandas.sandbox._wire.session_scopes import SessionScope

_BLOCK_SIZE = 1 << 20


class Downloads:
    """The endpoints that read, of one API version.

    Args:
        context: What all endpoints share.
        legacy: Whether it is API v1.6: list and files are requested with the session key alone, and a file is
            prefixed with its SHA-512 (digi.me API, SDK-observed).
    """

    def __init__(self, context: SandboxContext, *, legacy: bool) -> None:
        self._context = context
        self._legacy = legacy

    async def trigger(self, request: Request) -> Response:
        """Answer ``POST permission-access/trigger``: a session for the person's library."""
        signed = check_signed(self._context, request.headers)
        user_id = check_user(self._context, signed, "read")
        scope = read_scope(self._context, await read_json_object(request))
        session = self._context.authorizations.open_session(
            signed.client_id, user_id, now=self._context.now(), scope=scope
        )
        return JSONResponse({"session": session.to_dict()})

    async def list_files(self, request: Request) -> Response:
        """Answer ``GET permission-access/query/{session_key}``: the session's state, and its files."""
        user_id, scope, _ = self._session_user(request)
        scripted = self._context.scripted_replies
        state = "completed"
        if scripted.pending_lists > 0:
            scripted.pending_lists -= 1
            state = "pending" if scripted.pending_lists else "running"
        answer: dict[str, Any] = {"status": {"state": state}}
        if state != "pending":
            answer["fileList"] = [
                {"name": file_id, "updatedDate": created}
                for file_id, created in self._context.library.listing(user_id, scope)
            ]
        return JSONResponse(answer)

    async def get_file(self, request: Request) -> Response:
        """Answer ``GET`` and ``HEAD`` of ``permission-access/query/{session_key}/{name}``: one encrypted file."""
        user_id, scope, reader = self._session_user(request)
        file = self._context.library.file(user_id, request.path_params["name"], scope)
        if file is None:
            raise ErrorReply("FileNotFound", "This library holds no file of this name in the session's scope")
        compression = self._context.settings.compression
        headers = {
            "Content-Type": "application/octet-stream",
            "Last-Modified": format_datetime(file.created, usegmt=True),
            "X-Metadata": self._metadata(file),
        }
        if compression is None and not self._legacy:
            headers["Content-Length"] = str(blob_size(file.size))
        # The answer to HEAD has the header fields of the one to GET: no length where that has none.
        body = _nothing() if request.method == "HEAD" else _each_in_worker_thread(self._blob(file, reader))
        return StreamingResponse(body, headers=headers)

    def _blob(self, file: SandboxFile, reader: Registration) -> Iterator[bytes]:
        def content() -> Iterator[bytes]:
            return compress(_read(file), self._context.settings.compression)

        plain = prefix_digest(content) if self._legacy else content()
        return encrypt_blob(reader.contract.private_key.public_key(), plain, self._context.settings.random_bytes)

    def _metadata(self, file: SandboxFile) -> str:
        received = descriptor_for_readers(
            file.descriptor, file.created, application_id=file.application_id, contract_id=file.contract_id
        )
        # "no-compression" is the vendor's value for a plain file (SDK-observed).
        metadata = {"compression": self._context.settings.compression or "no-compression", "metadata": received}
        return base64.urlsafe_b64encode(json.dumps(metadata).encode()).rstrip(b"=").decode()

    def _session_user(self, request: Request) -> tuple[str, SessionScope | None, Registration]:
        """Check a request; return the person and the scope of its session, and the contract that reads."""
        # The token is checked first: without it, no reply depends on whether a session exists.
        signed = None if self._legacy else check_signed(self._context, request.headers)
        user_id = None if signed is None else check_user(self._context, signed, "read")
        session = self._context.authorizations.session(request.path_params["session_key"])
        if (
            session is None
            or session.expires <= self._context.now()
            or session.user_id is None
            or (signed is not None and (session.client_id, session.user_id) != (signed.client_id, user_id))
        ):
            raise ErrorReply("SessionInvalid", "The session is unknown, over, not consented to, or another person's")
        reader = self._context.registrations.get(session.client_id)
        if reader is None or reader.access != "read":
            raise ErrorReply("InvalidContractDataRequest", "The session is not of a read contract")
        return session.user_id, session.scope, reader


def _read(file: SandboxFile) -> Iterator[bytes]:
    with file.path.open("rb") as content:
        while piece := content.read(_BLOCK_SIZE):
            yield piece


async def _nothing() -> AsyncIterator[bytes]:
    return
    yield b""


async def _each_in_worker_thread(pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
    while (piece := await in_worker_thread(next, pieces, None)) is not None:
        yield piece
