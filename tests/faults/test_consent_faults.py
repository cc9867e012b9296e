"""Consent outlives faults that pass: of key sets, clocks, disks, answers and processes."""

from __future__ import annotations

import errno
import gc
import json
import os
import random
import stat
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from digime_pandas._client.client import Client
from digime_pandas._service.authorization import Authorization, UserAccessToken
from digime_pandas._service.descriptor import FileDescriptor
from digime_pandas._service.oauth.token_store import FileTokenStore
from digime_pandas.errors import (
    APIError,
    AuthorizationExpiredError,
    DigimeWarning,
    InvalidTokenError,
    NotAuthorizedError,
    ReplyError,
    TokenStoreError,
)
from digime_pandas.sandbox import Sandbox
from digime_pandas.sandbox._endpoints import oauth

from .forked import Child, killed

DESCRIPTOR = FileDescriptor("text/plain", "p")
Authorize = Callable[..., Authorization]
Connected = Callable[..., Client]
Trouble = Callable[[httpx.Request], httpx.Response | None]

pytestmark = pytest.mark.usefixtures("no_waiting")


class Network(httpx.HTTPTransport):
    """The network, with trouble on the way: what answers in place of the service, or None."""

    def __init__(self) -> None:
        super().__init__()
        self.paths: list[str] = []
        self.trouble: Trouble = lambda _: None
        self.after: Callable[[httpx.Request], None] = lambda _: None

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.paths.append(request.url.path.removeprefix("/v1.7/"))
        answer = self.trouble(request)
        if answer is None:
            answer = super().handle_request(request)
            self.after(request)
        return answer

    def count(self, path: str) -> int:
        return self.paths.count(path)


@pytest.fixture
def network() -> Network:
    return Network()


@pytest.fixture
def store(tmp_path: Path) -> FileTokenStore:
    return FileTokenStore(tmp_path / "tokens")


@pytest.fixture
def faulty(either_sandbox: Sandbox, connected: Connected, network: Network, store: FileTokenStore) -> Client:
    return connected(either_sandbox, transport=network, tokens=store, max_attempts=2)


@pytest.fixture
def again(
    either_sandbox: Sandbox, connected: Connected, network: Network, store: FileTokenStore
) -> Callable[[], Client]:
    """Makes the client that the next process has: with the same store, and nothing in memory."""
    return lambda: connected(either_sandbox, transport=network, tokens=FileTokenStore(store.path), max_attempts=2)


@pytest.fixture
def made(either_sandbox: Sandbox, faulty: Client, authorize: Authorize, account_id: str) -> Authorization:
    """A consent a day later: its access token has expired."""
    return expire(faulty, authorize(either_sandbox, faulty, account_id))


def expire(client: Client, authorization: Authorization) -> Authorization:
    pair = authorization.user_access_token
    late = replace(
        authorization, user_access_token=UserAccessToken(replace(pair.access_token, expiry=1), pair.refresh_token)
    )
    client.tokens.put(client.base_url, client.contract.client_id, late)
    return late


def write(client: Client, authorization: Authorization) -> str:
    return client.write(b"hello", "hello.txt", DESCRIPTOR, authorization).status


def forget_keys(client: Client) -> None:
    client._consents["write"].api._key_sets.clear()


def only_key_sets(answer: Callable[[], httpx.Response], times: int) -> Trouble:
    left = [times]

    def trouble(request: httpx.Request) -> httpx.Response | None:
        if "jwks" not in request.url.path or not left[0]:
            return None
        left[0] -= 1
        return answer()

    return trouble


def pem_of(key: RSAPrivateKey) -> str:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.PKCS1).decode()


def unreachable() -> httpx.Response:
    raise httpx.ConnectError("No network.")


KEY_SET_FAULTS: dict[str, Callable[[], httpx.Response]] = {
    "unreachable": unreachable,
    "gone": lambda: httpx.Response(410),
    "broken": lambda: httpx.Response(500),
    "page": lambda: httpx.Response(200, text="<html>Sign in to the guest network</html>"),
    "empty": lambda: httpx.Response(200, json={"keys": []}),
    "unreadable": lambda: httpx.Response(200, json={"keys": [{"kid": "k", "pem": "x"}]}),
    "other": lambda: httpx.Response(200, json={"keys": 17}),
}


