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
from digime_pandas._client.consent.session import ConsentSession, ConsentState, Stage
from digime_pandas._service.authorization import Authorization
from digime_pandas._service.oauth.flow import AuthorizationFlow
from digime_pandas.errors import (
    APIError,
    AuthorizationError,
    AuthorizationTimeoutError,
    ConfigurationError,
    ConsentRefusedError,
    DigimeError,
    DigimeWarning,
    NotAuthorizedError,
    RedirectError,
    ServiceUnreachableError,
)
from digime_pandas.sandbox import Sandbox

SOON = 20.0
Walk = Callable[..., ConsentSession]


class Recorder:
    """Keeps every view that was shown, and lets a test wait for one."""

    def __init__(self) -> None:
        self.walkthrough: ConsentSession | None = None
        self.views: list[ConsentState] = []
        self._changed = threading.Condition()

    def __call__(self) -> None:
        assert self.walkthrough is not None
        with self._changed:
            self.views.append(self.walkthrough.view)
            self._changed.notify_all()

    def wait_for(self, wanted: Callable[[ConsentState], bool]) -> ConsentState:
        with self._changed:
            assert self._changed.wait_for(lambda: any(map(wanted, self.views)), SOON), self.views
            return next(filter(wanted, self.views))


@pytest.fixture
def walk(client: Client, account_id: str) -> Iterator[Walk]:
    made: list[ConsentSession] = []

    def start(account_id: str = account_id, *, again: bool = False, **options: Any) -> ConsentSession:
        recorder = Recorder()
        walkthrough = ConsentSession(
            options.pop("client", client),
            account_id,
            options.pop("access", "write"),
            callback=options.pop("callback", None),
            timeout=options.pop("timeout", SOON),
            on_change=recorder,
        )
        recorder.walkthrough = walkthrough
        made.append(walkthrough)
        walkthrough.start(again=again)
        return walkthrough

    yield start
    for walkthrough in made:
        walkthrough.close()


def recorder(walkthrough: ConsentSession) -> Recorder:
    found = walkthrough._on_change
    assert isinstance(found, Recorder)
    return found


def stage(walkthrough: ConsentSession) -> Stage:
    return walkthrough.view.stage


def stages(walkthrough: ConsentSession) -> list[Stage]:
    return [view.stage for view in recorder(walkthrough).views]


def flow_of(walkthrough: ConsentSession) -> AuthorizationFlow:
    assert walkthrough.flow is not None
    return walkthrough.flow


def visit(url: str) -> None:
    urllib.request.urlopen(url, timeout=SOON).close()


def paste(walkthrough: ConsentSession, address: str) -> None:
    thread = walkthrough.paste(address)
    assert thread is not None
    thread.join(SOON)


def test_it_starts_by_waiting_with_a_link(walk: Walk) -> None:
    walkthrough = walk()
    assert stages(walkthrough) == ["starting", "waiting"]
    assert walkthrough.view.url == flow_of(walkthrough).url
    assert walkthrough.view.authorization is None


def test_the_browser_leads_to_done(walk: Walk, sandbox: Sandbox, client: Client, account_id: str) -> None:
    walkthrough = walk()
    visit(sandbox.approve(flow_of(walkthrough).url))
    authorization = walkthrough.result(SOON)
    assert authorization == client.authorization(account_id)
    assert stages(walkthrough) == ["starting", "waiting", "done"]
    assert walkthrough.view.url is None


def test_a_pasted_address_leads_to_done(walk: Walk, sandbox: Sandbox) -> None:
    walkthrough = walk()
    paste(walkthrough, sandbox.approve(flow_of(walkthrough).url))
    assert walkthrough.result(SOON) == walkthrough.view.authorization


def test_a_plain_call_leads_to_done(walk: Walk, sandbox: Sandbox) -> None:
    walkthrough = walk()
    authorization = flow_of(walkthrough).complete(sandbox.approve(flow_of(walkthrough).url))
    assert walkthrough.result(SOON) is authorization


@pytest.mark.parametrize(
    ("address", "words"),
    [("nonsense", "neither success"), ("?success=true&code=c0de&state=wrong", "another authorization"), (" ", "empty")],
)
def test_a_wrong_paste_says_why_and_waits_on(walk: Walk, sandbox: Sandbox, address: str, words: str) -> None:
    walkthrough = walk()
    back = sandbox.approve(flow_of(walkthrough).url)
    paste(walkthrough, address)
    assert stage(walkthrough) == "waiting"
    assert words in walkthrough.view.message
    assert walkthrough.view.url is not None
    paste(walkthrough, back)
    assert walkthrough.result(SOON).access == "write"
    assert walkthrough.view.message == ""


