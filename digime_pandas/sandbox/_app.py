"""The ASGI application: the routes of all endpoints, and the replies to errors."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from http import HTTPStatus

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route

from digime_pandas.sandbox._context import SandboxContext
from digime_pandas.sandbox._endpoints.consent_page import ConsentPage
from digime_pandas.sandbox._endpoints.downloads import Downloads
from digime_pandas.sandbox._endpoints.file_page import FilePage
from digime_pandas.sandbox._endpoints.oauth import OAuth
from digime_pandas.sandbox._endpoints.pages import Pages
from digime_pandas.sandbox._endpoints.root_page import RootPage
from digime_pandas.sandbox._endpoints.uploads import Uploads
from digime_pandas.sandbox._wire.error_replies import Code, ErrorReply

VERSIONS = ("v1.7", "v1.6")
CONSENT_PATH = "/apps/saas"

_logger = logging.getLogger("digime_pandas.sandbox")


def build_app(context: SandboxContext) -> Starlette:
    """Build the application.

    Args:
        context: What all endpoints share.

    Returns:
        An ASGI application with the paths ``/``, ``/files``, ``/v1.7``, ``/v1.6`` and ``/apps/saas``. It answers only
        requests whose Host is a loopback name, so that web pages cannot reach it through DNS rebinding.
    """
    error_replies = _ErrorReplies(context)
    made = Pages(context.settings.random_bytes)
    consent = ConsentPage(context, made)
    pages: list[BaseRoute] = [
        Route("/authorize", consent.show, methods=["GET"]),
        Route("/authorize", consent.decide, methods=["POST"]),
    ]
    return Starlette(
        routes=[
            *(Mount(f"/{version}", routes=_api_routes(context, version)) for version in VERSIONS),
            Mount(CONSENT_PATH, routes=pages),
            Route("/", RootPage(context, made).show, methods=["GET"]),
            Route("/files/{file_id}", FilePage(context, made).show, methods=["GET"]),
        ],
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=["127.0.0.1", "localhost"])],
        exception_handlers={
            ErrorReply: error_replies.on_error_reply,
            HTTPException: error_replies.on_http_exception,
            ClientDisconnect: error_replies.on_disconnect,
            Exception: error_replies.on_failure,
        },
    )


def _api_routes(context: SandboxContext, version: str) -> list[BaseRoute]:
    oauth = OAuth(context, version)
    uploads = Uploads(context)
    downloads = Downloads(context, legacy=version == "v1.6")
    return [
        Route("/oauth/authorize", oauth.authorize, methods=["POST"]),
        Route("/oauth/token", oauth.token, methods=["POST"]),
        Route("/jwks/oauth", oauth.key_set, methods=["GET"]),
        Route("/user", oauth.remove_user, methods=["DELETE"]),
        Route("/permission-access/postbox/{postbox_id}", uploads.postbox, methods=["POST"]),
        Route("/permission-access/import", uploads.direct_import, methods=["POST"]),
        Route("/permission-access/trigger", downloads.trigger, methods=["POST"]),
        Route("/permission-access/query/{session_key}", downloads.list_files, methods=["GET"]),
        Route("/permission-access/query/{session_key}/{name}", downloads.get_file, methods=["GET"]),
    ]


class _ErrorReplies:
    """Handlers that turn exceptions into error replies.

    Args:
        context: What all endpoints share.
    """

    def __init__(self, context: SandboxContext) -> None:
        self._context = context

    async def on_error_reply(self, request: Request, error: Exception) -> Response:  # noqa: ARG002 - a handler's form
        assert isinstance(error, ErrorReply)
        return self._reply(error, error.status)

    async def on_http_exception(self, request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        codes: dict[int, Code] = {404: "NotFound", 405: "MethodNotAllowed"}
        code = codes.get(error.status_code, "InvalidRequest")
        reply = ErrorReply(code, f"{request.method} {request.url.path}: {error.detail}")
        return self._reply(reply, error.status_code, error.headers)

    async def on_disconnect(self, request: Request, error: Exception) -> Response:  # noqa: ARG002
        # The client disconnected while it sent its body; this reply is not delivered.
        return Response(status_code=HTTPStatus.BAD_REQUEST)

    async def on_failure(self, request: Request, error: Exception) -> Response:
        _logger.error("%s failed", request.method, exc_info=error)
        reply = ErrorReply("ServerError", "The sandbox failed; its log says how")
        return self._reply(reply, reply.status)

    def _reply(self, error: ErrorReply, status: int, headers: Mapping[str, str] | None = None) -> Response:
        reference = self._context.settings.random_bytes(16).hex()
        return JSONResponse(error.body(reference), status, {**(headers or {}), **error.headers(reference)})
