from __future__ import annotations

import errno
import gc
import os
import signal
import socket
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPResponse
from urllib.parse import parse_qsl, quote, urlsplit

import pytest

from digime_pandas._service.masking.secret import Secret
from digime_pandas._service.oauth import loopback_server
from digime_pandas._service.oauth.loopback import LoopbackListener
from digime_pandas._service.oauth.loopback_server import RedirectHandler
from digime_pandas.errors import (
    AuthorizationError,
    AuthorizationTimeoutError,
    ConfigurationError,
    ConsentRefusedError,
    RedirectError,
)
from tests.common.ports import free_port

Listener = LoopbackListener[Secret[str]]

SOON = 10.0  # seconds; what a wait that must not run out is given


def accept(redirected: Secret[str]) -> Secret[str] | AuthorizationError:
    query = urlsplit(redirected.reveal()).query
    if "success=false" in query:
        return ConsentRefusedError("The person said no.", code="USER_CANCEL")
    return redirected if "state=right" in query else RedirectError(f"Wrong: {query}")


@pytest.fixture
def listener() -> Iterator[Listener]:
    with LoopbackListener(handler=accept) as opened:
        yield opened


def address(listener: Listener) -> tuple[str, int]:
    parts = urlsplit(listener.url)
    assert parts.hostname is not None
    assert parts.port is not None
    return parts.hostname, parts.port


def fetch(
    listener: Listener, target: str = "/digime?state=right", method: str = "GET", **headers: str
) -> tuple[HTTPResponse, str]:
    connection = HTTPConnection(*address(listener), timeout=SOON)
    try:
        connection.request(method, target, headers={name.replace("_", "-"): text for name, text in headers.items()})
        response = connection.getresponse()
        return response, response.read().decode()
    finally:
        connection.close()


def send_raw(listener: Listener, request: bytes) -> bytes:
    with socket.create_connection(address(listener), timeout=SOON) as connection:
        connection.sendall(request)
        return b"".join(iter(lambda: connection.recv(4096), b""))


def is_waiting(listener: Listener) -> bool:
    try:
        listener.wait(0.0)
    except AuthorizationTimeoutError:
        return True
    return False


def test_the_address_is_loopback_on_a_free_port(listener: Listener) -> None:
    host, port = address(listener)
    assert host == "127.0.0.1"
    assert port > 0
    assert urlsplit(listener.url).path == "/digime"


def test_the_redirect_is_returned_whole_and_the_page_sends_the_person_back(
    listener: Listener,
) -> None:
    target = f"/digime?success=true&state=right&publicKey={quote('a+b/c=')}"
    response, page = fetch(listener, target)
    assert response.status == 200
    assert "go back to your notebook" in page
    assert listener.wait(SOON).reveal() == listener.url.removesuffix("/digime") + target


def test_a_wrong_state_is_told_and_the_wait_goes_on(listener: Listener) -> None:
    response, page = fetch(listener, "/digime?state=wrong")
    assert response.status == 400
    assert "Wrong: state=wrong" in page
    assert is_waiting(listener)
    fetch(listener)
    assert "state=right" in listener.wait(SOON).reveal()


def test_a_refusal_is_told_and_ends_the_wait(listener: Listener) -> None:
    response, page = fetch(listener, "/digime?success=false")
    assert response.status == 200
    assert "Nothing was authorized" in page
    assert "The person said no." in page
    for _ in range(2):
        with pytest.raises(ConsentRefusedError, match="The person said no"):
            listener.wait(SOON)


def test_a_second_hit_gets_a_friendly_page_and_changes_nothing(listener: Listener) -> None:
    fetch(listener, "/digime?state=right&code=first")
    for target in ("/digime?state=right&code=second", "/digime?state=wrong", "/digime?success=false"):
        response, page = fetch(listener, target)
        assert response.status == 200
        assert "Already received" in page
    assert "code=first" in listener.wait(SOON).reveal()


def test_of_many_redirects_at_once_one_is_taken() -> None:
    taken: list[Secret[str]] = []

    def count(redirected: Secret[str]) -> Secret[str]:
        taken.append(redirected)
        return redirected

    with LoopbackListener(handler=count) as listener, ThreadPoolExecutor(8) as browsers:
        pages = list(browsers.map(lambda number: fetch(listener, f"/digime?code={number}")[1], range(16)))
        assert taken == [listener.wait(SOON)]
    assert sum("Consent received" in page for page in pages) == 1


