"""The ASGI application: which address goes to which endpoint, and how errors are answered."""

from __future__ import annotations

import logging
from http import HTTPStatus

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route

from digime_pandas.sandbox._context import Service
from digime_pandas.sandbox._endpoints.consent_page import ConsentPage
from digime_pandas.sandbox._endpoints.downloads import Downloads
from digime_pandas.sandbox._endpoints.oauth import OAuth
from digime_pandas.sandbox._endpoints.uploads import Uploads
from digime_pandas.sandbox._wire.error_replies import Code, Refusal

VERSIONS = ("v1.7", "v1.6")
CONSENT_PATH = "/apps/saas"

_logger = logging.getLogger("digime_pandas.sandbox")


def build_app(service: Service) -> Starlette:
    """Build the application.

    Args:
        service: What the endpoints share.

    Returns:
        An ASGI application that answers under ``/v1.7``, ``/v1.6`` and ``/apps/saas`` to loopback names alone, so
        that a page of the open web cannot reach it through a name of its own.
    """
    consent = ConsentPage(service)
    pages: list[BaseRoute] = [
        Route("/authorize", consent.show, methods=["GET"]),
        Route("/authorize", consent.decide, methods=["POST"]),
    ]
    return Starlette(
        routes=[
            *(Mount(f"/{version}", routes=_api_routes(service, version)) for version in VERSIONS),
            Mount(CONSENT_PATH, routes=pages),
        ],
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=["127.0.0.1", "localhost"])],
        exception_handlers={
            Refusal: _answer_refusal,
            HTTPException: _answer_http_exception,
            ClientDisconnect: _answer_nobody,
            Exception: _answer_failure,
        },
    )


def _api_routes(service: Service, version: str) -> list[BaseRoute]:
    oauth = OAuth(service, version)
    uploads = Uploads(service)
    downloads = Downloads(service, legacy=version == "v1.6")
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


async def _answer_refusal(request: Request, error: Exception) -> Response:  # noqa: ARG001
    assert isinstance(error, Refusal)
    return JSONResponse(error.body(), error.status, error.headers())


async def _answer_http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    codes: dict[int, Code] = {404: "NotFound", 405: "MethodNotAllowed"}
    refusal = Refusal(
        codes.get(error.status_code, "InvalidRequest"), f"{request.method} {request.url.path}: {error.detail}"
    )
    return JSONResponse(refusal.body(), error.status_code, {**(error.headers or {}), **refusal.headers()})


async def _answer_nobody(request: Request, error: Exception) -> Response:  # noqa: ARG001
    # The client went away in the middle of its body; this answer reaches nobody.
    return Response(status_code=HTTPStatus.BAD_REQUEST)


async def _answer_failure(request: Request, error: Exception) -> Response:
    _logger.error("%s failed", request.method, exc_info=error)
    refusal = Refusal("ServerError", "The sandbox failed; its log says how")
    return JSONResponse(refusal.body(), refusal.status, refusal.headers())
