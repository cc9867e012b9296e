from __future__ import annotations

import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from digime_pandas._client.client import Client
from digime_pandas._client.consent.html import render_html, render_text, render_wait
from digime_pandas._client.consent.session import ConsentSession, ConsentState, Stage
from digime_pandas._service.authorization import Authorization
from digime_pandas._service.oauth.flow import AuthorizationFlow
from digime_pandas.errors import (
    APIError,
    AuthorizationError,
    AuthorizationExpiredError,
    AuthorizationTimeoutError,
    ConfigurationError,
    ConsentRefusedError,
    DigimeError,
    DigimeWarning,
    NotAuthorizedError,
    RedirectError,
    ServiceUnreachableError,
    TokenStoreError,
)
from digime_pandas.sandbox import Sandbox
from tests.common.ports import free_port
from tests.common.threads import left_since

SOON = 20.0
Walk = Callable[..., ConsentSession]


class Recorder:
    """Keeps every state that was shown, and lets a test wait for one."""

    def __init__(self) -> None:
        self.session: ConsentSession | None = None
        self.states: list[ConsentState] = []
        self._changed = threading.Condition()

    def __call__(self) -> None:
        assert self.session is not None
        with self._changed:
            self.states.append(self.session.state)
            self._changed.notify_all()

    def wait_for(self, wanted: Callable[[ConsentState], bool]) -> ConsentState:
        with self._changed:
            assert self._changed.wait_for(lambda: any(map(wanted, self.states)), SOON), self.states
            return next(filter(wanted, self.states))


@pytest.fixture
def walk(client: Client, account_id: str) -> Iterator[Walk]:
    made: list[ConsentSession] = []

    def start(account_id: str = account_id, *, again: bool = False, **options: Any) -> ConsentSession:
        recorder = Recorder()
        session = ConsentSession(
            options.pop("client", client),
            account_id,
            options.pop("access", "write"),
            callback=options.pop("callback", None),
            timeout=options.pop("timeout", SOON),
            on_change=recorder,
        )
        recorder.session = session
        made.append(session)
        session.start(again=again)
        return session

    yield start
    for session in made:
        session.close()


def recorder(session: ConsentSession) -> Recorder:
    found = session._on_change
    assert isinstance(found, Recorder)
    return found


def stage(session: ConsentSession) -> Stage:
    return session.state.stage


def stages(session: ConsentSession) -> list[Stage]:
    return [state.stage for state in recorder(session).states]


def flow_of(session: ConsentSession) -> AuthorizationFlow:
    assert session.flow is not None
    return session.flow


def visit(url: str) -> None:
    urllib.request.urlopen(url, timeout=SOON).close()


def paste(session: ConsentSession, address: str) -> None:
    thread = session.paste(address)
    assert thread is not None
    thread.join(SOON)


def test_it_starts_by_waiting_with_a_link(walk: Walk) -> None:
    session = walk()
    assert stages(session) == ["starting", "waiting"]
    assert session.state.url == flow_of(session).url
    assert session.state.authorization is None


def test_the_browser_leads_to_done(walk: Walk, sandbox: Sandbox, client: Client, account_id: str) -> None:
    session = walk()
    visit(sandbox.approve(flow_of(session).url))
    authorization = session.result(SOON)
    assert authorization == client.authorization(account_id)
    assert stages(session) == ["starting", "waiting", "done"]
    assert session.state.url is None


def test_a_pasted_address_leads_to_done(walk: Walk, sandbox: Sandbox) -> None:
    session = walk()
    paste(session, sandbox.approve(flow_of(session).url))
    assert session.result(SOON) == session.state.authorization


def test_a_plain_call_leads_to_done(walk: Walk, sandbox: Sandbox) -> None:
    session = walk()
    authorization = flow_of(session).complete(sandbox.approve(flow_of(session).url))
    assert session.result(SOON) is authorization


@pytest.mark.parametrize(
    ("address", "words"),
    [("nonsense", "neither success"), ("?success=true&code=c0de&state=wrong", "another authorization"), (" ", "empty")],
)
def test_a_wrong_paste_says_why_and_waits_on(walk: Walk, sandbox: Sandbox, address: str, words: str) -> None:
    session = walk()
    back = sandbox.approve(flow_of(session).url)
    paste(session, address)
    assert stage(session) == "waiting"
    assert words in session.state.message
    assert session.state.url is not None
    paste(session, back)
    assert session.result(SOON).access == "write"
    assert session.state.message == ""