@pytest.mark.parametrize(
    "target", ["/", "/digim", "/digime/", "/favicon.ico", "/../digime", "http://127.0.0.1/digime", "*"]
)
def test_any_other_path_is_not_found(listener: Listener, target: str) -> None:
    assert fetch(listener, f"{target}?state=right")[0].status == 404
    assert is_waiting(listener)


@pytest.mark.parametrize("method", ["HEAD", "POST", "PUT", "OPTIONS", "DELETE", "TRACE", "NONSENSE"])
def test_any_other_method_is_not_allowed(listener: Listener, method: str) -> None:
    response, _ = fetch(listener, method=method)
    assert response.status == 405
    assert response.headers["Allow"] == "GET"
    assert is_waiting(listener)


@pytest.mark.parametrize("length", [17_000, 60_000, 200_000])
def test_a_huge_query_is_refused(listener: Listener, length: int) -> None:
    request = b"GET /digime?state=right&x=" + b"1" * length + b" HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    try:
        answer = send_raw(listener, request)
    except ConnectionError:
        answer = b"HTTP/1.0 414"  # refused so early that the rest of the request met a closed door
    assert answer.startswith(b"HTTP/1.0 414")
    assert is_waiting(listener)


def test_markup_in_parameters_is_shown_as_text(listener: Listener) -> None:
    page = send_raw(listener, b"GET /digime?<script>alert(1)</script>&'\" HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n").decode()
    assert "<script>" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;&amp;&#x27;&quot;" in page


@pytest.mark.parametrize("host", ["evil.test", "evil.test:80", "127.0.0.1.evil.test", "[::2]", "", "[", "127.0.0.1@x"])
def test_a_host_that_is_not_this_computer_is_forbidden(listener: Listener, host: str) -> None:
    assert fetch(listener, Host=host)[0].status == 403
    assert is_waiting(listener)


@pytest.mark.parametrize("lines", [b"", b"Host: 127.0.0.1\r\nHost: evil.test\r\n"])
def test_no_host_or_two_are_forbidden(listener: Listener, lines: bytes) -> None:
    answer = send_raw(listener, b"GET /digime?state=right HTTP/1.1\r\n" + lines + b"\r\n")
    assert answer.startswith(b"HTTP/1.0 403")
    assert is_waiting(listener)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost:8080", "LOCALHOST", "[::1]:1"])
def test_names_of_this_computer_are_served_on_any_forwarded_port(listener: Listener, host: str) -> None:
    assert fetch(listener, Host=host)[0].status == 200


@pytest.mark.parametrize("mode", ["no-cors", "cors", "same-origin", "websocket"])
def test_a_page_that_embeds_the_address_is_forbidden(listener: Listener, mode: str) -> None:
    assert fetch(listener, Sec_Fetch_Mode=mode)[0].status == 403
    assert is_waiting(listener)
    assert fetch(listener, Sec_Fetch_Mode="navigate")[0].status == 200


@pytest.mark.parametrize(
    ("target", "method"),
    [("/digime?state=right", "GET"), ("/digime?state=wrong", "GET"), ("/x", "GET"), ("/x", "POST")],
)
def test_every_page_forbids_scripts_referrers_and_keeping(listener: Listener, target: str, method: str) -> None:
    response, _ = fetch(listener, target, method)
    assert "default-src 'none'" in response.headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in response.headers["Content-Security-Policy"]
    assert response.headers["Referrer-Policy"] == "no-referrer"
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert "Python" not in str(response.headers)