def test_a_refusal_by_redirect_or_paste_says_so(walk: Walk, sandbox: Sandbox) -> None:
    for take in (lambda _, back: visit(back), paste):
        walkthrough = walk()
        take(walkthrough, sandbox.refuse(flow_of(walkthrough).url))
        with pytest.raises(ConsentRefusedError):
            walkthrough.result(SOON)
        assert stage(walkthrough) == "refused"
        assert "pressed cancel" in walkthrough.view.message
        walkthrough.start()
        assert stage(walkthrough) == "waiting"


def test_a_code_the_service_does_not_take_fails_with_its_words_and_can_start_again(
    walk: Walk, sandbox: Sandbox
) -> None:
    walkthrough = walk()
    code = parse_qs(urlsplit(sandbox.approve(flow_of(walkthrough).url)).query)["code"][0]
    state = flow_of(walkthrough).state
    paste(walkthrough, f"?success=true&code={code[::-1]}&state={state}")
    with pytest.raises(APIError):
        walkthrough.result(SOON)
    assert stage(walkthrough) == "failed"
    assert code[::-1] not in walkthrough.view.message
    walkthrough.start()
    assert stage(walkthrough) == "waiting"


def test_time_out_is_a_stage_with_a_way_on(walk: Walk, sandbox: Sandbox) -> None:
    walkthrough = walk(timeout=0.05)
    with pytest.raises(AuthorizationTimeoutError):
        walkthrough.result(SOON)
    assert stage(walkthrough) == "timed out"
    assert "Start again" in walkthrough.view.message
    assert not flow_of(walkthrough)._listener._finalizer.alive  # type: ignore[union-attr]  # it has one
    walkthrough._timeout = SOON
    walkthrough.start()
    visit(sandbox.approve(flow_of(walkthrough).url))
    assert walkthrough.result(SOON).access == "write"


def test_cancelling_is_a_stage_with_a_way_on_and_a_later_redirect_changes_nothing(
    walk: Walk, sandbox: Sandbox, client: Client, account_id: str
) -> None:
    walkthrough = walk()
    back = sandbox.approve(flow_of(walkthrough).url)
    walkthrough.cancel()
    assert stage(walkthrough) == "cancelled"
    with pytest.raises(OSError, match="refused"):
        visit(back)
    assert walkthrough.paste(back) is None
    with pytest.raises(AuthorizationError, match="cancelled"):
        walkthrough.result(SOON)
    with pytest.raises(NotAuthorizedError):
        client.authorization(account_id)
    walkthrough.start()
    assert stage(walkthrough) == "waiting"


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
    walkthrough = walk(reader.account_id)
    address = sandbox.approve(flow_of(walkthrough).url)
    if way == "paste":
        paste(walkthrough, address)
    else:
        visit(address)
    assert walkthrough.result(SOON).user_id != reader.user_id
    assert walkthrough.view.message == flow_of(walkthrough).notice
    assert "another library" in walkthrough.view.message


def test_a_stored_read_authorization_for_another_library_is_asked_for_again(
    walk: Walk, sandbox: Sandbox, client: Client, reader: Authorization
) -> None:
    client.forget(reader.account_id)
    with client.begin_authorization(reader.account_id) as flow:
        address = sandbox.approve(flow.url)
        with pytest.warns(DigimeWarning):
            written = flow.complete(address)
    walkthrough = walk(reader.account_id, access="read")
    assert stage(walkthrough) == "waiting"
    paste(walkthrough, sandbox.approve(flow_of(walkthrough).url))
    assert walkthrough.result(SOON).user_id == written.user_id
    assert walkthrough.view.message == ""


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
    walkthrough = walk()
    paste(walkthrough, sandbox.approve(flow_of(walkthrough).url))
    walkthrough.result(SOON)
    walkthrough.forget()
    assert stage(walkthrough) == "forgotten"
    assert walkthrough.view.authorization is None
    with pytest.raises(NotAuthorizedError):
        walkthrough.result(SOON)
    with pytest.raises(NotAuthorizedError):
        client.authorization(account_id)
    walkthrough.start()
    assert stage(walkthrough) == "waiting"


def test_a_newer_one_for_the_same_account_takes_over_and_stops_the_older_listener(walk: Walk, sandbox: Sandbox) -> None:
    older = walk()
    newer = walk()
    assert stage(older) == "replaced"
    assert "newer cell" in older.view.message
    with pytest.raises(OSError, match="refused"):
        visit(sandbox.approve(flow_of(older).url))
    visit(sandbox.approve(flow_of(newer).url))
    assert newer.result(SOON).access == "write"