def test_a_refusal_by_redirect_or_paste_says_so(walk: Walk, sandbox: Sandbox) -> None:
    for take in (lambda _, back: visit(back), paste):
        session = walk()
        take(session, sandbox.refuse(flow_of(session).url))
        with pytest.raises(ConsentRefusedError):
            session.result(SOON)
        assert stage(session) == "refused"
        assert "pressed cancel" in session.state.message
        session.start()
        assert stage(session) == "waiting"


def test_a_code_the_service_does_not_take_fails_with_its_words_and_can_start_again(
    walk: Walk, sandbox: Sandbox
) -> None:
    session = walk()
    code = parse_qs(urlsplit(sandbox.approve(flow_of(session).url)).query)["code"][0]
    state = flow_of(session).state
    paste(session, f"?success=true&code={code[::-1]}&state={state}")
    with pytest.raises(APIError):
        session.result(SOON)
    assert stage(session) == "failed"
    assert code[::-1] not in session.state.message
    session.start()
    assert stage(session) == "waiting"


def test_time_out_is_a_stage_with_a_way_on(walk: Walk, sandbox: Sandbox) -> None:
    session = walk(timeout=0.05)
    with pytest.raises(AuthorizationTimeoutError):
        session.result(SOON)
    assert stage(session) == "timed out"
    assert "Start again" in session.state.message
    assert not flow_of(session)._listener._finalizer.alive  # type: ignore[union-attr]  # it has one
    session._timeout = SOON
    session.start()
    visit(sandbox.approve(flow_of(session).url))
    assert session.result(SOON).access == "write"


def test_cancelling_is_a_stage_with_a_way_on_and_a_later_redirect_changes_nothing(
    walk: Walk, sandbox: Sandbox, client: Client, account_id: str
) -> None:
    session = walk()
    back = sandbox.approve(flow_of(session).url)
    session.cancel()
    assert stage(session) == "cancelled"
    with pytest.raises(OSError, match="refused"):
        visit(back)
    assert session.paste(back) is None
    with pytest.raises(AuthorizationError, match="cancelled"):
        session.result(SOON)
    with pytest.raises(NotAuthorizedError):
        client.authorization(account_id)
    session.start()
    assert stage(session) == "waiting"


def test_a_stored_authorization_is_taken_without_asking(walk: Walk, sandbox: Sandbox) -> None:
    first = walk()
    paste(first, sandbox.approve(flow_of(first).url))
    authorization = first.result(SOON)
    second = walk()
    assert second.flow is None
    assert second.result(0.0) == authorization
    assert stages(second) == ["starting", "done"]


@pytest.mark.parametrize("way", ["browser", "paste"])
def test_a_consent_for_another_library_is_said_in_the_view_and_nowhere_else(
    walk: Walk, sandbox: Sandbox, client: Client, reader: Authorization, way: str
) -> None:
    client.forget(reader.account_id)
    session = walk(reader.account_id)
    address = sandbox.approve(flow_of(session).url)
    if way == "paste":
        paste(session, address)
    else:
        visit(address)
    assert session.result(SOON).user_id != reader.user_id
    assert session.state.message == flow_of(session).notice
    assert "another library" in session.state.message


def test_a_stored_read_authorization_for_another_library_is_asked_for_again(
    walk: Walk, sandbox: Sandbox, client: Client, reader: Authorization
) -> None:
    client.forget(reader.account_id)
    with client.begin_authorization(reader.account_id) as flow:
        address = sandbox.approve(flow.url)
        with pytest.warns(DigimeWarning):
            written = flow.complete(address)
    session = walk(reader.account_id, access="read")
    assert stage(session) == "waiting"
    paste(session, sandbox.approve(flow_of(session).url))
    assert session.result(SOON).user_id == written.user_id
    assert session.state.message == ""


def test_start_again_asks_though_there_is_a_stored_one(walk: Walk, sandbox: Sandbox) -> None:
    first = walk()
    paste(first, sandbox.approve(flow_of(first).url))
    before = first.result(SOON)
    first.start(again=True)
    assert stage(first) == "waiting"
    paste(first, sandbox.approve(flow_of(first).url))
    assert first.result(SOON) != before


