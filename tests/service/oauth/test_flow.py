from __future__ import annotations

import gc
import socket
import threading
import time
import urllib.request
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from urllib.error import HTTPError
from urllib.parse import urlencode, urlsplit

import pytest

from digime_pandas._service.authorization import Authorization, Token, UserAccessToken
from digime_pandas._service.oauth import loopback_server
from digime_pandas._service.oauth.flow import AuthorizationFlow, listen_for
from digime_pandas._service.oauth.loopback import LoopbackListener
from digime_pandas._service.oauth.redirect import RedirectResult
from digime_pandas.errors import (
    AuthorizationError,
    AuthorizationTimeoutError,
    ConsentRefusedError,
    DigimeWarning,
    RedirectError,
    ServiceUnreachableError,
)
from tests.common.ports import free_port

STATE = "0f1e2d3c"
CODE = "s3cr3t-c0de"
SOON = 10.0
AUTHORIZATION = Authorization("patient-17", "write", UserAccessToken(Token("a", 1), Token("r", 2)))


class Exchange:
    """Counts what it is asked to exchange, and does what it is told."""

    def __init__(self, *, fails: int = 0, hold: threading.Event | None = None) -> None:
        self.replies: list[RedirectResult] = []
        self.fails = fails
        self.hold = hold
        self.begun = threading.Event()

    def __call__(self, reply: RedirectResult) -> Authorization:
        self.replies.append(reply)
        self.begun.set()
        if self.hold is not None:
            assert self.hold.wait(SOON)
        if len(self.replies) <= self.fails:
            raise ServiceUnreachableError("No network.", outcome="not sent")
        return AUTHORIZATION


def begin(
    exchange: Callable[[RedirectResult], Authorization],
    listener: LoopbackListener[RedirectResult] | None = None,
    *,
    not_listening: str = "",
    notice: Callable[[Authorization], str | None] = lambda _: None,
) -> AuthorizationFlow:
    return AuthorizationFlow(
        account_id="patient-17",
        access="write",
        url="https://consent.test/authorize?code=preauthorization",
        state=STATE,
        listener=listener,
        exchange=exchange,
        not_listening=not_listening,
        notice=notice,
    )


def redirected(base: str = "http://127.0.0.1:1/digime", **changes: str) -> str:
    return f"{base}?{urlencode({'success': 'true', 'code': CODE, 'state': STATE} | changes)}"


def listening(address: str | None = None) -> LoopbackListener[RedirectResult]:
    listener, reason = listen_for(STATE, address)
    assert listener is not None
    assert reason == ""
    return listener


def visit(url: str) -> str:
    with urllib.request.urlopen(url, timeout=SOON) as page:
        return str(page.read().decode())


def test_a_pasted_address_completes_the_flow() -> None:
    exchange = Exchange()
    with begin(exchange) as flow:
        assert flow.authorization is None
        assert flow.complete(redirected()) is AUTHORIZATION
        assert flow.authorization is AUTHORIZATION
    assert [reply.code for reply in exchange.replies] == [CODE]


def test_the_same_address_again_gives_the_same_authorization_without_a_second_exchange() -> None:
    exchange = Exchange()
    with begin(exchange) as flow:
        flow.complete(redirected())
        assert flow.complete(redirected().partition("?")[2]) is AUTHORIZATION
    assert flow.complete(redirected()) is AUTHORIZATION
    assert len(exchange.replies) == 1


def test_what_is_worth_knowing_is_warned_of_at_the_callers_line_and_kept() -> None:
    judged: list[Authorization] = []

    def verdict_for(authorization: Authorization) -> str:
        judged.append(authorization)
        return "Another library."

    with begin(Exchange(), notice=verdict_for) as flow:
        assert flow.notice is None
        calls: list[Callable[[], Authorization]] = [lambda: flow.complete(redirected()), lambda: flow.wait(SOON)]
        for call in calls:
            with pytest.warns(DigimeWarning, match=r"^Another library\.$") as warned:
                assert call() is AUTHORIZATION
            assert [warning.filename for warning in warned] == [__file__]
    assert flow.notice == "Another library."
    assert judged == [AUTHORIZATION]


def test_what_the_browser_brought_is_warned_of_where_it_is_waited_for() -> None:
    listener = listening()
    with begin(Exchange(), listener, notice=lambda _: "Another library.") as flow:
        thread = threading.Thread(target=visit, args=(redirected(listener.url),))
        thread.start()
        with pytest.warns(DigimeWarning) as warned:
            flow.wait(SOON)
        thread.join(SOON)
    assert [warning.filename for warning in warned] == [__file__]