class TestKeySets:
    @pytest.mark.parametrize("fault", KEY_SET_FAULTS)
    def test_the_refresh_token_is_not_sent_before_the_keys_are_there(
        self, again: Callable[[], Client], network: Network, made: Authorization, fault: str
    ) -> None:
        client = again()
        network.trouble = only_key_sets(KEY_SET_FAULTS[fault], 99)
        network.paths.clear()
        with pytest.raises(APIError, match="key set") as raised:
            write(client, made)
        assert raised.value.outcome == "not sent"
        assert network.count("oauth/token") == 0
        network.trouble = lambda _: None
        assert write(client, made) == "delivered"
        assert network.count("oauth/token") == 1

    @pytest.mark.parametrize("fault", ["page", "empty", "unreadable", "other"])
    def test_what_is_wrong_once_is_looked_at_once_more_and_not_kept(
        self, again: Callable[[], Client], network: Network, made: Authorization, fault: str
    ) -> None:
        client = again()
        network.trouble = only_key_sets(KEY_SET_FAULTS[fault], 1)
        network.paths.clear()
        assert write(client, made) == "delivered"
        assert (network.count("jwks/oauth"), network.count("oauth/token")) == (2, 1)

    def test_a_key_that_was_replaced_under_its_id_is_found(
        self, faulty: Client, network: Network, made: Authorization
    ) -> None:
        put_other_key(faulty)
        network.paths.clear()
        assert write(faulty, made) == "delivered"
        assert (network.count("jwks/oauth"), network.count("oauth/token")) == (1, 1)


def put_other_key(client: Client) -> None:
    """Let a client have fetched a key set in which another key stands under the same id: the contract's own."""
    key = client.contract.private_key
    kept = client._consents["write"].api._key_sets._kept
    [(address, (fetched, key_set))] = kept.items()
    assert isinstance(key_set, dict) or hasattr(key_set, "get")
    kid = key_set["keys"][0]["kid"]  # type: ignore[index] # a mapping
    kept[address] = (fetched, {"keys": [{"kid": kid, "pem": pem_of(key)}]})


@pytest.fixture
def unverified(faulty: Client, network: Network, made: Authorization) -> Authorization:
    """An authorization whose refresh token was spent for an answer that could not be verified."""
    put_other_key(faulty)
    network.trouble = only_key_sets(unreachable, 99)
    network.paths.clear()
    with pytest.raises(APIError, match="key set") as raised:
        write(faulty, made)
    assert network.count("oauth/token") == 1
    assert raised.value.outcome == "not sent"  # of the file, which was to be written
    assert "verified again at the next try" in "".join(raised.value.__notes__)
    return made