def test_two_accounts_and_two_accesses_live_side_by_side(walk: Walk, sandbox: Sandbox, account_id: str) -> None:
    walks = [walk(), walk(f"{account_id}-b"), walk(access="read")]
    assert [walkthrough.view.stage for walkthrough in walks] == ["waiting"] * 3
    for walkthrough in reversed(walks):
        visit(sandbox.approve(flow_of(walkthrough).url))
    results = [walkthrough.result(SOON) for walkthrough in walks]
    assert [(result.account_id, result.access) for result in results] == [
        (account_id, "write"),
        (f"{account_id}-b", "write"),
        (account_id, "read"),
    ]


def test_without_a_listener_pasting_and_plain_calls_still_finish(walk: Walk, sandbox: Sandbox) -> None:
    for take in (paste, lambda walkthrough, back: flow_of(walkthrough).complete(back)):
        walkthrough = walk(callback="http://localhost/back", again=True)
        assert not flow_of(walkthrough).listens
        take(walkthrough, sandbox.approve(flow_of(walkthrough).url))
        assert walkthrough.result(SOON).access == "write"


def test_without_a_listener_time_runs_out_too(walk: Walk) -> None:
    walkthrough = walk(callback="http://localhost/back", timeout=0.05)
    with pytest.raises(AuthorizationTimeoutError):
        walkthrough.result(SOON)


def test_no_read_contract_is_a_stage_not_an_exception(
    sandbox: Sandbox, connected: Callable[..., Client], walk: Walk
) -> None:
    walkthrough = walk(client=connected(sandbox, read_contract=None), access="read")
    assert stage(walkthrough) == "failed"
    with pytest.raises(ConfigurationError):
        walkthrough.result(SOON)


def test_what_is_unforeseen_is_shown_by_its_kind_and_not_its_words(
    client: Client, walk: Walk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise KeyError("t0ken")

    monkeypatch.setattr(client, "begin_authorization", fail)
    walkthrough = walk()
    assert stage(walkthrough) == "failed"
    assert "KeyError" in walkthrough.view.message
    assert "t0ken" not in walkthrough.view.message
    assert walkthrough.view.error is not None
    assert walkthrough.view.error.__traceback__ is None


def test_no_cause_of_an_error_keeps_frames_either(client: Client, walk: Walk, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        try:
            raise OSError("the network")
        except OSError as cause:
            raise ServiceUnreachableError("No network.", outcome="not sent") from cause

    monkeypatch.setattr(client, "begin_authorization", fail)
    error = walk().view.error
    assert isinstance(error, ServiceUnreachableError)
    assert error.__cause__ is not None
    assert error.__traceback__ is error.__cause__.__traceback__ is None


def test_result_has_a_deadline_of_its_own_and_the_wait_goes_on(walk: Walk, sandbox: Sandbox) -> None:
    walkthrough = walk()
    with pytest.raises(AuthorizationTimeoutError, match="goes on waiting"):
        walkthrough.result(0.01)
    visit(sandbox.approve(flow_of(walkthrough).url))
    assert walkthrough.result(SOON).access == "write"


def test_result_waits_through_a_new_start(walk: Walk, sandbox: Sandbox) -> None:
    walkthrough = walk()
    walkthrough.cancel()
    walkthrough.start()
    visit(sandbox.approve(flow_of(walkthrough).url))
    assert walkthrough.result(SOON).access == "write"


def test_closing_leaves_no_thread_and_no_port(walk: Walk) -> None:
    before = set(threading.enumerate())
    walkthrough = walk()
    address = urlsplit(flow_of(walkthrough)._listener.url)  # type: ignore[union-attr]  # it has one
    watcher = next(thread for thread in threading.enumerate() if thread.name == "digime-consent")
    walkthrough.close()
    walkthrough.close()
    watcher.join(SOON)
    assert set(threading.enumerate()) <= before
    with pytest.raises(OSError, match="refused"):
        visit(f"http://{address.netloc}/")


def test_many_starts_at_once_leave_one_listener(walk: Walk) -> None:
    walkthrough = walk()
    threads = [threading.Thread(target=walkthrough.start, kwargs={"again": True}) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    recorder(walkthrough).wait_for(lambda view: view.stage == "waiting")
    assert stage(walkthrough) == "waiting"
    assert walkthrough.view.url == flow_of(walkthrough).url
    assert sum(thread.name == "digime-redirect" for thread in threading.enumerate()) == 1


def test_no_error_keeps_the_address_it_came_from(walk: Walk, sandbox: Sandbox) -> None:
    walkthrough = walk()
    paste(walkthrough, sandbox.refuse(flow_of(walkthrough).url))
    recorder(walkthrough).wait_for(lambda view: view.stage == "refused")
    error = walkthrough.view.error
    assert isinstance(error, DigimeError)
    assert error.__traceback__ is None
    assert not isinstance(error, RedirectError)