def test_another_address_after_success_is_refused() -> None:
    with begin(Exchange()) as flow:
        flow.complete(redirected())
        with pytest.raises(AuthorizationError, match="is complete"):
            flow.complete(redirected(code="another"))
        with pytest.raises(RedirectError):
            flow.complete(redirected(state="another"))


@pytest.mark.parametrize("wrong", ["", "http://127.0.0.1:1/digime", redirected(state="another")])
def test_a_wrong_paste_leaves_the_flow_usable(wrong: str) -> None:
    exchange = Exchange()
    with begin(exchange) as flow:
        with pytest.raises(RedirectError):
            flow.complete(wrong)
        assert exchange.replies == []
        assert flow.complete(redirected()) is AUTHORIZATION


def test_an_exchange_that_failed_can_be_tried_again() -> None:
    with begin(Exchange(fails=1)) as flow:
        with pytest.raises(ServiceUnreachableError):
            flow.complete(redirected())
        assert flow.authorization is None
        assert flow.complete(redirected()) is AUTHORIZATION


def test_the_browser_completes_the_flow() -> None:
    exchange = Exchange()
    listener = listening()
    with begin(exchange, listener) as flow, ThreadPoolExecutor(1) as other:
        waiting = other.submit(flow.wait, SOON)
        assert flow.listens
        assert "go back to your notebook" in visit(redirected(listener.url))
        assert waiting.result() is AUTHORIZATION
        assert flow.wait(0.0) is AUTHORIZATION
    assert len(exchange.replies) == 1


@pytest.mark.parametrize(("fails", "words"), [(0, "can now put files into your library"), (1, "No network.")])
def test_the_page_says_what_became_of_the_exchange(fails: int, words: str) -> None:
    exchange, listener = Exchange(fails=fails), listening()
    with begin(exchange, listener) as flow, ThreadPoolExecutor(1) as other:
        waiting = other.submit(flow.wait, SOON)
        while not listener._awaited.reporters:
            time.sleep(0.01)
        page = visit(redirected(listener.url))
        assert words in page
        assert CODE not in page
        if fails:
            with pytest.raises(ServiceUnreachableError):
                waiting.result()
        assert flow.wait(SOON) is AUTHORIZATION  # what failed can be tried again


def test_where_nobody_waits_the_page_comes_at_once_and_promises_nothing() -> None:
    exchange, listener = Exchange(), listening()
    with begin(exchange, listener) as flow:
        assert "goes on from here" in visit(redirected(listener.url))
        assert exchange.replies == []
        assert flow.wait(SOON) is AUTHORIZATION


