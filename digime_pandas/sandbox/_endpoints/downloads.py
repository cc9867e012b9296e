"""Reading back: a session, the list of files, and the files sealed for the read contract."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Iterator
from email.utils import format_datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from digime_pandas.sandbox._context import Registration, Service
from digime_pandas.sandbox._endpoints.request_checks import check_signed, check_user, read_json_object
from digime_pandas.sandbox._store.library import SandboxFile
from digime_pandas.sandbox._wire.descriptors import received_form
from digime_pandas.sandbox._wire.envelope import compress, prefix_digest, seal, sealed_size
from digime_pandas.sandbox._wire.error_replies import Refusal

_BLOCK_SIZE = 1 << 20


class Downloads:
    """The read endpoints of one API version.

    Args:
        service: The service.
        legacy: API v1.6: list and files are asked for with the session key alone, and a blob holds the SHA-512 of
            its content (digi.me API, SDK-observed).
    """

    def __init__(self, service: Service, *, legacy: bool) -> None:
        self._service = service
        self._legacy = legacy

    async def trigger(self, request: Request) -> Response:
        """Answer ``POST permission-access/trigger``: a session over the person's library."""
        signed = check_signed(self._service, request.headers)
        user_id = check_user(self._service, signed, "read")
        await read_json_object(request)
        session_key, expires = self._service.grants.open_session(signed.client_id, user_id, now=self._service.now())
        return JSONResponse({"session": {"key": session_key, "expiry": round(expires * 1000)}})

    async def list_files(self, request: Request) -> Response:
        """Answer ``GET permission-access/query/{session_key}``: how far the session is, and its files."""
        user_id, _ = self._session_user(request)
        rehearsals = self._service.rehearsals
        state = "completed"
        if rehearsals.pending_lists > 0:
            rehearsals.pending_lists -= 1
            state = "pending" if rehearsals.pending_lists else "running"
        answer: dict[str, Any] = {"status": {"state": state}}
        if state != "pending":
            answer["fileList"] = [
                {"name": file.file_id, "updatedDate": round(file.created.timestamp() * 1000)}
                for file in self._service.library.files(user_id)
            ]
        return JSONResponse(answer)

    async def get_file(self, request: Request) -> Response:
        """Answer ``GET`` and ``HEAD`` of ``permission-access/query/{session_key}/{name}``: one sealed file."""
        user_id, reader = self._session_user(request)
        file = self._service.library.file(user_id, request.path_params["name"])
        if file is None:
            raise Refusal("FileNotFound", "This library holds no file of this name")
        compression = self._service.settings.compression
        headers = {
            "Content-Type": "application/octet-stream",
            "Last-Modified": format_datetime(file.created, usegmt=True),
            "X-Metadata": self._metadata(file),
        }
        if compression is None and not self._legacy:
            headers["Content-Length"] = str(sealed_size(file.size))
        blob = iter(()) if request.method == "HEAD" else self._blob(file, reader)
        return StreamingResponse(_in_worker_thread(blob), headers=headers)

    def _blob(self, file: SandboxFile, reader: Registration) -> Iterator[bytes]:
        def content() -> Iterator[bytes]:
            return compress(_read(file), self._service.settings.compression)

        plain = prefix_digest(content) if self._legacy else content()
        return seal(reader.contract.private_key.public_key(), plain)

    def _metadata(self, file: SandboxFile) -> str:
        received = received_form(
            file.descriptor, file.created, application_id=file.application_id, contract_id=file.contract_id
        )
        # "no-compression" is what the vendor's own service says of a plain file (SDK-observed).
        metadata = {"compression": self._service.settings.compression or "no-compression", "metadata": received}
        return base64.urlsafe_b64encode(json.dumps(metadata).encode()).rstrip(b"=").decode()

    def _session_user(self, request: Request) -> tuple[str, Registration]:
        """Return whose session the request names, and who reads, after all checks of the API version."""
        # The token comes first: without it, nothing is told about a session.
        signed = None if self._legacy else check_signed(self._service, request.headers)
        user_id = None if signed is None else check_user(self._service, signed, "read")
        session = self._service.grants.session(request.path_params["session_key"])
        if (
            session is None
            or session.expires <= self._service.now()
            or session.user_id is None
            or (signed is not None and (session.client_id, session.user_id) != (signed.client_id, user_id))
        ):
            raise Refusal("SessionInvalid", "The session is unknown, over, not consented to, or another person's")
        reader = self._service.registrations.get(session.client_id)
        if reader is None or reader.access != "read":
            raise Refusal("InvalidContractDataRequest", "The session is not of a read contract")
        return session.user_id, reader


def _read(file: SandboxFile) -> Iterator[bytes]:
    with file.path.open("rb") as content:
        while piece := content.read(_BLOCK_SIZE):
            yield piece


async def _in_worker_thread(pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
    while (piece := await asyncio.to_thread(next, pieces, None)) is not None:
        yield piece