def test_a_stored_authorization_that_has_expired_is_asked_for_again(
    walk: Walk, person: Authorization, client: Client
) -> None:
    refresh_token = replace(person.user_access_token.refresh_token, expiry=int(time.time()))
    pair = replace(person.user_access_token, refresh_token=refresh_token)
    client.tokens.put(client.base_url, client.contract.client_id, replace(person, user_access_token=pair))
    assert stage(walk()) == "waiting"


def test_forgetting_removes_it_from_the_store_and_can_start_again(
    walk: Walk, sandbox: Sandbox, client: Client, account_id: str
) -> None:
    session = walk()
    paste(session, sandbox.approve(flow_of(session).url))
    session.result(SOON)
    session.forget()
    assert stage(session) == "forgotten"
    assert session.state.authorization is None
    with pytest.raises(NotAuthorizedError):
        session.result(SOON)
    with pytest.raises(NotAuthorizedError):
        client.authorization(account_id)
    session.start()
    assert stage(session) == "waiting"


def test_a_newer_one_for_the_same_account_takes_over_and_stops_the_older_listener(walk: Walk, sandbox: Sandbox) -> None:
    older = walk()
    newer = walk()
    assert stage(older) == "replaced"
    assert "newer cell" in older.state.message
    with pytest.raises(OSError, match="refused"):
        visit(sandbox.approve(flow_of(older).url))
    visit(sandbox.approve(flow_of(newer).url))
    assert newer.result(SOON).access == "write"


def test_two_accounts_and_two_accesses_live_side_by_side(walk: Walk, sandbox: Sandbox, account_id: str) -> None:
    walks = [walk(), walk(f"{account_id}-b"), walk(access="read")]
    assert [session.state.stage for session in walks] == ["waiting"] * 3
    for session in reversed(walks):
        visit(sandbox.approve(flow_of(session).url))
    results = [session.result(SOON) for session in walks]
    assert [(result.account_id, result.access) for result in results] == [
        (account_id, "write"),
        (f"{account_id}-b", "write"),
        (account_id, "read"),
    ]


def test_on_one_fixed_port_each_gets_its_own_redirect(walk: Walk, sandbox: Sandbox, account_id: str) -> None:
    address = f"http://localhost:{free_port()}/digime"
    accounts = [account_id, f"{account_id}-b", f"{account_id}-c"]
    walks = [walk(account, callback=address) for account in accounts]
    assert all(flow_of(session).listens for session in walks)
    walks[1].cancel()
    for session in (walks[2], walks[0]):
        visit(sandbox.approve(flow_of(session).url))
        assert session.result(SOON).account_id == session.account_id
    assert [session.state.stage for session in walks] == ["done", "cancelled", "done"]
    with pytest.raises(OSError, match="refused"):
        visit(address)


def test_without_a_listener_pasting_and_plain_calls_still_finish(walk: Walk, sandbox: Sandbox) -> None:
    for take in (paste, lambda session, back: flow_of(session).complete(back)):
        session = walk(callback="http://localhost/back", again=True)
        assert not flow_of(session).listens
        take(session, sandbox.approve(flow_of(session).url))
        assert session.result(SOON).access == "write"


def test_without_a_listener_time_runs_out_too(walk: Walk) -> None:
    session = walk(callback="http://localhost/back", timeout=0.05)
    with pytest.raises(AuthorizationTimeoutError):
        session.result(SOON)


def test_no_read_contract_is_a_stage_not_an_exception(
    sandbox: Sandbox, connected: Callable[..., Client], walk: Walk
) -> None:
    session = walk(client=connected(sandbox, read_contract=None), access="read")
    assert stage(session) == "failed"
    with pytest.raises(ConfigurationError):
        session.result(SOON)