def test_a_browser_that_goes_away_holds_up_no_exchange() -> None:
    listener = listening()
    with begin(Exchange(), listener) as flow, ThreadPoolExecutor(1) as other:
        waiting = other.submit(flow.wait, SOON)
        parts = urlsplit(redirected(listener.url))
        with socket.create_connection((parts.hostname, parts.port), timeout=SOON) as gone:
            gone.sendall(f"GET {parts.path}?{parts.query} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
        assert waiting.result() is AUTHORIZATION


def test_a_browser_with_a_wrong_state_is_told_and_the_flow_waits_on() -> None:
    listener = listening()
    with begin(Exchange(), listener) as flow:
        with pytest.raises(HTTPError, match="400") as caught:
            visit(redirected(listener.url, state="another"))
        caught.value.close()
        with pytest.raises(AuthorizationTimeoutError):
            flow.wait(0.0)
        visit(redirected(listener.url))
        assert flow.wait(SOON) is AUTHORIZATION


def test_a_refusal_in_the_browser_ends_the_wait() -> None:
    listener = listening()
    with begin(Exchange(), listener) as flow:
        assert "pressed cancel" in visit(f"{listener.url}?success=false&errorCode=USER_CANCEL")
        for _ in range(2):
            with pytest.raises(ConsentRefusedError) as caught:
                flow.wait(SOON)
            assert caught.value.code == "USER_CANCEL"


def test_no_page_can_guess_where_a_free_port_is_listened_on() -> None:
    with begin(Exchange(), listening()) as one, begin(Exchange(), listening()) as other:
        addresses = [flow._listener.url for flow in (one, other) if flow._listener is not None]
        port = urlsplit(addresses[0]).port
        with pytest.raises(HTTPError, match="404") as caught:
            visit(f"http://127.0.0.1:{port}/digime?success=false&errorCode=USER_CANCEL")
        caught.value.close()
        with pytest.raises(AuthorizationTimeoutError):
            one.wait(0.0)
    paths = {urlsplit(address).path.removeprefix("/digime/") for address in addresses}
    assert {len(bytes.fromhex(path)) for path in paths} == {16}
    assert len(paths) == 2


@pytest.mark.parametrize("query", ["success=false&errorCode=USER_CANCEL", "error_message=no", "errorCode=X&state=", ""])
def test_a_failure_without_a_state_does_not_end_the_wait_at_an_address_that_is_known(query: str) -> None:
    listener = listening(f"http://127.0.0.1:{free_port()}/digime")
    with begin(Exchange(), listener) as flow:
        for wrong in (query, f"{query}&state=another"):
            with pytest.raises(HTTPError, match="400") as caught:
                visit(f"{listener.url}?{wrong}")
            caught.value.close()
        with pytest.raises(AuthorizationTimeoutError):
            flow.wait(0.0)
        visit(redirected(listener.url))
        assert flow.wait(SOON) is AUTHORIZATION


def test_a_failure_with_its_state_ends_the_wait_at_an_address_that_is_known() -> None:
    listener = listening(f"http://127.0.0.1:{free_port()}/digime")
    with begin(Exchange(), listener) as flow:
        assert "pressed cancel" in visit(f"{listener.url}?success=false&errorCode=USER_CANCEL&state={STATE}")
        with pytest.raises(ConsentRefusedError):
            flow.wait(SOON)


def test_a_paste_ends_a_wait_in_another_thread() -> None:
    with begin(Exchange(), listening()) as flow, ThreadPoolExecutor(1) as other:
        waiting = other.submit(flow.wait, SOON)
        flow.complete(redirected())
        assert waiting.result() is AUTHORIZATION


def test_browser_and_paste_at_once_exchange_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loopback_server, "_OUTCOME_SECONDS", 0.01)  # for it is known after the visit only
    hold = threading.Event()
    exchange = Exchange(hold=hold)
    listener = listening()
    with begin(exchange, listener) as flow, ThreadPoolExecutor(4) as others:
        results = [others.submit(flow.wait, SOON)]
        visit(redirected(listener.url))
        results += [others.submit(flow.complete, redirected()) for _ in range(3)]
        assert exchange.begun.wait(SOON)
        hold.set()
        assert [result.result() for result in results] == [AUTHORIZATION] * 4
    assert len(exchange.replies) == 1


def test_a_deadline_that_passes_during_the_exchange_of_a_paste_does_not_lose_it() -> None:
    hold = threading.Event()
    exchange = Exchange(hold=hold)
    with begin(exchange, listening()) as flow, ThreadPoolExecutor(2) as others:
        completing = others.submit(flow.complete, redirected())
        assert exchange.begun.wait(SOON)
        waiting = others.submit(flow.wait, 0.0)
        hold.set()
        assert waiting.result() is AUTHORIZATION
        assert completing.result() is AUTHORIZATION


def test_the_deadline_raises_and_the_flow_waits_on() -> None:
    with begin(Exchange(), listening()) as flow:
        with pytest.raises(AuthorizationTimeoutError):
            flow.wait(0.01)
        assert flow.complete(redirected()) is AUTHORIZATION


def test_without_a_listener_waiting_names_the_way_to_complete() -> None:
    with begin(Exchange()) as flow:
        assert not flow.listens
        with pytest.raises(AuthorizationError, match=r"flow\.complete\(redirected_url\)"):
            flow.wait(SOON)
        flow.complete(redirected())
        assert flow.wait(SOON) is AUTHORIZATION


def test_a_closed_flow_neither_waits_nor_completes() -> None:
    exchange = Exchange()
    flow = begin(exchange, listening())
    flow.close()
    flow.close()
    with pytest.raises(AuthorizationError, match="cancelled"):
        flow.wait(SOON)
    with pytest.raises(AuthorizationError, match="was closed"):
        flow.complete(redirected())
    assert exchange.replies == []


def test_the_listener_ends_with_the_flow() -> None:
    before = set(threading.enumerate())
    with begin(Exchange(), listening()):
        pass
    with begin(Exchange(), listening()) as completed:
        completed.complete(redirected())
        assert set(threading.enumerate()) <= before


