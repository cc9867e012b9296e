"""What an error reply becomes, and when a request is made again."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from digime_pandas._service.http.error_replies import error_from_reply, is_retryable
from digime_pandas._service.masking.secret import Secret
from digime_pandas.errors import APIError, InvalidTokenError, RefusedError, ServiceUnreachableError

NOW = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)


def error(status: int, document: object = None, *, doubtful: bool = False, **headers: str) -> APIError:
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    body = Secret(b"" if document is None else json.dumps(document).encode())
    return error_from_reply(status, fields, body, "ask", 2, may_have_succeeded=doubtful, now=lambda: NOW)


@pytest.mark.parametrize("code", [None, "InvalidToken", "TokenInvalid"])
def test_a_401_about_the_token_is_an_invalid_token(code: str | None) -> None:
    assert type(error(401, {"error": {"code": code}})) is InvalidTokenError


@pytest.mark.parametrize(("status", "code"), [(401, "InvalidSignature"), (403, "InvalidToken"), (404, None)])
def test_any_other_reply_is_a_refusal(status: int, code: str | None) -> None:
    assert type(error(status, {"error": {"code": code}})) is RefusedError


def test_code_message_and_reference_come_from_the_body_or_else_the_headers() -> None:
    for found in (
        error(400, {"error": {"code": "Bad", "message": "no", "reference": "r"}}),
        error(400, None, x_error_code="Bad", x_error_message="no", x_error_reference="r"),
    ):
        assert (found.code, found.reference, found.status, found.attempts) == ("Bad", "r", 400, 2)
        assert str(found).startswith("Could not ask: the service answered 400 (Bad: no). ")


def test_long_opaque_texts_are_masked() -> None:
    assert "0123456789abcdef" not in str(error(400, {"error": {"message": f"token {'0123456789abcdef' * 4}"}}))


@pytest.mark.parametrize(
    ("status", "code", "doubtful", "outcome"),
    [
        (500, None, False, "unknown"),
        (502, None, False, "unknown"),
        (504, None, False, "unknown"),
        (500, "Internal", False, "unknown"),
        (503, None, False, "unknown"),
        (503, "TooBusy", False, "unknown"),
        (599, None, False, "unknown"),
        (302, None, False, "unknown"),
        (400, None, False, "refused"),
        (429, None, False, "refused"),
        (499, None, False, "refused"),
        (400, None, True, "unknown"),
    ],
)
def test_the_outcome_is_what_is_known(status: int, code: str | None, doubtful: bool, outcome: str) -> None:
    assert error(status, {"error": {"code": code}}, doubtful=doubtful).outcome == outcome


@pytest.mark.parametrize(("status", "outcome"), [(503, "not sent"), (302, "not sent"), (413, "refused")])
def test_a_request_that_is_not_there_whole_was_not_carried_out(status: int, outcome: str) -> None:
    found = error_from_reply(status, {}, Secret(b""), "ask", 1, may_have_succeeded=False, arrived=False)
    assert found.outcome == outcome


@pytest.mark.parametrize("status", [302, 400, 401, 404, 408, 413, 415, 418, 422, 429, 451, 500, 503, 599])
def test_there_is_advice_for_any_status(status: int) -> None:
    assert error(status).remedy.endswith(".")


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("17", 17.0),
        ("Mon, 05 Jan 2026 12:00:40 GMT", 40.0),
        ("Mon, 05 Jan 2026 12:00:40 -0000", 40.0),
        ("Mon, 05 Jan 2026 11:00:00 GMT", 0.0),
        ("soon", None),
        ("9" * 400, 366 * 86_400),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 366 * 86_400),
    ],
)
def test_retry_after_is_seconds_or_a_date(value: str, seconds: float | None) -> None:
    assert error(503, retry_after=value).retry_after == seconds


@pytest.mark.parametrize(
    ("status", "expected"), [(400, False), (401, False), (408, True), (425, True), (429, True), (500, True)]
)
def test_a_status_says_whether_to_retry(status: int, expected: bool) -> None:
    assert is_retryable(error(status)) is expected


def test_a_service_that_is_not_reached_is_asked_again() -> None:
    assert is_retryable(ServiceUnreachableError("away", outcome="not sent"))


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(59, ""), (-59, ""), (7200, "is 7,200 seconds behind: set it"), (-7200, "is 7,200 seconds ahead: set it")],
)
def test_a_clock_that_is_wrong_is_named_where_a_signature_is_refused(seconds: int, words: str) -> None:
    date = format_datetime(NOW + timedelta(seconds=seconds))
    for status in (400, 401, 403):
        said = str(error(status, {"error": {"code": "TimestampOutOfRange"}}, date=date))
        assert words in said if words else "clock" not in said
    assert "clock" not in str(error(404, date=date))


@pytest.mark.parametrize("date", ["", "soon", "Mon, 01 Jan 99999999999 00:00:00 GMT", "Mon, 99 Foo 2020 99:00:00 GMT"])
def test_a_date_that_is_none_says_nothing_of_clocks(date: str) -> None:
    assert "clock" not in str(error(403, date=date))