class TestUnverifiedAnswers:
    def test_one_is_verified_later_instead_of_asking_anew(
        self, again: Callable[[], Client], network: Network, unverified: Authorization
    ) -> None:
        network.trouble = lambda _: None
        client = again()
        assert write(client, unverified) == "delivered"
        assert network.count("oauth/token") == 1
        assert client.authorization(unverified.account_id).user_access_token != unverified.user_access_token
        assert write(client, client.refresh(client.authorization(unverified.account_id))) == "delivered"

    def test_it_stays_kept_as_long_as_that_fails(
        self, again: Callable[[], Client], network: Network, unverified: Authorization
    ) -> None:
        for _ in range(3):
            with pytest.raises(APIError, match="key set"):
                write(again(), unverified)
        assert network.count("oauth/token") == 1
        network.trouble = lambda _: None
        assert write(again(), unverified) == "delivered"
        assert network.count("oauth/token") == 1

    def test_it_is_a_secret_and_gone_once_it_is_verified(
        self, again: Callable[[], Client], network: Network, store: FileTokenStore, unverified: Authorization
    ) -> None:
        kept = [file for file in (store.path / "pending").glob("*.pending") if b"unverified" in file.read_bytes()]
        [file] = kept
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        answer = json.loads(file.read_text())["answer"]
        records = again()._consents["write"].pending.records()
        assert answer not in repr(records)
        assert list(again().consents()["status"]) == ["given"]
        network.trouble = lambda _: None
        write(again(), unverified)
        assert not file.exists()

    def test_an_answer_to_a_code_is_verified_later_too(
        self, either_sandbox: Sandbox, faulty: Client, again: Callable[[], Client], network: Network, account_id: str
    ) -> None:
        flow = faulty.begin_authorization(account_id, callback="http://127.0.0.1/callback")
        address = either_sandbox.approve(flow.url)
        put_other_key(faulty)
        network.trouble = only_key_sets(unreachable, 99)
        network.paths.clear()
        with pytest.raises(APIError, match="key set"):
            faulty.complete_authorization(address)
        network.trouble = lambda _: None
        client = again()
        done = client.complete_authorization(address)
        assert network.count("oauth/token") == 1
        assert write(client, done) == "delivered"

    @pytest.mark.parametrize("seconds", [-200, 200])
    def test_a_wrong_clock_is_named_and_costs_nothing_once_it_is_set(
        self, either_sandbox: Sandbox, faulty: Client, made: Authorization, network: Network, seconds: int
    ) -> None:
        words = "not valid yet.* 3 minutes" if seconds < 0 else "expired 2 minutes ago"
        with dated_answers(either_sandbox):
            consents = faulty._consents["write"]
            right = consents._now
            wrong: Callable[[], float] = lambda: right() + seconds  # noqa: E731 - a clock
            for place in (consents, consents.pending, consents.api, consents.api._key_sets):
                place._now = wrong
            network.paths.clear()
            with pytest.raises(ReplyError, match=f"{words}.*set it and try again"):
                faulty.refresh(made)
            for place in (consents, consents.pending, consents.api, consents.api._key_sets):
                place._now = right
            assert write(faulty, made) == "delivered"
            assert network.count("oauth/token") == 1


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
class TestProcesses:
    """Several processes with one store. Each process has a client of its own, made after the fork."""

    @pytest.fixture
    def make(self, sandbox: Sandbox, store: FileTokenStore) -> Callable[[Network], Client]:
        contract, base_url, onboard_url = sandbox.contract, sandbox.base_url, sandbox.onboard_url
        return lambda network: Client(
            contract, base_url=base_url, onboard_url=onboard_url, tokens=FileTokenStore(store.path), transport=network
        )

    def test_ten_make_one_refresh_each_time(
        self, sandbox: Sandbox, authorize: Authorize, make: Callable[[Network], Client], account_id: str
    ) -> None:
        with make(Network()) as client:
            made = authorize(sandbox, client, account_id)
            for _ in range(5):
                made = expire(client, made)
                children = [Child(lambda made=made: refreshed_in(make, made)) for _ in range(10)]  # type: ignore[misc] # a loop's variable
                results = [child.result() for child in children]
                assert sum(count for count, _ in results) == 1
                assert len({value for _, value in results}) == 1
                made = client.authorization(account_id)
                assert results[0][1] == made.user_access_token.access_token.value

    def test_those_that_are_killed_while_they_refresh_lose_no_consent(
        self, sandbox: Sandbox, authorize: Authorize, make: Callable[[Network], Client], account_id: str
    ) -> None:
        chance = random.Random(20260302)
        lost = 0
        # Counts the requests that the service got, and leaves its answers as they are.
        counting = sandbox.fail("refresh", times=None, edit=lambda claims: claims)
        with counting as requests, make(Network()) as client:
            made = authorize(sandbox, client, account_id)
            began = time.monotonic()
            client.refresh(made)
            longest = (time.monotonic() - began) * 3
            for _ in range(30):
                made = expire(client, client.authorization(account_id))
                before = requests.hits
                killed(lambda made=made: refreshed_in(make, made), chance.uniform(0, longest))  # type: ignore[misc] # a loop's variable
                try:
                    client.refresh(made)
                except AuthorizationExpiredError:
                    lost += 1  # killed between the service's answer and its storing: the sandbox takes a token once
                    assert requests.hits >= before + 2
                    authorize(sandbox, client, account_id)
                assert not list(client.tokens.path.glob(".new-*"))  # type: ignore[attr-defined] # of the store in a folder
        assert lost <= 20  # on a slow disk, storing takes most of the time