def test_a_flow_nobody_holds_leaves_no_thread() -> None:
    before = set(threading.enumerate())
    flow = begin(Exchange(), listening())
    gone = weakref.ref(flow)
    del flow
    gc.collect()
    assert gone() is None
    assert set(threading.enumerate()) <= before


def test_the_exchange_and_its_verifier_are_let_go_when_done() -> None:
    for finish in (lambda flow: flow.complete(redirected()), AuthorizationFlow.close):
        exchange = Exchange()
        gone = weakref.ref(exchange)
        flow = begin(exchange)
        finish(flow)
        del exchange
        gc.collect()
        assert gone() is None


def test_no_secret_prints() -> None:
    flow = begin(Exchange())
    printed = [repr(flow)]
    flow.complete(redirected())
    printed.append(repr(flow))
    flow.close()
    printed.append(repr(begin(Exchange())))
    assert "waiting" in printed[0]
    assert "complete" in printed[1]
    assert not any(secret in text for text in printed for secret in (STATE, CODE, "preauthorization"))


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_registered_address_of_this_computer_is_listened_on(host: str) -> None:
    port = free_port()
    with listening(f"http://{host}:{port}/back/here?own=1") as listener:
        assert listener.url == f"http://{host}:{port}/back/here?own=1"
        assert "go back to your notebook" in visit(redirected(f"http://127.0.0.1:{port}/back/here"))


def test_a_registered_address_behind_jupyter_server_proxy_is_listened_on_at_its_port() -> None:
    port = free_port()
    with listening(f"https://hub.example.test/user/ana/proxy/{port}/digime") as listener:
        assert listener.url == f"https://hub.example.test/user/ana/proxy/{port}/digime"
        assert "go back to your notebook" in visit(redirected(f"http://127.0.0.1:{port}/digime"))


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("https://app.example.test/back", "'app.example.test', which is not this computer"),
        ("http://127.0.0.1/back", "has no port"),
        ("http://127.0.0.1:99999/back", "no address"),
        ("http://[/back", "no address"),
        ("https://127.0.0.1:8765/back", "begins with https:"),
        ("digime-ca://callback", "not this computer"),
        ("mailto:ana@example.test", "not this computer"),
        ("https://hub.example.test/proxy/99999/digime", "1024 to 65535"),
        ("https://hub.example.test/proxy/8765", "not this computer"),
    ],
)
def test_an_address_elsewhere_is_not_listened_on_and_why(address: str, words: str) -> None:
    listener, reason = listen_for(STATE, address)
    assert listener is None
    assert words in reason


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]"])
@pytest.mark.parametrize("other", ["127.0.0.1", "::1"])
def test_an_address_another_program_listens_on_is_left_to_it_and_said(host: str, other: str) -> None:
    family = socket.AF_INET6 if ":" in other else socket.AF_INET
    with socket.create_server((other, 0), family=family) as application:
        port = application.getsockname()[1]
        listener, reason = listen_for(STATE, f"http://{host}:{port}/back")
        if host in {"localhost", other, f"[{other}]"}:
            assert listener is None
            assert f"Port {port} of this computer is in use" in reason
            with (
                begin(Exchange(), None, not_listening=reason) as flow,
                pytest.raises(AuthorizationError, match="in use"),
            ):
                flow.wait(SOON)
        else:
            assert listener is not None
            listener.close()
            assert reason == ""


@pytest.mark.parametrize(
    ("host", "reached"),
    [
        ("[::1]", ["::1"]),
        ("[0:0:0:0:0:0:0:1]", ["::1"]),
        ("127.0.0.1", ["127.0.0.1"]),
        ("LocalHost", ["127.0.0.1", "::1"]),
    ],
)
@pytest.mark.parametrize("path", ["", "/", "/back"])
def test_what_is_said_to_be_listened_on_is(host: str, reached: list[str], path: str) -> None:
    port = free_port()
    address = f"http://{host}:{port}{path}"
    with begin(Exchange(), listening(address.replace("http", "HTTP"))) as flow:
        assert flow.listens
        for each in reached:
            socket.create_connection((each, port), timeout=SOON).close()
        assert "go back to your notebook" in visit(redirected(address))
        assert flow.wait(SOON) is AUTHORIZATION
    for each in ("127.0.0.1", "::1"):
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((each, port), timeout=SOON)


def test_finished_is_set_by_completion_and_by_closing() -> None:
    for finish in (lambda flow: flow.complete(redirected()), AuthorizationFlow.close):
        flow = begin(Exchange())
        assert not flow.finished.is_set()
        finish(flow)
        assert flow.finished.is_set()
