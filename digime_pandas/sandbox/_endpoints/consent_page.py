"""The consent page: a person reads who asks for what, and approves or refuses."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.datastructures import FormData, QueryParams
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from digime_pandas.sandbox._context import Registration, Service
from digime_pandas.sandbox._store.authorizations import ConsentRequest
from digime_pandas.sandbox._store.keys import public_pem
from digime_pandas.sandbox._wire.redirect_uris import add_parameters, is_registered, origin_source

_PEOPLE_OFFERED = 20
_NEW_PERSON = "new"
_START_AGAIN = "Go back to the program that sent you here, and start again."


class _PageError(Exception):
    """A page cannot be shown: what the person reads instead, and the HTTP status."""

    def __init__(self, status: int, title: str, advice: str) -> None:
        super().__init__(title)
        self.status = status
        self.title = title
        self.advice = advice


class ConsentPage:
    """The page that a client sends a person's browser to.

    Of its address only `code` and `callback` matter here; language, service and what else clients add is let through.

    Args:
        service: The service.
    """

    def __init__(self, service: Service) -> None:
        self._service = service
        self._templates = Environment(
            loader=PackageLoader("digime_pandas.sandbox"), autoescape=True, undefined=StrictUndefined
        )

    async def show(self, request: Request) -> Response:
        """Answer ``GET authorize``: the page itself."""
        try:
            asked, registration = self._asked(request.query_params)
            callback = _callback(request.query_params, registration)
        except _PageError as error:
            return self._error_page(error)
        library = self._service.library
        page = {
            "code": request.query_params["code"],
            "callback": callback,
            "contract": registration.contract,
            "access": registration.access,
            "action": request.url.path,
            "destination": origin_source(asked.redirect_uri),
            "linked": library.person(asked.user_id) if asked.user_id else None,
            "people": [] if asked.user_id else library.people(_PEOPLE_OFFERED),
            "new_person": _NEW_PERSON,
        }
        return self._page("consent.html", page, 200, (asked.redirect_uri, callback or asked.redirect_uri))

    async def decide(self, request: Request) -> Response:
        """Answer ``POST authorize``: what the person pressed. Sends the browser back to the client."""
        form = await request.form()
        try:
            asked, registration = self._asked(form)
            callback = _callback(form, registration)
            user_id = self._chosen_person(asked, form) if _approved(form) else None
            self._service.grants.settle(_text(form, "code"))
        except _PageError as error:
            return self._error_page(error)
        if user_id is None:
            # `state` is documented for success alone, so a client must manage without it.
            parameters = {"success": "false", "errorCode": "USER_CANCEL"}
            return _send_back(callback or asked.redirect_uri, parameters)
        return _send_back(asked.redirect_uri, self._granted(asked, registration, user_id))

    def _asked(self, parameters: FormData | QueryParams) -> tuple[ConsentRequest, Registration]:
        asked = self._service.grants.request(_text(parameters, "code"))
        registration = None if asked is None else self._service.registrations.get(asked.client_id)
        if asked is None or registration is None:
            raise _PageError(404, "This link is not known here", _START_AGAIN)
        if asked.settled:
            raise _PageError(410, "This link has been used already", _START_AGAIN)
        if asked.expires <= self._service.now():
            raise _PageError(410, "This link has expired", _START_AGAIN)
        return asked, registration

    def _chosen_person(self, asked: ConsentRequest, form: FormData) -> str:
        """Return whose library it is: the linked one, else the one chosen on the page, else a new one."""
        library = self._service.library
        chosen = asked.user_id or _text(form, "person") or _NEW_PERSON
        if chosen == _NEW_PERSON:
            return library.add_person(self._service.now())
        if library.person(chosen) is None:
            raise _PageError(410, "This person is no longer here", _START_AGAIN)
        return chosen

    def _granted(self, asked: ConsentRequest, registration: Registration, user_id: str) -> dict[str, str]:
        code = self._service.grants.grant(asked, user_id, now=self._service.now())
        parameters = {"success": "true", "code": code}
        if asked.state is not None:
            parameters["state"] = asked.state
        if self._service.settings.postbox and registration.access == "write":
            parameters["postboxId"] = self._service.grants.postbox(asked.client_id, user_id)
            parameters["publicKey"] = public_pem(self._service.keys.postbox)
        return parameters

    def _page(self, template: str, page: Mapping[str, Any], status: int, destinations: Iterable[str]) -> Response:
        nonce = secrets.token_urlsafe(16)
        form_action = " ".join(dict.fromkeys(["'self'", *map(origin_source, destinations)]))
        policy = (
            f"default-src 'none'; style-src 'nonce-{nonce}'; form-action {form_action}; "
            "img-src data:; base-uri 'none'; frame-ancestors 'none'"
        )
        content = self._templates.get_template(template).render(page, nonce=nonce)
        headers = {
            "Cache-Control": "no-store",
            "Content-Security-Policy": policy,
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
            "X-Frame-Options": "DENY",
        }
        return HTMLResponse(content, status, headers)

    def _error_page(self, error: _PageError) -> Response:
        page = {"title": error.title, "advice": error.advice}
        return self._page("refused.html", page, error.status, ())


def _text(parameters: FormData | QueryParams, name: str) -> str:
    value = parameters.get(name)
    return value if isinstance(value, str) else ""


def _callback(parameters: FormData | QueryParams, registration: Registration) -> str | None:
    """Return the address for refusals, which SDKs up to v8 name on the page's address (SDK-observed)."""
    callback = _text(parameters, "callback") or None
    if callback is not None and not is_registered(callback, registration.contract.redirect_uri):
        raise _PageError(400, "This link names an address that is not registered", _START_AGAIN)
    return callback


def _approved(form: FormData) -> bool:
    decision = _text(form, "decision")
    if decision not in {"approve", "refuse"}:
        raise _PageError(400, "Nothing was decided", "Go back, and choose Approve or Refuse.")
    return decision == "approve"


def _send_back(address: str, parameters: Mapping[str, str]) -> Response:
    return RedirectResponse(add_parameters(address, parameters), 303, {"Cache-Control": "no-store"})