def refreshed_in(make: Callable[[Network], Client], made: Authorization) -> tuple[int, str]:
    """Refresh in this process; return how many requests that took, and the access token."""
    network = Network()
    with make(network) as client:
        refreshed = client.refresh(made)
    return network.count("oauth/token"), refreshed.user_access_token.access_token.value


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="what is open is not listed here")
def test_2000_small_writes_leave_memory_and_descriptors_as_they_were(faulty: Client, made: Authorization) -> None:
    def used() -> tuple[int, int]:
        gc.collect()
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE"), len(list(Path("/proc/self/fd").iterdir()))

    made = faulty.refresh(made)
    for _ in range(300):  # until caches and pools are full
        assert write(faulty, made) == "delivered"
    memory, descriptors = used()
    for number in range(2000):
        if number % 200 == 0:
            made = faulty.refresh(made)
        assert write(faulty, made) == "delivered"
    after = used()
    assert after[1] <= descriptors + 1
    assert after[0] - memory < 24 << 20, f"{(after[0] - memory) / 2**20:.1f} MiB more"
    assert len(list(faulty.tokens.path.iterdir())) <= 3  # type: ignore[attr-defined] # of the store in a folder


@contextmanager
def dated_answers(sandbox: Sandbox) -> Iterator[None]:
    """Let a sandbox say when its tokens were made, and that they are read within a minute."""
    payload = oauth._token_payload

    def dated(issued: Any) -> dict[str, Any]:
        now = sandbox._require_running().context.now()
        return payload(issued) | {"iat": int(now), "nbf": int(now), "exp": int(now) + 60}

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(oauth, "_token_payload", dated)
        yield


