from __future__ import annotations

import gzip
import json
import logging
import socketserver
import threading
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
import stamina
import tenacity.nap

from digime_pandas._service.http.environment import Proxy, Route
from digime_pandas._service.http.request import Reply, Request
from digime_pandas._service.http.transport import Http, check_base_url
from digime_pandas._service.masking.secret import Secret
from digime_pandas.errors import (
    ConfigurationError,
    InvalidTokenError,
    RefusedError,
    ReplyError,
    ServiceUnreachableError,
)

URL = "https://api.test/v1.7/thing"
RETRIED = [408, 425, 429, 500, 502, 503, 504, 599]
NOT_RETRIED = [300, 301, 302, 303, 304, 307, 308, 400, 403, 404, 405, 409, 410, 413, 415, 422, 431, 451]
TOKEN = "0123456789abcdef" * 10

pytestmark = pytest.mark.usefixtures("no_waiting")

Answer = httpx.Response | Exception


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    """The seconds that are waited between attempts, without waiting."""
    seconds: list[float] = []
    monkeypatch.setattr(tenacity.nap, "time", SimpleNamespace(sleep=seconds.append))
    with stamina.set_testing(False):
        yield seconds


class Service:
    """Gives its answers in turn, the last one for ever, and keeps what it was sent."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def http(self, **options: Any) -> Http:
        return Http(transport=httpx.MockTransport(self), **options)


class Maker:
    """Makes requests, each with a number of its own and a body of several pieces."""

    def __init__(
        self, pieces: Callable[[], Iterator[bytes]] = lambda: iter([b"one", b"two"]), size: int | None = None
    ) -> None:
        self.made = 0
        self.bodies: list[Iterator[bytes]] = []
        self.pieces = pieces
        self.size = size

    def __call__(self) -> Request:
        self.made += 1
        self.bodies.append(self.pieces())
        return Request("POST", URL, {"X-Number": str(self.made)}, self.bodies[-1], self.size)


def get() -> Request:
    return Request("GET", URL, {})


def error(code: str | None = None, message: str | None = None, reference: str | None = None) -> bytes:
    members = {"code": code, "message": message, "reference": reference}
    return json.dumps({"error": {name: text for name, text in members.items() if text is not None}}).encode()


def refused(service: Service, **options: Any) -> RefusedError:
    with pytest.raises(RefusedError) as raised:
        service.http(**options).send(Maker(), what="count sheep")
    return raised.value


def unreachable(service: Service, **options: Any) -> ServiceUnreachableError:
    with pytest.raises(ServiceUnreachableError) as raised:
        service.http(**options).send(Maker(), what="count sheep")
    return raised.value


class TestAnswers:
    @pytest.mark.parametrize("status", [200, 201, 202, 204])
    def test_any_2xx_is_a_success(self, status: int) -> None:
        service = Service(httpx.Response(status, headers={"X-Metadata": "m"}, content=b"body"))
        reply = service.http().send(Maker(), what="ask")
        assert (reply.headers["x-metadata"], reply.body.reveal(), reply.attempts) == ("m", b"body", 1)

    def test_a_body_of_known_size_has_a_content_length_and_any_other_is_chunked(self) -> None:
        service = Service(httpx.Response(204))
        service.http().send(Maker(size=6), what="ask")
        service.http().send(Maker(), what="ask")
        known, unknown = service.requests
        assert (known.headers["Content-Length"], known.headers.get("Transfer-Encoding")) == ("6", None)
        assert (unknown.headers.get("Content-Length"), unknown.headers["Transfer-Encoding"]) == (None, "chunked")
        assert known.content == unknown.content == b"onetwo"

    def test_a_compressed_answer_is_read(self) -> None:
        service = Service(httpx.Response(200, headers={"Content-Encoding": "gzip"}, content=gzip.compress(b"{}")))
        assert service.http().send(get, what="ask").body.reveal() == b"{}"

    def test_an_answer_of_endless_size_is_not_read_to_its_end(self) -> None:
        read = 0

        def endless() -> Iterator[bytes]:
            nonlocal read
            while True:
                read += 1
                yield bytes(1 << 20)

        with pytest.raises(ReplyError, match="larger than"):
            Service(httpx.Response(200, content=endless())).http().send(Maker(), what="ask")
        assert read < 20

    def test_a_redirect_is_not_followed(self) -> None:
        service = Service(httpx.Response(307, headers={"Location": "https://evil.test/"}), httpx.Response(200))
        assert "check base_url" in str(refused(service))
        assert len(service.requests) == 1

    def test_an_answer_in_a_broken_encoding_is_an_error_of_ours(self) -> None:
        broken = httpx.ByteStream(b"no gzip")
        caught = unreachable(
            Service(httpx.Response(200, headers={"Content-Encoding": "gzip"}, stream=broken)), max_attempts=1
        )
        assert caught.outcome == "unknown"


class TestAttempts:
    @pytest.mark.parametrize("status", RETRIED)
    def test_what_may_do_better_next_time_is_tried_again_with_a_request_made_anew(self, status: int) -> None:
        service = Service(httpx.Response(status), httpx.Response(status), httpx.Response(200, content=b"ok"))
        maker = Maker()
        reply = service.http().send(maker, what="ask")
        assert (reply.body.reveal(), reply.attempts, maker.made) == (b"ok", 3, 3)
        assert [request.headers["X-Number"] for request in service.requests] == ["1", "2", "3"]
        assert [request.content for request in service.requests] == [b"onetwo"] * 3

    @pytest.mark.parametrize("status", NOT_RETRIED)
    def test_everything_else_is_refused_at_once(self, status: int) -> None:
        service = Service(httpx.Response(status), httpx.Response(200))
        caught = refused(service)
        assert (caught.status, caught.attempts, caught.outcome) == (status, 1, "refused")
        assert len(service.requests) == 1

    def test_there_are_five_attempts_unless_told_otherwise(self) -> None:
        for options, attempts in (({}, 5), ({"max_attempts": 2}, 2), ({"max_attempts": 1}, 1)):
            service = Service(httpx.Response(503))
            assert refused(service, **options).attempts == attempts
            assert len(service.requests) == attempts

    @pytest.mark.parametrize(
        "lost",
        [
            httpx.ConnectError("refused"),
            httpx.ReadTimeout("slow"),
            httpx.RemoteProtocolError("gone"),
            httpx.WriteError("x"),
        ],
        ids=lambda lost: type(lost).__name__,
    )
    def test_a_lost_connection_is_tried_again(self, lost: Exception) -> None:
        service = Service(lost, httpx.Response(200))
        assert service.http().send(Maker(), what="ask").attempts == 2

    def test_the_waits_grow_and_are_never_equal_for_all(self, waits: list[float]) -> None:
        refused(Service(httpx.Response(503)), max_attempts=7)
        assert len(waits) == 6
        for wait, least in zip(waits, [0.25, 0.5, 1, 2, 4, 8], strict=True):
            assert least <= wait <= min(8, least + 0.5)
        assert waits[:5] != [0.25, 0.5, 1, 2, 4]

    def test_no_attempt_begins_after_the_deadline(self) -> None:
        clock = [1000.0]

        def slow(_: httpx.Request) -> httpx.Response:
            clock[0] += 99
            return httpx.Response(503)

        with pytest.raises(RefusedError) as raised:
            Http(transport=httpx.MockTransport(slow), deadline=300, max_attempts=10, clock=lambda: clock[0]).send(
                Maker(), what="ask"
            )
        assert raised.value.attempts == 4
        clock[0] = 0
        with pytest.raises(RefusedError) as raised:
            Http(transport=httpx.MockTransport(slow), deadline=98, max_attempts=10, clock=lambda: clock[0]).send(
                Maker(), what="ask"
            )
        assert raised.value.attempts == 1

    def test_an_answer_that_does_not_end_is_given_up_at_the_deadline(self) -> None:
        clock = [0.0]

        def dribbling() -> Iterator[bytes]:
            while True:
                clock[0] += 10
                yield b"."

        caught = unreachable(
            Service(httpx.Response(200, content=dribbling())), deadline=120, timeout=30, clock=lambda: clock[0]
        )
        assert caught.outcome == "unknown"
        assert clock[0] <= 160

    def test_the_answer_to_a_long_upload_is_still_read(self) -> None:
        clock = [0.0]

        def long() -> Iterator[bytes]:
            for _ in range(60):
                clock[0] += 10
                yield b"."

        reply = (
            Service(httpx.Response(200, content=b"ok"))
            .http(deadline=300, clock=lambda: clock[0])
            .send(Maker(long), what="upload")
        )
        assert reply.body.reveal() == b"ok"


class TestRetryAfter:
    @pytest.mark.parametrize("status", [429, 503, 500])
    def test_seconds_are_waited_as_asked(self, waits: list[float], status: int) -> None:
        Service(httpx.Response(status, headers={"Retry-After": " 17 "}), httpx.Response(200)).http().send(
            get, what="ask"
        )
        assert waits == [17]

    def test_a_date_is_waited_for(self, waits: list[float]) -> None:
        date = datetime.now(UTC) + timedelta(seconds=40)
        header = {"Retry-After": format_datetime(date, usegmt=True)}
        Service(httpx.Response(503, headers=header), httpx.Response(200)).http().send(get, what="ask")
        assert len(waits) == 1
        assert 38 < waits[0] <= 40

    def test_zero_and_a_date_that_is_past_mean_at_once(self, waits: list[float]) -> None:
        for value in ("0", "Wed, 21 Oct 2015 07:28:00 GMT", "Wed, 21 Oct 2015 07:28:00 -0000"):
            Service(httpx.Response(503, headers={"Retry-After": value}), httpx.Response(200)).http().send(
                get, what="ask"
            )
        assert waits == [0, 0, 0]

    @pytest.mark.parametrize(
        "value", ["soon", "-5", "", "1.5e", "²", "Wed, 99 Oct 2015", "Wed, 21 Oct 99999999 07:28:00 GMT"]
    )
    def test_what_cannot_be_read_counts_as_absent(self, waits: list[float], value: str) -> None:
        header = [(b"Retry-After", value.encode())]
        Service(httpx.Response(503, headers=header), httpx.Response(200)).http().send(get, what="ask")
        assert len(waits) == 1
        assert waits[0] <= 0.75

    @pytest.mark.parametrize("value", ["3600", "9" * 400, "Fri, 31 Dec 9999 23:59:59 GMT"])
    def test_more_than_the_deadline_allows_gives_up_at_once(self, waits: list[float], value: str) -> None:
        service = Service(httpx.Response(429, headers={"Retry-After": value}))
        caught = refused(service)
        assert (caught.attempts, len(service.requests), waits) == (1, 1, [])
        assert caught.retry_after is not None
        assert caught.retry_after >= 3600


class Reading(httpx.BaseTransport):
    """Takes so many pieces of each body, then does what it is told."""

    def __init__(self, pieces: int, then: Answer) -> None:
        self.pieces, self.then = pieces, then

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        assert isinstance(request.stream, httpx.SyncByteStream)
        for number, _ in enumerate(request.stream, 1):
            if number == self.pieces:
                break
        if isinstance(self.then, Exception):
            raise self.then
        return self.then


class TestOutcomes:
    @pytest.mark.parametrize(
        ("answers", "outcome"),
        [
            ([httpx.ConnectError("x")], "not sent"),
            ([httpx.ConnectTimeout("x")], "not sent"),
            ([httpx.PoolTimeout("x")], "not sent"),
            ([httpx.ReadTimeout("x")], "unknown"),
            ([httpx.ReadError("x")], "unknown"),
            ([httpx.RemoteProtocolError("x")], "unknown"),
            ([httpx.Response(400)], "refused"),
            ([httpx.Response(503)], "refused"),
            ([httpx.Response(500)], "unknown"),
            ([httpx.Response(500, content=error("InternalServerError"))], "refused"),
            ([httpx.Response(502)], "unknown"),
            ([httpx.Response(504)], "unknown"),
            ([httpx.Response(504), httpx.Response(400)], "unknown"),
            ([httpx.ReadError("x"), httpx.Response(503)], "unknown"),
            ([httpx.ReadError("x"), httpx.Response(503), httpx.ConnectError("x")], "unknown"),
            ([httpx.ConnectError("x"), httpx.Response(400)], "refused"),
            ([httpx.Response(503), httpx.ConnectError("x")], "not sent"),
        ],
        ids=str,
    )
    def test_an_error_says_what_is_known_of_all_attempts(self, answers: list[Answer], outcome: str) -> None:
        with pytest.raises((RefusedError, ServiceUnreachableError)) as raised:
            Service(*answers).http().send(Maker(), what="count sheep")
        assert raised.value.outcome == outcome
        assert str(raised.value).startswith("Could not count sheep: ")
        if isinstance(raised.value, ServiceUnreachableError):
            assert f"outcome: {outcome}" in str(raised.value)
            assert isinstance(raised.value.__cause__, httpx.TransportError)

    def test_a_body_that_was_not_handed_over_whole_was_not_sent(self) -> None:
        for pieces, outcome in ((1, "not sent"), (3, "unknown")):
            with pytest.raises(ServiceUnreachableError) as raised:
                Http(transport=Reading(pieces, httpx.ReadError("gone"))).send(Maker(), what="ask")
            assert raised.value.outcome == outcome

    def test_a_success_before_the_whole_body_was_there_is_none(self) -> None:
        with pytest.raises(ServiceUnreachableError, match="before it had the whole request") as raised:
            Http(transport=Reading(1, httpx.Response(200))).send(Maker(), what="ask")
        assert (raised.value.outcome, raised.value.attempts) == ("unknown", 5)

    def test_a_refusal_before_the_whole_body_was_there_is_one(self) -> None:
        with pytest.raises(InvalidTokenError) as raised:
            Http(transport=Reading(1, httpx.Response(401, content=error("InvalidToken")))).send(Maker(), what="ask")
        assert raised.value.outcome == "refused"


class TestBodies:
    @pytest.mark.parametrize(
        "broken",
        [LookupError("no rows"), OSError("disk"), httpx.ReadError("the source's own"), TimeoutError()],
        ids=repr,
    )
    def test_an_error_of_the_body_is_raised_as_it_is_and_never_retried(self, broken: Exception) -> None:
        def pieces() -> Iterator[bytes]:
            yield b"one"
            raise broken

        maker = Maker(pieces)
        with pytest.raises(type(broken)) as raised:
            Service(httpx.Response(200)).http().send(maker, what="ask")
        assert raised.value is broken
        assert maker.made == 1

    @pytest.mark.parametrize("then", [httpx.ReadError("gone"), httpx.Response(400), httpx.Response(204)], ids=str)
    def test_a_body_is_closed_with_its_attempt_even_while_the_error_is_held(self, then: Answer) -> None:
        closed: list[str] = []

        def pieces() -> Iterator[bytes]:
            try:
                yield b"one"
                yield b"two"
            finally:
                closed.append("closed")

        http = Http(transport=Reading(1, then), max_attempts=2)
        with pytest.raises((RefusedError, ServiceUnreachableError)) as raised:
            http.send(Maker(pieces), what="ask")
        assert closed == ["closed"] * raised.value.attempts

    def test_a_transport_that_collects_the_pieces_gets_copies(self) -> None:
        buffer = bytearray(3)

        def pieces() -> Iterator[bytes]:
            for text in (b"one", b"two"):
                buffer[:] = text
                yield memoryview(buffer)  # type: ignore[misc] # as a sealed body does

        service = Service(httpx.Response(200))
        service.http().send(Maker(pieces), what="ask")
        assert service.requests[0].content == b"onetwo"


class TestRefusals:
    def test_code_message_and_reference_come_from_the_body(self) -> None:
        caught = refused(Service(httpx.Response(400, content=error("ScopeOutOfBounds", "The scope is wrong", "ref-1"))))
        assert (caught.code, caught.reference) == ("ScopeOutOfBounds", "ref-1")
        assert "the service answered 400 (ScopeOutOfBounds: The scope is wrong)." in str(caught)

    def test_or_from_the_headers(self) -> None:
        headers = {
            "X-Error-Code": "InvalidToken",
            "X-Error-Message": "The token is expired",
            "X-Error-Reference": "a" * 32,
        }
        caught = refused(Service(httpx.Response(401, headers=headers, content=b"<html>")))
        assert isinstance(caught, InvalidTokenError)
        assert (caught.code, caught.reference) == ("InvalidToken", "a" * 32)
        assert "The token is expired" in str(caught)

    @pytest.mark.parametrize(
        "content",
        [
            b"",
            b"<html><h1>Bad Gateway</h1>",
            b"{",
            b"[]",
            b"null",
            b'{"error":"text"}',
            b'{"error":[]}',
            b"\xff",
            b"[" * 99999,
            b'{"error":{"code":17,"message":{},"reference":[]}}',
            b'{"error":{"code":"","message":" "}}',
        ],
        ids=lambda content: repr(content[:20]),
    )
    def test_an_answer_that_gives_no_reason_is_an_error_all_the_same(self, content: bytes) -> None:
        caught = refused(Service(httpx.Response(400, content=content)))
        assert (caught.code, caught.reference) == (None, None)
        assert "no reason given" in str(caught)

    @pytest.mark.parametrize(
        ("status", "content", "about_the_token"),
        [
            (401, error("InvalidToken"), True),
            (401, error("TokenInvalid"), True),
            (401, b"", True),
            (401, b"<html>", True),
            (401, error("InvalidSignature"), False),
            (401, error("NonceReused"), False),
            (403, error("InvalidToken"), False),
            (400, error("InvalidToken"), False),
        ],
    )
    def test_a_401_that_may_be_about_the_token_is_told_apart(
        self, status: int, content: bytes, about_the_token: bool
    ) -> None:
        service = Service(httpx.Response(status, content=content))
        assert isinstance(refused(service), InvalidTokenError) is about_the_token
        assert len(service.requests) == 1

    @pytest.mark.parametrize(
        ("code", "advice"),
        [
            ("InvalidRedirectUri", "callback="),
            ("InvalidClient", "application id"),
            ("InvalidSignature", "not this contract's"),
            ("SDKVersionInvalid", "agent="),
        ],
    )
    def test_a_known_code_brings_advice(self, code: str, advice: str) -> None:
        assert advice in str(refused(Service(httpx.Response(403, content=error(code)))))

    @pytest.mark.parametrize("place", [0, 470, 499, 600])
    def test_a_token_the_service_echoes_is_not_repeated(self, place: int) -> None:
        message = ("word " * 200)[:place] + " " + TOKEN
        caught = refused(Service(httpx.Response(400, content=error(TOKEN, message))))
        for text in (str(caught), repr(caught), str(caught.code)):
            assert TOKEN[:12] not in text

    def test_a_long_message_is_cut(self) -> None:
        assert len(str(refused(Service(httpx.Response(400, content=error("x y " * 9999, "z " * 9999)))))) < 1200


class TestOptions:
    @pytest.mark.parametrize("name", ["timeout", "deadline", "max_attempts"])
    @pytest.mark.parametrize("value", [0, -1, float("nan"), float("inf"), None, "5", True])
    def test_limits_are_numbers_above_zero(self, name: str, value: object) -> None:
        with pytest.raises(ConfigurationError, match=name):
            Http(**{name: value})  # type: ignore[arg-type] # wrong on purpose

    def test_attempts_are_a_whole_number(self) -> None:
        with pytest.raises(ConfigurationError, match=r"max_attempts is 1.5"):
            Http(max_attempts=1.5)  # type: ignore[arg-type] # wrong on purpose

    def test_a_closed_one_says_so(self) -> None:
        service = Service(httpx.Response(200))
        http = service.http()
        http.close()
        with pytest.raises(ConfigurationError, match=r"closed.*connect\(\)"):
            http.send(get, what="ask")
        assert service.requests == []

    @pytest.mark.parametrize(
        ("url", "expected"),
        [
            ("https://api.digi.me/v1.7", "https://api.digi.me/v1.7/"),
            ("https://api.digi.me/v1.7//", "https://api.digi.me/v1.7/"),
            ("HTTPS://api.digi.me", "https://api.digi.me/"),
            ("http://127.0.0.1:8000/v1.7/", "http://127.0.0.1:8000/v1.7/"),
            ("http://localhost:8000", "http://localhost:8000/"),
            ("http://[::1]:8000", "http://[::1]:8000/"),
            (" https://api.digi.me/v1.7/\n", "https://api.digi.me/v1.7/"),
        ],
    )
    def test_a_base_address_ends_with_one_slash(self, url: str, expected: str) -> None:
        assert check_base_url("base_url", url) == expected

    @pytest.mark.parametrize(
        "url",
        [
            "",
            "api.digi.me",
            "//api.digi.me/",
            "ftp://api.digi.me/",
            "https://",
            "https:///v1.7",
            "https://api.digi.me/?x=1",
            "https://api.digi.me/#x",
            "https://user:secret@api.digi.me/",
            "https://api.digi.me:x/",
            "https://api.digi.me:99999/",
            "https://[::1",
            "http://api.digi.me/v1.7/",
            "http://127.0.0.1.evil.test/",
            "http://localhost.evil.test/",
            "https://a..b/",
            "https://999.1.1.1/",
            "https://exa mple.test/",
            f"https://{'a' * 64}.test/",
            "https://user:secret@[/",
            "https://user:secret@api.digi.me:x/",
            "https://user:secret/@api.digi.me/",
            None,
            17,
        ],
    )
    def test_a_base_address_is_absolute_and_private(self, url: object) -> None:
        with pytest.raises(ConfigurationError, match=r"^base_url ") as raised:
            check_base_url("base_url", url)
        assert "secret" not in str(raised.value)
        assert raised.value.__context__ is None


class TestProxies:
    @pytest.mark.parametrize(
        ("answer", "words"),
        [
            (b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", "407"),
            (b"HTTP/1.1 403 Forbidden\r\n\r\n", "403"),
        ],
    )
    def test_one_that_refuses_is_named_and_nothing_was_sent(self, answer: bytes, words: str) -> None:
        credentials = "us:er", "p@ss/ü"
        asked: list[bytes] = []

        class Refusing(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                asked.extend(iter(self.rfile.readline, b"\r\n"))
                self.wfile.write(answer)

        with socketserver.TCPServer(("127.0.0.1", 0), Refusing) as server:
            serving = threading.Thread(target=server.handle_request)
            serving.start()
            proxy = Proxy("https_proxy", "http", "127.0.0.1", server.server_address[1], Secret(credentials))
            with (
                closing(Http(route=Route(proxy), max_attempts=1)) as http,
                pytest.raises(ServiceUnreachableError, match=rf"{words}.*the proxy, which https_proxy names") as caught,
            ):
                http.send(Maker(), what="ask")
            serving.join()
        assert caught.value.outcome == "not sent"
        assert asked[0].startswith(b"CONNECT api.test:443 ")
        given = b64encode(":".join(credentials).encode())
        assert any(line.strip() == b"Proxy-Authorization: Basic " + given for line in asked)

    def test_a_transport_of_the_caller_is_used_instead(self) -> None:
        service = Service(httpx.Response(200))
        proxy = Proxy("https_proxy", "http", "127.0.0.1", 1, None)
        Http(transport=httpx.MockTransport(service), route=Route(proxy)).send(get, what="ask")
        assert len(service.requests) == 1

    def test_a_certificate_that_is_not_trusted_leads_to_the_variable(self) -> None:
        refusal = "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: unable to get local issuer certificate"
        assert "SSL_CERT_FILE" in str(unreachable(Service(httpx.ConnectError(refusal)), max_attempts=1))


def test_session_keys_and_postbox_ids_stay_out_of_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    http = Service(httpx.Response(200)).http()
    for path in ("query/5e5510n", "query/5e5510n/file-1", "postbox/5e5510n"):
        http.send(lambda path=path: Request("GET", f"https://api.test/v1.7/permission-access/{path}", {}), what="ask")  # type: ignore[misc] # a loop's variable
    assert "permission-access/query/…" in caplog.text
    assert "permission-access/query/…/file-1" in caplog.text
    assert "5e5510n" not in caplog.text


def test_requests_and_replies_print_without_what_they_hold() -> None:
    assert (
        repr(Request("GET", URL, {"Authorization": TOKEN}, [TOKEN.encode()]))
        == f"Request(method='GET', url='{URL}', size=None)"
    )
    assert TOKEN not in repr(Reply({"x": TOKEN}, Secret(TOKEN.encode())))


class TestCookies:
    @pytest.mark.parametrize("status", [200, 302, 503])
    def test_what_an_answer_sets_goes_out_with_no_other_request(self, status: int) -> None:
        fields = [("Set-Cookie", "person=ana; Path=/"), ("Set-Cookie", "all=1; Domain=api.test"), ("Location", "/x")]
        service = Service(httpx.Response(status, headers=fields), httpx.Response(200, headers=fields))
        http = service.http()
        with suppress(RefusedError):
            http.send(get, what="ask")
        http.send(Maker(), what="ask")
        assert len(service.requests) in {2, 3}
        assert not any("cookie" in request.headers for request in service.requests)
