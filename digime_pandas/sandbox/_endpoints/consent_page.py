"""The consent page, on which a person approves or refuses a contract's request."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from digime_pandas.sandbox._context import Registration
from digime_pandas.sandbox._endpoints.pages import PageEndpoint
from digime_pandas.sandbox._endpoints.request_bodies import read_form
from digime_pandas.sandbox._store.keys import public_pem
from digime_pandas.sandbox._store.records import ConsentRequest
from digime_pandas.sandbox._wire.redirect_uris import add_parameters, origin_source

_PEOPLE_OFFERED = 20
_NEW_PERSON = "new"
_START_AGAIN = "Go back to the program that sent you here, and start again."


class _PageError(Exception):
    """The consent page cannot be shown; an error page is sent instead.

    Args:
        status: HTTP status of the reply.
        title: Heading of the error page.
        advice: What the person can do.
    """

    def __init__(self, status: int, title: str, advice: str) -> None:
        super().__init__(title)
        self.status = status
        self.title = title
        self.advice = advice


class ConsentPage(PageEndpoint):
    """The page that clients open in a person's browser.

    Of its query parameters only `code` and `callback` are used; the others, such as the language, are ignored.
    """

    async def show(self, request: Request) -> Response:
        """Answer ``GET authorize``: the page."""
        try:
            consent, registration = self._open_request(request.query_params)
            callback = self._callback(request.query_params, registration)
        except _PageError as error:
            return self._error_page(error)
        library = self._context.library
        page = {
            "code": request.query_params["code"],
            "callback": callback,
            "contract": registration.contract,
            "access": registration.access,
            "action": request.url.path,
            "destination": origin_source(consent.redirect_uri),
            "linked": library.person(consent.user_id) if consent.user_id else None,
            "people": [] if consent.user_id else library.people(_PEOPLE_OFFERED),
            "new_person": _NEW_PERSON,
        }
        destinations = (consent.redirect_uri, callback or consent.redirect_uri)
        return self._pages.render("consent.html", page, destinations=destinations)

    async def decide(self, request: Request) -> Response:
        """Answer ``POST authorize``: record the decision, and redirect the browser to the client."""
        form = await read_form(request)
        try:
            consent, registration = self._open_request(form)
            callback = self._callback(form, registration)
            user_id = self._chosen_person(consent, form) if _is_approved(form) else None
            self._context.authorizations.mark_settled(form["code"])
        except _PageError as error:
            return self._error_page(error)
        if user_id is None:
            # Without `state`, which the vendor documents for success alone.
            parameters = {"success": "false", "errorCode": "USER_CANCEL"}
            return _redirect(callback or consent.redirect_uri, parameters)
        return _redirect(consent.redirect_uri, self._approved_parameters(consent, registration, user_id))

    def _open_request(self, parameters: Mapping[str, str]) -> tuple[ConsentRequest, Registration]:
        """Return the request that the page is for, and its contract, if it can still be decided on."""
        consent = self._context.authorizations.request(parameters.get("code", ""))
        registration = None if consent is None else self._context.registrations.get(consent.client_id)
        if consent is None or registration is None:
            raise _PageError(404, "This link is not known here", _START_AGAIN)
        if consent.settled:
            raise _PageError(410, "This link has been used already", _START_AGAIN)
        if consent.expires <= self._context.now():
            raise _PageError(410, "This link has expired", _START_AGAIN)
        return consent, registration

    def _chosen_person(self, consent: ConsentRequest, form: Mapping[str, str]) -> str:
        """Return the user id of the request's person, else of the account's, else of the one chosen on the page.

        The field `account`, which browsers do not send, is the id of the account that consent is for.
        """
        library = self._context.library
        account_id = form.get("account")
        known = None if account_id is None else library.person_of(account_id)
        chosen = consent.user_id or known or form.get("person") or _NEW_PERSON
        if chosen == _NEW_PERSON:
            chosen = library.add_person(self._context.now())
        elif library.person(chosen) is None:
            raise _PageError(410, "This person is no longer here", _START_AGAIN)
        if account_id is not None:
            library.name_person(chosen, account_id)
        return chosen

    def _approved_parameters(self, consent: ConsentRequest, registration: Registration, user_id: str) -> dict[str, str]:
        code = self._context.authorizations.add_code(consent, user_id, now=self._context.now())
        parameters = {"success": "true", "code": code}
        if consent.state is not None:
            parameters["state"] = consent.state
        if self._context.settings.postbox and registration.access == "write":
            parameters["postboxId"] = self._context.authorizations.postbox_id(consent.client_id, user_id)
            parameters["publicKey"] = public_pem(self._context.keys.postbox)
        return parameters

    def _error_page(self, error: _PageError) -> Response:
        page = {"title": error.title, "advice": error.advice}
        return self._pages.render("error.html", page, status=error.status)

    def _callback(self, parameters: Mapping[str, str], registration: Registration) -> str | None:
        """Return the address to redirect to on refusal, a query parameter of SDKs up to v8 (SDK-observed)."""
        callback = parameters.get("callback") or None
        if callback is not None and not self._context.may_redirect(callback, registration.contract):
            raise _PageError(400, "This link names an address that is not registered", _START_AGAIN)
        return callback


def _is_approved(form: Mapping[str, str]) -> bool:
    decision = form.get("decision")
    if decision not in {"approve", "refuse"}:
        raise _PageError(400, "Nothing was decided", "Go back, and choose Approve or Refuse.")
    return decision == "approve"


def _redirect(address: str, parameters: Mapping[str, str]) -> Response:
    return RedirectResponse(add_parameters(address, parameters), 303, {"Cache-Control": "no-store"})