@pytest.mark.parametrize(
    "request_", [b"\x16\x03\x01\x02\x00\x01\r\n\r\n", b"GET\r\n\r\n", b"GET /digime HTTP/9.9\r\n\r\n"]
)
def test_what_is_not_http_is_answered_or_dropped_quietly(
    listener: Listener, request_: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    send_raw(listener, request_)
    assert is_waiting(listener)
    assert capfd.readouterr() == ("", "")


def test_nothing_is_logged(listener: Listener, capfd: pytest.CaptureFixture[str]) -> None:
    for target in ("/digime?state=wrong", "/nowhere", "/digime?state=right&code=secret"):
        fetch(listener, target)
    assert capfd.readouterr() == ("", "")


def test_a_slow_client_holds_up_nobody(listener: Listener) -> None:
    with socket.create_connection(address(listener), timeout=SOON) as slow:
        slow.sendall(b"GET /digime")
        assert fetch(listener)[0].status == 200


def test_a_client_that_drips_is_cut_off(listener: Listener, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loopback_server, "_REQUEST_SECONDS", 0.2)
    with socket.create_connection(address(listener), timeout=0.02) as slow:
        started = time.monotonic()
        ended = False
        while not ended and time.monotonic() - started < SOON:
            try:
                slow.sendall(b"G")
                ended = slow.recv(1) == b""
            except TimeoutError:
                continue
            except ConnectionError:
                ended = True
    assert ended


@pytest.mark.parametrize("count", [3, 64])
@pytest.mark.slow
def test_of_too_many_connections_the_oldest_are_dropped_and_a_browser_is_served(
    listener: Listener, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    monkeypatch.setattr(loopback_server, "_MAXIMUM_CONNECTIONS", 2 if count == 3 else 32)
    idle = [socket.create_connection(address(listener), timeout=SOON) for _ in range(count)]
    assert fetch(listener)[0].status == 200
    assert "state=right" in listener.wait(SOON).reveal()
    assert idle[0].recv(1) == b""
    for connection in idle:
        connection.close()


def test_the_wait_ends_at_its_deadline_and_may_be_taken_up_again(listener: Listener) -> None:
    with pytest.raises(AuthorizationTimeoutError, match=r"within 0\.05 seconds.*flow\.complete"):
        listener.wait(0.05)
    fetch(listener)
    assert "state=right" in listener.wait(SOON).reveal()


@contextmanager
def interrupting() -> Iterator[None]:
    # Programs that shells start in the background are born deaf to this signal.
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    thread = threading.Thread(target=os.kill, args=(os.getpid(), signal.SIGINT))
    thread.start()
    try:
        yield
    finally:
        thread.join()
        signal.signal(signal.SIGINT, handler)


def test_an_interrupt_ends_the_wait(listener: Listener) -> None:
    with pytest.raises(KeyboardInterrupt), interrupting():
        listener.wait(SOON)


def test_closing_ends_a_wait_in_another_thread(listener: Listener) -> None:
    with ThreadPoolExecutor(1) as other:
        waiting = other.submit(listener.wait, SOON)
        listener.close()
        with pytest.raises(AuthorizationError, match="cancelled"):
            waiting.result()


def test_closing_frees_port_and_threads_even_with_connections_open() -> None:
    before = set(threading.enumerate())
    listener = LoopbackListener(port=free_port(), handler=accept)
    with socket.create_connection(address(listener), timeout=SOON) as idle:
        fetch(listener)
        listener.close()
        listener.close()
        assert idle.recv(1) == b""
    assert set(threading.enumerate()) <= before
    with pytest.raises(ConnectionError):
        fetch(listener)
    with LoopbackListener(port=address(listener)[1], handler=accept) as again:
        assert again.url == listener.url


def test_a_listener_nobody_holds_is_collected_with_its_thread() -> None:
    before = set(threading.enumerate())
    listener = LoopbackListener(port=free_port(), handler=accept)
    where = address(listener)
    del listener
    gc.collect()
    assert set(threading.enumerate()) <= before
    with pytest.raises(ConnectionError):
        socket.create_connection(where, timeout=SOON)


@pytest.mark.parametrize("port", [None, 70_000, -1])
def test_a_port_that_cannot_be_had_is_named(port: int | None) -> None:
    with socket.create_server(("127.0.0.1", 0)) as program:
        number = program.getsockname()[1] if port is None else port
        with pytest.raises(ConfigurationError, match=f"Port {number} "):
            LoopbackListener(port=number, handler=accept)


def test_behind_a_proxy_the_public_address_is_given_and_its_host_served() -> None:
    public_url = "https://hub.example.test/user/ana/proxy/8765/digime"
    with LoopbackListener(handler=accept, public_url=public_url) as listener:
        assert listener.url == public_url
        with socket.create_connection(("127.0.0.1", listener.port), timeout=SOON) as proxy:
            proxy.sendall(b"GET /digime?state=right HTTP/1.1\r\nHost: hub.example.test\r\n\r\n")
            assert proxy.recv(4096).startswith(b"HTTP/1.0 200")
        assert "state=right" in listener.wait(SOON).reveal()


@pytest.mark.parametrize("public_url", ["", "hub/digime", "ftp://hub/digime", "https://[", "https:///digime"])
def test_a_public_address_must_be_absolute(public_url: str) -> None:
    with pytest.raises(ConfigurationError, match="public_url"):
        LoopbackListener(handler=accept, public_url=public_url)


def by_state(state: str) -> RedirectHandler[Secret[str]]:
    """Take what brings this state, and a refusal that brings none; as the handler of a flow does."""

    def take(redirected: Secret[str]) -> Secret[str] | AuthorizationError:
        query = dict(parse_qsl(urlsplit(redirected.reveal()).query))
        if query.get("state", state) != state:
            return RedirectError("It belongs to another authorization.")
        return ConsentRefusedError("Refused.", code="USER_CANCEL") if "errorCode" in query else redirected

    return take


def loopback_connects(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), timeout=SOON).close()
    except ConnectionRefusedError:
        return False
    return True


class TestAddresses:
    @pytest.mark.parametrize(
        ("host", "reached", "not_reached"),
        [
            ("127.0.0.1", ["127.0.0.1"], ["::1"]),
            ("::1", ["::1"], ["127.0.0.1"]),
            ("localhost", ["127.0.0.1", "::1"], []),
        ],
    )
    def test_a_name_is_listened_on_at_all_its_addresses_and_an_address_at_itself(
        self, host: str, reached: list[str], not_reached: list[str]
    ) -> None:
        with LoopbackListener(host=host, port=free_port(), handler=accept) as listener:
            assert [loopback_connects(each, listener.port) for each in reached] == [True] * len(reached)
            assert not any(loopback_connects(each, listener.port) for each in not_reached)
            fetch(listener)
            assert listener.wait(SOON).reveal().endswith("state=right")
        assert not any(loopback_connects(each, listener.port) for each in reached)

    @pytest.mark.parametrize("code", [errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT])
    def test_where_there_is_no_ipv6_localhost_is_the_other_address(
        self, monkeypatch: pytest.MonkeyPatch, code: int
    ) -> None:
        failing_at("::1", code, monkeypatch)
        with LoopbackListener(host="localhost", handler=accept) as listener:
            assert fetch(listener)[0].status == 200
        with pytest.raises(ConfigurationError, match=r"at ::1, an address that this computer does not have"):
            LoopbackListener(host="::1", port=8765, handler=accept)

    def test_a_port_that_is_not_allowed_is_no_port_in_use(self, monkeypatch: pytest.MonkeyPatch) -> None:
        failing_at("127.0.0.1", errno.EACCES, monkeypatch)
        with pytest.raises(ConfigurationError, match=r"Port 80 .*may not be listened on .*below 1024") as caught:
            LoopbackListener(host="localhost", port=80, handler=accept)
        assert "in use" not in str(caught.value)

    def test_a_port_in_use_at_either_address_is_not_half_taken(self) -> None:
        before = set(threading.enumerate())
        with socket.create_server(("::1", free_port()), family=socket.AF_INET6) as program:
            port = program.getsockname()[1]
            with pytest.raises(ConfigurationError, match=f"Port {port} .*in use"):
                LoopbackListener(host="localhost", port=port, handler=accept)
            assert not loopback_connects("127.0.0.1", port)
        assert set(threading.enumerate()) <= before


def failing_at(host: str, code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nothing be bound at an address."""

    class Failing(loopback_server.LoopbackServer):
        def server_bind(self) -> None:
            if self.server_address[0] == host:
                raise OSError(code, os.strerror(code))
            super().server_bind()

    monkeypatch.setattr(loopback_server, "LoopbackServer", Failing)


class TestOnePortForSeveral:
    def test_each_gets_its_own_redirect_whatever_the_order(self) -> None:
        with (
            LoopbackListener(handler=by_state("one")) as one,
            LoopbackListener(port=one.port, handler=by_state("two")) as two,
        ):
            assert one.url == two.url
            assert fetch(one, "/digime?state=two&code=2")[0].status == 200
            assert two.wait(SOON).reveal().endswith("code=2")
            assert is_waiting(one)
            assert "Already received" in fetch(one, "/digime?state=two&code=3")[1]
            assert fetch(one, "/digime?state=one&code=1")[0].status == 200
            assert one.wait(SOON).reveal().endswith("code=1")
            assert two.wait(SOON).reveal().endswith("code=2")

    def test_an_unknown_state_is_told_and_all_wait_on(self) -> None:
        with (
            LoopbackListener(handler=by_state("one")) as one,
            LoopbackListener(port=one.port, handler=by_state("two")) as two,
        ):
            response, page = fetch(one, "/digime?state=three")
            assert response.status == 400
            assert "another authorization" in page
            assert is_waiting(one)
            assert is_waiting(two)

    def test_what_may_be_of_any_is_of_none(self) -> None:
        with (
            LoopbackListener(handler=by_state("one")) as one,
            LoopbackListener(port=one.port, handler=by_state("two")) as two,
        ):
            response, page = fetch(one, "/digime?errorCode=USER_CANCEL")
            assert response.status == 400
            assert "does not say which of them" in page
            assert is_waiting(one)
            two.close()
            assert fetch(one, "/digime?errorCode=USER_CANCEL")[0].status == 200
            with pytest.raises(ConsentRefusedError):
                one.wait(SOON)

    def test_paths_and_hosts_are_each_ones_own(self) -> None:
        public = "https://hub.example.test/proxy/1/there"
        with (
            LoopbackListener(path="/here", handler=accept) as here,
            LoopbackListener(port=here.port, path="/there", handler=accept, public_url=public) as there,
        ):
            assert fetch(here, "/digime?state=right")[0].status == 404
            assert fetch(here, "/here?state=right", Host="hub.example.test")[0].status == 404
            assert fetch(here, "/there?state=right", Host="hub.example.test")[0].status == 200
            assert is_waiting(here)
            assert "/there" in there.wait(SOON).reveal()

    def test_the_port_is_free_when_the_last_one_is_closed_and_not_before(self) -> None:
        before = set(threading.enumerate())
        one = LoopbackListener(host="localhost", port=free_port(), handler=by_state("one"))
        two = LoopbackListener(host="::1", port=one.port, handler=by_state("two"))
        one.close()
        assert not loopback_connects("127.0.0.1", one.port)
        connection = HTTPConnection("::1", two.port, timeout=SOON)
        connection.request("GET", "/digime?state=two")
        assert connection.getresponse().status == 200
        connection.close()
        assert two.wait(SOON).reveal().startswith(f"http://[::1]:{two.port}/")
        two.close()
        assert not loopback_connects("::1", one.port)
        assert set(threading.enumerate()) <= before
        with socket.create_server(("::1", one.port), family=socket.AF_INET6):
            pass

    def test_many_begin_and_end_on_one_port_at_once(self) -> None:
        before, port = set(threading.enumerate()), free_port()

        def begin_and_end(number: int) -> str:
            with LoopbackListener(port=port, handler=by_state(str(number))) as listener:
                assert fetch(listener, f"/digime?state={number}")[0].status == 200
                return listener.wait(SOON).reveal().rpartition("=")[2]

        with ThreadPoolExecutor(8) as others:
            assert list(others.map(begin_and_end, range(64))) == [str(number) for number in range(64)]
        assert set(threading.enumerate()) <= before

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
    def test_a_forked_child_has_no_share_in_it(self) -> None:
        with LoopbackListener(host="localhost", port=free_port(), handler=accept) as listener:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # newer Pythons warn of a fork while threads run
                child = os.fork()
            if child == 0:
                left = _ends_with(listener.wait, "forked from") and _ends_with(
                    lambda _: LoopbackListener(port=listener.port, handler=accept), "in use"
                )
                os._exit(0 if left else 1)
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
            assert fetch(listener)[0].status == 200
            listener.wait(SOON)
        with LoopbackListener(host="localhost", port=listener.port, handler=accept):
            pass


def _ends_with(act: Callable[[float], object], words: str) -> bool:
    try:
        act(SOON)
    except (AuthorizationError, ConfigurationError) as error:
        return words in str(error)
    return False