class TestStoring:
    def test_a_full_disk_is_noticed_before_the_refresh_token_is_sent(
        self, faulty: Client, network: Network, made: Authorization, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def full(*_: object) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        network.paths.clear()
        for name in ("posix_fallocate", "fsync"):
            with monkeypatch.context() as patch:
                patch.setattr(os, name, full)
                with pytest.raises(TokenStoreError, match="No space left"):
                    write(faulty, made)
        assert network.paths == []
        assert write(faulty, made) == "delivered"

    def test_where_nothing_reserves_room_zeros_are_written(
        self, faulty: Client, made: Authorization, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def cannot(*_: object) -> None:
            raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))

        monkeypatch.setattr(os, "posix_fallocate", cannot)
        assert write(faulty, made) == "delivered"
        monkeypatch.delattr(os, "posix_fallocate")
        assert write(faulty, faulty.refresh(faulty.authorization(made.account_id))) == "delivered"

    def test_what_cannot_be_stored_even_so_is_used_from_memory_and_stored_later(
        self,
        faulty: Client,
        again: Callable[[], Client],
        network: Network,
        made: Authorization,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        def full(*_: object) -> None:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

        network.paths.clear()
        with monkeypatch.context() as patch:
            network.after = lambda request: (
                patch.setattr(Path, "replace", full) if request.url.path.endswith("oauth/token") else None
            )
            with pytest.warns(DigimeWarning, match="could not be stored.*goes on with them in its memory") as warned:
                assert write(faulty, made) == "delivered"
            assert [each.filename for each in warned] == [__file__]
            assert write(faulty, faulty.authorization(made.account_id)) == "delivered"
            assert list(faulty.consents()["status"]) == ["given"]
            in_memory = faulty.authorization(made.account_id)
            assert again().authorization(made.account_id) == made
        assert network.count("oauth/token") == 1
        network.after = lambda _: None
        assert faulty.authorization(made.account_id) == in_memory
        assert again().authorization(made.account_id) == in_memory
        assert faulty._consents["write"]._unstored.kept == {}

    def test_what_is_kept_in_memory_is_forgotten_with_the_account(
        self, faulty: Client, again: Callable[[], Client], made: Authorization
    ) -> None:
        for client in (faulty, again()):
            expire(client, made)
            forgotten = again() if client is faulty else client
            with pytest.warns(DigimeWarning, match="could not be stored"):
                client._consents["write"]._store(replace(made, serial=made.serial + 1), failing_put)
            assert forgotten.forget(made.account_id)
            with pytest.raises(NotAuthorizedError):
                client.authorization(made.account_id)


def failing_put(_: Authorization) -> None:
    raise TokenStoreError("The disk is broken.")


class TestWhichIsNewer:
    def test_a_pair_whose_life_is_shorter_is_the_newer_one(
        self, either_sandbox: Sandbox, faulty: Client, network: Network, authorize: Authorize, account_id: str
    ) -> None:
        old = authorize(either_sandbox, faulty, account_id)
        pair = faulty.refresh(old).user_access_token
        shorter = replace(pair.access_token, expiry=old.user_access_token.access_token.expiry - 50_000)
        newer = replace(
            faulty.authorization(account_id), user_access_token=UserAccessToken(shorter, pair.refresh_token)
        )
        faulty.tokens.put(faulty.base_url, faulty.contract.client_id, newer)
        network.paths.clear()
        assert faulty.refresh(old) == newer
        assert network.paths == []

    def test_a_store_without_numbers_wins_over_an_authorization_without_one(
        self, faulty: Client, network: Network, made: Authorization
    ) -> None:
        stored = replace(faulty.refresh(made), serial=0)
        faulty.tokens.put(faulty.base_url, faulty.contract.client_id, stored)
        network.paths.clear()
        assert faulty.refresh(replace(made, serial=0)) == stored
        assert network.paths == []

    def test_an_authorization_in_hand_wins_over_an_older_one_in_the_store(
        self, faulty: Client, made: Authorization
    ) -> None:
        newest = faulty.refresh(made)
        assert newest.serial > made.serial
        faulty.tokens.put(faulty.base_url, faulty.contract.client_id, made)
        assert write(faulty, faulty.refresh(newest)) == "delivered"

    def test_a_consent_after_one_that_was_forgotten_is_the_newer_one(
        self, either_sandbox: Sandbox, faulty: Client, authorize: Authorize, made: Authorization
    ) -> None:
        before = faulty.refresh(faulty.refresh(made))
        faulty.forget(made.account_id)
        anew = authorize(either_sandbox, faulty, made.account_id)
        assert faulty.refresh(before).user_access_token == anew.user_access_token


class TestForgetting:
    def test_what_is_forgotten_during_a_refresh_stays_forgotten(
        self, faulty: Client, again: Callable[[], Client], network: Network, made: Authorization
    ) -> None:
        account_id = made.account_id
        for forgetting in (again(), faulty):
            expire(faulty, made)
            network.after = lambda request, forgetting=forgetting: (  # type: ignore[misc] # a loop's variable
                forgetting.forget(account_id) if request.url.path.endswith("oauth/token") else None
            )
            refreshed = faulty.refresh(made)
            network.after = lambda _: None
            with pytest.raises(NotAuthorizedError):
                again().authorization(account_id)
            assert write(faulty, refreshed) == "delivered"  # what is going on ends well
            made = faulty.refresh(refreshed)
            assert faulty.tokens.list() == []

    def test_one_that_comes_after_the_refresh_was_stored_deletes_it(
        self, faulty: Client, made: Authorization, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        consents = faulty._consents["write"]
        store = consents._store

        def stored(*arguments: Any) -> None:
            store(*arguments)
            consents.pending.note_forgotten(made)  # as `forget` begins, which deletes next

        monkeypatch.setattr(consents, "_store", stored)
        faulty.refresh(made)
        assert faulty.tokens.list() == []

    def test_a_new_consent_during_a_refresh_is_what_stays(
        self, either_sandbox: Sandbox, faulty: Client, authorize: Authorize, network: Network, made: Authorization
    ) -> None:
        done: list[Authorization] = []

        def consent(request: httpx.Request) -> None:
            if request.url.path.endswith("oauth/token") and not done:
                done.append(made)
                done.append(authorize(either_sandbox, faulty, made.account_id))

        network.after = consent
        assert faulty.refresh(made) == done[1] == faulty.authorization(made.account_id)


class TestRefusals:
    REFUSED = "refused: authorize again"

    @pytest.fixture
    def dead(self, faulty: Client, network: Network, made: Authorization) -> Authorization:
        network.trouble = lambda request: (
            httpx.Response(401, json={"error": {"code": "InvalidToken", "message": "no"}})
            if request.url.path.endswith("oauth/token")
            else None
        )
        with pytest.raises(AuthorizationExpiredError, match=self.REFUSED):
            write(faulty, made)
        network.trouble = lambda _: None
        return made

    def test_a_dead_pair_is_said_to_be_dead_in_every_process(
        self, again: Callable[[], Client], network: Network, dead: Authorization
    ) -> None:
        network.paths.clear()
        client = again()
        with pytest.raises(AuthorizationExpiredError, match=self.REFUSED):
            client.authorization(dead.account_id)
        assert client.usable_authorization(dead.account_id) is None
        assert client.was_refused(dead.account_id)
        assert list(client.consents()["status"]) == ["refused"]
        assert network.paths == []

    def test_a_new_consent_takes_its_place(
        self, either_sandbox: Sandbox, again: Callable[[], Client], authorize: Authorize, dead: Authorization
    ) -> None:
        client = again()
        anew = authorize(either_sandbox, client, dead.account_id)
        assert not client.was_refused(dead.account_id)
        assert list(client.consents()["status"]) == ["given"]
        assert write(client, client.authorization(dead.account_id)) == "delivered"
        assert client.refresh(dead).user_access_token == anew.user_access_token

    def test_a_service_that_takes_it_after_all_makes_it_valid(
        self, again: Callable[[], Client], dead: Authorization
    ) -> None:
        client = again()
        assert write(client, client.refresh(dead)) == "delivered"
        assert list(client.consents()["status"]) == ["given"]

    @pytest.mark.parametrize(
        "answer",
        [
            httpx.Response(401, text="<html>Proxy authentication</html>"),
            httpx.Response(401, json={"error": {"code": "InvalidClient"}}),
            httpx.Response(403, json={"error": {"code": "Forbidden"}}),
            httpx.Response(500),
            httpx.Response(200, text="<html>Sign in</html>"),
        ],
        ids=["page", "client", "forbidden", "broken", "sign-in"],
    )
    def test_any_other_refusal_may_pass(
        self, faulty: Client, network: Network, made: Authorization, answer: httpx.Response
    ) -> None:
        network.trouble = lambda request: answer if request.url.path.endswith("oauth/token") else None
        with pytest.raises(APIError):
            write(faulty, made)
        network.trouble = lambda _: None
        assert write(faulty, faulty.authorization(made.account_id)) == "delivered"

    def test_consent_can_be_given_anew_where_its_tokens_link_no_library_any_more(
        self, sandbox: Sandbox, connected: Connected, network: Network, authorize: Authorize, account_id: str
    ) -> None:
        client = connected(sandbox, transport=network)
        made = authorize(sandbox, client, account_id)
        pair = UserAccessToken(
            replace(made.user_access_token.access_token, value="0" * 160, expiry=1),
            replace(made.user_access_token.refresh_token, value="1" * 160),
        )
        stale = replace(made, user_access_token=pair)
        client.tokens.put(client.base_url, client.contract.client_id, stale)
        with pytest.raises(InvalidTokenError):
            authorize(sandbox, client, account_id)
        with pytest.raises(AuthorizationExpiredError):
            client.refresh(stale)
        assert write(client, authorize(sandbox, client, account_id)) == "delivered"


class TestLoad:
    @pytest.mark.slow
    def test_200_writes_of_16_threads_with_one_expired_token_make_one_refresh(
        self, faulty: Client, network: Network, made: Authorization
    ) -> None:
        network.paths.clear()
        start = threading.Barrier(16)

        def write_some(number: int) -> list[str]:
            start.wait(30)
            return [write(faulty, made) for _ in range(number, 200, 16)]

        with ThreadPoolExecutor(16) as threads:
            statuses = [status for part in threads.map(write_some, range(16)) for status in part]
        assert statuses == ["delivered"] * 200
        assert network.count("oauth/token") == 1