def test_what_is_unforeseen_is_shown_by_its_kind_and_not_its_words(
    client: Client, walk: Walk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise KeyError("t0ken")

    monkeypatch.setattr(client, "begin_authorization", fail)
    session = walk()
    assert stage(session) == "failed"
    assert "KeyError" in session.state.message
    assert "t0ken" not in session.state.message
    assert session.state.error is not None
    assert session.state.error.__traceback__ is None


def test_no_cause_of_an_error_keeps_frames_either(client: Client, walk: Walk, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        try:
            raise OSError("the network")
        except OSError as cause:
            raise ServiceUnreachableError("No network.", outcome="not sent") from cause

    monkeypatch.setattr(client, "begin_authorization", fail)
    error = walk().state.error
    assert isinstance(error, ServiceUnreachableError)
    assert error.__cause__ is not None
    assert error.__traceback__ is error.__cause__.__traceback__ is None


def test_result_has_a_deadline_of_its_own_and_the_wait_goes_on(walk: Walk, sandbox: Sandbox) -> None:
    session = walk()
    with pytest.raises(AuthorizationTimeoutError, match="goes on waiting"):
        session.result(0.01)
    visit(sandbox.approve(flow_of(session).url))
    assert session.result(SOON).access == "write"


def test_result_waits_through_a_new_start(walk: Walk, sandbox: Sandbox) -> None:
    session = walk()
    session.cancel()
    session.start()
    visit(sandbox.approve(flow_of(session).url))
    assert session.result(SOON).access == "write"


def test_closing_leaves_no_thread_and_no_port(walk: Walk) -> None:
    before = set(threading.enumerate())
    session = walk()
    address = urlsplit(flow_of(session)._listener.url)  # type: ignore[union-attr]  # it has one
    watcher = next(thread for thread in threading.enumerate() if thread.name == "digime-consent")
    session.close()
    session.close()
    watcher.join(SOON)
    assert left_since(before) == []
    with pytest.raises(OSError, match="refused"):
        visit(f"http://{address.netloc}/")


def test_many_starts_at_once_leave_one_listener(walk: Walk) -> None:
    session = walk()
    threads = [threading.Thread(target=session.start, kwargs={"again": True}) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    recorder(session).wait_for(lambda state: state.stage == "waiting")
    assert stage(session) == "waiting"
    assert session.state.url == flow_of(session).url
    assert sum(thread.name == "digime-redirect" for thread in threading.enumerate()) == 1


def test_no_error_keeps_the_address_it_came_from(walk: Walk, sandbox: Sandbox) -> None:
    session = walk()
    paste(session, sandbox.refuse(flow_of(session).url))
    recorder(session).wait_for(lambda state: state.stage == "refused")
    error = session.state.error
    assert isinstance(error, DigimeError)
    assert error.__traceback__ is None
    assert not isinstance(error, RedirectError)


class TestRefusedTokens:
    @pytest.fixture
    def refused(self, client: Client, person: Authorization) -> Authorization:
        stored = replace(person, refused=True)
        client.tokens.put(client.base_url, client.contract.client_id, stored)
        return stored

    def test_consent_is_asked_for_and_the_reason_said(
        self, sandbox: Sandbox, client: Client, walk: Walk, refused: Authorization
    ) -> None:
        session = walk(refused.account_id)
        assert stage(session) == "waiting"
        assert "refused: authorize again" in session.state.message
        for shown in (
            render_wait(session.state, not_listening="", minutes=1),
            render_html(session),
            render_text(session),
        ):
            assert "Authorized already" not in shown
            assert "refused: authorize again" in shown
        flow_of(session).complete(sandbox.approve(flow_of(session).url))
        assert not session.result(SOON).refused
        assert client.authorization(refused.account_id) == session.result(SOON)

    def test_one_that_is_refused_while_it_is_shown_is_not_shown_as_authorized_any_more(
        self, client: Client, walk: Walk, person: Authorization
    ) -> None:
        session = walk(person.account_id)
        assert stage(session) == "done"
        session.look_again()
        assert stage(session) == "done"
        client.tokens.put(client.base_url, client.contract.client_id, replace(person, refused=True))
        session.look_again()
        assert stage(session) == "failed"
        assert "refused: authorize again" in render_text(session)
        with pytest.raises(AuthorizationExpiredError, match="refused: authorize again"):
            session.result(SOON)

    def test_a_store_that_fails_is_told_of_elsewhere(
        self, client: Client, walk: Walk, person: Authorization, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        session = walk(person.account_id)

        def fail(*_: object, **__: object) -> bool:
            raise TokenStoreError("The disk is broken.")

        monkeypatch.setattr(client, "was_refused", fail)
        session.look_again()
        assert stage(session) == "done"
