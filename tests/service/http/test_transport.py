from __future__ import annotations

import gzip
import json
import logging
import pickle
import socket
import socketserver
import threading
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from itertools import islice
from types import SimpleNamespace
from typing import Any, NoReturn

import httpx
import pytest
import tenacity.nap

from digime_pandas._service.http.environment import Proxy, Route
from digime_pandas._service.http.request import Reply, Request
from digime_pandas._service.http.service_url import check_base_url
from digime_pandas._service.http.transport import Http
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
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that are waited between attempts, without waiting."""
    seconds: list[float] = []
    monkeypatch.setattr(tenacity.nap, "time", SimpleNamespace(sleep=seconds.append))
    return seconds


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


class Taken:
    """Takes the body of a reply."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []

    def write(self, piece: bytes) -> None:
        self.pieces.append(piece)

    def finish(self) -> None: ...

    def close(self) -> None: ...


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

    def test_a_compressed_answer_is_not_asked_for_and_not_read(self) -> None:
        content = gzip.compress(bytes(1 << 20))
        service = Service(httpx.Response(200, headers={"Content-Encoding": "gzip"}, stream=httpx.ByteStream(content)))
        with pytest.raises(ReplyError, match="compressed") as raised:
            service.http().send(get, what="ask")
        assert (raised.value.outcome, raised.value.status) == ("unknown", 200)
        assert service.requests[0].headers["Accept-Encoding"] == "identity"

    def test_an_error_whose_body_is_compressed_is_one_all_the_same(self) -> None:
        fields = {"Content-Encoding": "br", "X-Error-Code": "Odd"}
        caught = refused(Service(httpx.Response(400, headers=fields, stream=httpx.ByteStream(b"no brotli"))))
        assert (caught.outcome, caught.status, caught.code) == ("refused", 400, "Odd")

    @pytest.mark.parametrize("size", [0, 5, 1 << 20, (3 << 20) + 5])
    def test_a_body_that_is_received_comes_whole_and_in_large_pieces(self, size: int) -> None:
        content, taken = bytes(range(256)) * (size // 256) + bytes(size % 256), Taken()
        pieces = (content[at : at + 65_536] for at in range(0, size, 65_536))
        http = Service(httpx.Response(200, content=pieces)).http()
        http.send(lambda: Request("GET", URL, {}, receive=lambda _: taken), what="ask")
        assert b"".join(taken.pieces) == content
        assert len(taken.pieces) == -(-size // (1 << 20))

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
        assert (caught.status, caught.attempts) == (status, 1)
        assert caught.outcome == ("refused" if status >= 400 else "unknown")
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

    @pytest.mark.parametrize(
        ("size", "taken", "outcome"),
        [(6, 2, "unknown"), (6, 1, "not sent"), (None, 2, "not sent"), (None, None, "unknown"), (6, None, "unknown")],
        ids=["sized", "sized, in part", "chunked", "chunked, to its end", "sized, to its end"],
    )
    @pytest.mark.slow
    def test_what_a_transport_was_given_may_arrive_after_the_deadline(
        self, size: int | None, taken: int | None, outcome: str
    ) -> None:
        goes_on = threading.Event()

        class Hanging(httpx.BaseTransport):
            def handle_request(self, request: httpx.Request) -> httpx.Response:
                assert isinstance(request.stream, httpx.SyncByteStream)
                assert list(islice(request.stream, taken))
                goes_on.wait(20)
                return httpx.Response(200)

        try:
            # On a clock that stands still, no piece is taken after the deadline, however late that is.
            http = Http(transport=Hanging(), deadline=1, max_attempts=1, clock=lambda: 0.0)
            with pytest.raises(ServiceUnreachableError) as raised:
                http.send(Maker(size=size), what="ask")
        finally:
            goes_on.set()
        assert raised.value.outcome == outcome

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

    @pytest.mark.parametrize(
        ("deadline", "piece", "outcome"),
        [(None, 1 << 20, None), (None, 1 << 10, "not sent"), (700, 1, None), (300, 1 << 20, "not sent")],
    )
    def test_a_long_upload_ends_with_the_deadline_unless_that_is_the_default_and_it_moves(
        self, deadline: float | None, piece: int, outcome: str | None
    ) -> None:
        clock = [0.0]

        def long() -> Iterator[bytes]:
            for _ in range(60):
                clock[0] += 10
                yield bytes(piece)

        service = Service(httpx.Response(200, content=b"ok"))
        http = service.http(deadline=deadline, clock=lambda: clock[0])
        if outcome is None:
            assert http.send(Maker(long), what="upload").body.reveal() == b"ok"
        else:
            with pytest.raises(ServiceUnreachableError, match="deadline") as raised:
                http.send(Maker(long), what="upload")
            assert (raised.value.outcome, raised.value.attempts, clock[0] <= 320) == (outcome, 1, True)


class TestOneDeadline:
    """Several requests of one call."""

    def test_a_block_has_one_for_all_its_requests(self) -> None:
        clock, timeouts = [0.0], []

        def slow(request: httpx.Request) -> httpx.Response:
            timeouts.append(request.extensions["timeout"]["read"])
            clock[0] += 4
            return httpx.Response(200)

        http = Http(transport=httpx.MockTransport(slow), deadline=10, clock=lambda: clock[0])
        with http.one_deadline() as outer, http.one_deadline() as inner:
            assert inner is outer
            for _ in range(3):
                http.send(get, what="ask")
            with pytest.raises(ServiceUnreachableError, match="deadline") as raised:
                http.send(get, what="ask")
        assert (timeouts, raised.value.outcome, raised.value.attempts) == ([10, 6, 2], "not sent", 0)
        http.send(get, what="ask")
        assert timeouts[3:] == [10]

    def test_another_client_has_its_own(self) -> None:
        service, clock = Service(httpx.Response(200)), [0.0]
        first, second = (service.http(deadline=10, clock=lambda: clock[0]) for _ in range(2))
        with first.one_deadline():
            clock[0] += 11
            second.send(get, what="ask")
            with pytest.raises(ServiceUnreachableError, match="deadline"):
                first.send(get, what="ask")

    def test_a_download_ends_with_it(self) -> None:
        clock, taken = [0.0], Taken()

        def dribbling() -> Iterator[bytes]:
            while True:
                clock[0] += 1
                yield b"."

        service = Service(httpx.Response(200, content=dribbling()))
        http = service.http(deadline=30, clock=lambda: clock[0])
        with pytest.raises(ServiceUnreachableError, match="deadline"):
            http.send(lambda: Request("GET", URL, {}, receive=lambda _: taken), what="ask")
        assert (clock[0], len(service.requests)) == (31, 1)

    def test_each_answer_moves_the_default(self) -> None:
        clock = [0.0]

        def slow(_: httpx.Request) -> httpx.Response:
            clock[0] += 0.5
            return httpx.Response(200)

        http = Http(transport=httpx.MockTransport(slow), clock=lambda: clock[0])
        with http.one_deadline():
            for _ in range(1000):
                http.send(get, what="ask")
        assert clock[0] == 500


class TestBudget:
    def test_all_calls_of_a_client_have_one(self) -> None:
        service = Service(httpx.Response(503))
        http = service.http()
        for _ in range(30):
            with pytest.raises(RefusedError) as raised:
                http.send(get, what="ask")
        assert len(service.requests) == 30 + 100
        assert raised.value.attempts == 1
        assert "no further attempt" in raised.value.__notes__[0]

    def test_successes_fill_it_again(self) -> None:
        service = Service(httpx.Response(503))
        http = service.http(max_attempts=2)
        for _ in range(101):
            with pytest.raises(RefusedError):
                http.send(get, what="ask")
        service.answers = [httpx.Response(200)]
        for _ in range(5):
            http.send(get, what="ask")
        service.answers, service.requests = [httpx.Response(503), httpx.Response(200)], []
        assert http.send(get, what="ask").attempts == 2
        service.answers = [httpx.Response(503), httpx.Response(200)]
        assert http.send(get, what="ask").attempts == 2  # it gave back what it took


class TestWhatDoesNotPass:
    def test_a_host_that_does_not_exist_is_asked_once(self) -> None:
        asked = []

        def unknown(host: str, *_: object, **__: object) -> NoReturn:
            asked.append(host)
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

        route = Route(secure=False, resolve=unknown)
        with closing(Http(route=route)) as http, pytest.raises(ServiceUnreachableError) as raised:
            http.send(lambda: Request("GET", "http://no-such-host.test/", {}), what="ask")
        assert (asked, raised.value.attempts, raised.value.outcome) == (["no-such-host.test"], 1, "not sent")
        assert "check base_url" in raised.value.remedy

    def test_a_name_server_that_does_not_answer_may_do_so_later(self) -> None:
        def unknown(*_: object, **__: object) -> NoReturn:
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

        route = Route(secure=False, resolve=unknown)
        with closing(Http(route=route)) as http, pytest.raises(ServiceUnreachableError) as raised:
            http.send(lambda: Request("GET", "http://no-such-host.test/", {}), what="ask")
        assert raised.value.attempts == 5

    @pytest.mark.parametrize(
        ("reason", "advice"),
        [
            ("unable to get local issuer certificate", "ca="),
            ("self-signed certificate", "SSL_CERT_FILE"),
            ("certificate has expired", "clock of this computer says 20"),
            ("certificate is not yet valid", "clock of this computer says 20"),
            ("Hostname mismatch, certificate is not valid for 'api.test'.", "base_url"),
        ],
    )
    def test_a_certificate_that_is_not_trusted_is_looked_at_once(self, reason: str, advice: str) -> None:
        service = Service(httpx.ConnectError(f"[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: {reason}"))
        caught = unreachable(service)
        assert (caught.attempts, caught.outcome, advice in caught.remedy) == (1, "not sent", True)


class TestRepeats:
    @pytest.mark.parametrize(
        ("first", "attempts"),
        [
            (httpx.Response(503), 1),
            (httpx.ReadError("gone"), 1),
            (httpx.Response(429), 2),
            (httpx.ConnectError("refused"), 2),
        ],
        ids=["503", "lost", "429", "no-connection"],
    )
    def test_what_may_have_been_carried_out_is_not_repeated_where_that_must_not_be(
        self, first: Answer, attempts: int
    ) -> None:
        service = Service(first, httpx.Response(200))
        with suppress(RefusedError, ServiceUnreachableError):
            service.http().send(Maker(), what="ask", repeats=lambda: False)
        assert len(service.requests) == attempts


def test_further_attempts_are_logged_and_nothing_else_is(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    service = Service(httpx.Response(503), httpx.ConnectError("refused"), httpx.Response(200))
    with caplog.at_level(logging.INFO):
        service.http().send(Maker(), what="count sheep")
    assert [(each.name, each.levelname) for each in caplog.records] == [("digime_pandas", "INFO")] * 2
    first, second = caplog.messages
    assert first.startswith("Could not count sheep: the service answered 503 (no reason given). Attempt 2 of 5 in 0.")
    assert "refused (attempt 2" in second
    assert "Attempt 3 of 5 in " in second
    assert capfd.readouterr() == ("", "")


class TestRetryAfter:
    @pytest.mark.parametrize("status", [429, 503, 500])
    def test_seconds_are_waited_as_asked(self, waits: list[float], status: int) -> None:
        Service(httpx.Response(status, headers={"Retry-After": " 17 "}), httpx.Response(200)).http().send(
            get, what="ask"
        )
        assert waits == [17]

    def test_a_date_is_waited_for(self, waits: list[float]) -> None:
        now = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
        header = {"Retry-After": format_datetime(now + timedelta(seconds=40), usegmt=True)}
        service = Service(httpx.Response(503, headers=header), httpx.Response(200))
        service.http(now=now.timestamp).send(get, what="ask")
        assert waits == [40]

    def test_less_than_the_usual_wait_is_not_less(self, waits: list[float]) -> None:
        for value in ("0", "Wed, 21 Oct 2015 07:28:00 GMT", "Wed, 21 Oct 2015 07:28:00 -0000"):
            Service(httpx.Response(503, headers={"Retry-After": value}), httpx.Response(200)).http().send(
                get, what="ask"
            )
        assert len(waits) == 3
        assert all(0.25 <= wait <= 0.75 for wait in waits)

    def test_more_than_two_minutes_gives_up_at_once_however_long_the_deadline_is(self, waits: list[float]) -> None:
        service = Service(httpx.Response(503, headers={"Retry-After": "121"}))
        assert (refused(service, deadline=9999).retry_after, waits) == (121, [])

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
            ([httpx.Response(503)], "unknown"),
            ([httpx.Response(500)], "unknown"),
            ([httpx.Response(500, content=error("InternalServerError"))], "unknown"),
            ([httpx.Response(429)], "refused"),
            ([httpx.Response(429), httpx.ConnectError("x")], "not sent"),
            ([httpx.Response(302)], "unknown"),
            ([httpx.Response(502)], "unknown"),
            ([httpx.Response(504)], "unknown"),
            ([httpx.Response(504), httpx.Response(400)], "unknown"),
            ([httpx.ReadError("x"), httpx.Response(503)], "unknown"),
            ([httpx.ReadError("x"), httpx.Response(503), httpx.ConnectError("x")], "unknown"),
            ([httpx.ConnectError("x"), httpx.Response(400)], "refused"),
            ([httpx.Response(503), httpx.ConnectError("x")], "unknown"),
            ([httpx.Response(503), httpx.Response(400)], "unknown"),
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
            assert isinstance(raised.value.cause, httpx.TransportError)
            assert (raised.value.__cause__, raised.value.__suppress_context__) == (None, True)
            assert pickle.loads(pickle.dumps(raised.value)).cause is None

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
    @pytest.mark.parametrize(
        ("name", "value"),
        [
            (name, value)
            for name in ("timeout", "deadline", "max_attempts")
            for value in (0, -1, float("nan"), float("inf"), None, "5", True)
            if (name, value) != ("deadline", None)  # the default
        ],
    )
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

    def test_one_that_is_closed_between_attempts_says_so(self) -> None:
        def closing_it() -> Request:
            http.close()
            return get()

        service = Service(httpx.Response(503, headers={"Retry-After": "0"}))
        http = service.http()
        with pytest.raises(ConfigurationError, match=r"closed.*connect\(\)"):
            http.send(closing_it, what="ask")
        assert len(service.requests) == 1

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
