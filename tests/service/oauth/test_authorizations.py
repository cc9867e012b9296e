from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from digime_pandas._client.client import Client
from digime_pandas._service.authorization import Authorization, Token, UserAccessToken
from digime_pandas._service.contract import Contract
from digime_pandas._service.descriptor import FileDescriptor
from digime_pandas._service.oauth.token_store import MemoryTokenStore
from digime_pandas.errors import (
    AuthorizationError,
    AuthorizationExpiredError,
    ContractError,
    InvalidTokenError,
    NotAuthorizedError,
    RedirectError,
)
from digime_pandas.sandbox import Sandbox

Authorize = Callable[..., Authorization]
Connected = Callable[..., Client]
DESCRIPTOR = FileDescriptor("text/plain", "p")


class Counting(httpx.HTTPTransport):
    """The network, counted."""

    def __init__(self) -> None:
        super().__init__()
        self.paths: list[str] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.paths.append(request.url.path.removeprefix("/v1.7/"))
        return super().handle_request(request)

    def count(self, path: str) -> int:
        return sum(each.startswith(path) for each in self.paths)


class Diary(MemoryTokenStore):
    """A store that notes when something is put into it."""

    def __init__(self, transport: Counting) -> None:
        super().__init__()
        self.transport = transport

    def put(self, environment: str, contract: str, authorization: Authorization) -> None:
        super().put(environment, contract, authorization)
        self.transport.paths.append("stored")


@pytest.fixture
def network() -> Counting:
    return Counting()


@pytest.fixture
def counted(either_sandbox: Sandbox, connected: Connected, network: Counting) -> Client:
    return connected(either_sandbox, transport=network, tokens=Diary(network))


def expired(client: Client, authorization: Authorization, *, refresh_too: bool = False) -> Authorization:
    """The same consent a day later, or half a year, in hand and in the store."""
    pair = authorization.user_access_token
    late = replace(
        authorization,
        user_access_token=UserAccessToken(
            replace(pair.access_token, expiry=1),
            replace(pair.refresh_token, expiry=1) if refresh_too else pair.refresh_token,
        ),
    )
    client.tokens.put(client.base_url, client.contract.client_id, late)
    return late


def write(client: Client, authorization: Authorization) -> object:
    return client.write(b"hello", "hello.txt", DESCRIPTOR, authorization)


class TestConsent:
    def test_what_the_page_is_asked_for(self, client: Client, account_id: str) -> None:
        with client.begin_authorization(account_id, service_id="17", locale="de", state="my state") as flow:
            query = parse_qs(urlsplit(flow.url).query)
        assert flow.url.startswith(client.onboard_url + "authorize?")
        assert (query["service"], query["lng"], query["sourceType"]) == (["17"], ["de"], ["push"])
        assert query["callback"][0].startswith("http://127.0.0.1:")
        assert flow.state == "my state"
        with client.begin_authorization(account_id, access="read") as flow:
            assert parse_qs(urlsplit(flow.url).query)["sourceType"] == ["pull"]

    def test_every_authorization_has_a_state_of_its_own(self, client: Client, account_id: str) -> None:
        with client.begin_authorization(account_id) as one, client.begin_authorization(account_id) as other:
            assert one.state != other.state
            assert len(bytes.fromhex(one.state)) == 32

    def test_what_it_yields_is_stored_before_it_is_returned(
        self, either_sandbox: Sandbox, counted: Client, network: Counting, authorize: Authorize, account_id: str
    ) -> None:
        made = authorize(either_sandbox, counted, account_id)
        assert network.paths[-1] == "stored"
        assert counted.authorization(account_id) == made
        assert (made.account_id, made.access, made.client_id) == (account_id, "write", counted.contract.client_id)
        assert made.key_thumbprint == counted.contract.key_thumbprint
        assert made.user_id
        assert made.consent_id
        assert made.user_access_token.access_token.expiry > time.time()

    def test_a_postbox_comes_with_a_write_consent_where_the_service_has_one(
        self, sandbox: Sandbox, import_sandbox: Sandbox, connected: Connected, authorize: Authorize, account_id: str
    ) -> None:
        assert authorize(sandbox, connected(sandbox), account_id).postbox is not None
        assert authorize(import_sandbox, connected(import_sandbox), account_id).postbox is None

    def test_write_and_read_are_two_consents_to_one_library(
        self, sandbox: Sandbox, client: Client, authorize: Authorize, account_id: str
    ) -> None:
        write = authorize(sandbox, client, account_id)
        read = authorize(sandbox, client, account_id, "read")
        assert (read.access, read.client_id) == ("read", sandbox.read_contract.client_id)
        assert write.user_id == read.user_id
        assert read.postbox is None
        assert client.authorization(account_id) == write
        assert client.authorization(account_id, access="read") == read

    def test_an_expired_write_token_still_links_the_library(
        self, sandbox: Sandbox, client: Client, authorize: Authorize, account_id: str
    ) -> None:
        write = authorize(sandbox, client, account_id)
        expired(client, write)
        assert authorize(sandbox, client, account_id, "read").user_id == write.user_id

    def test_a_stored_token_the_service_forgot_is_answered_with_the_way_out(
        self, client: Client, person: Authorization
    ) -> None:
        pair = UserAccessToken(Token("0" * 160, 2**33), Token("1" * 160, 2**33))
        client.tokens.put(client.base_url, client.contract.client_id, replace(person, user_access_token=pair))
        with pytest.raises(InvalidTokenError) as raised:
            client.begin_authorization(person.account_id, access="read")
        assert f"client.forget({person.account_id!r})" in raised.value.__notes__[0]
        assert client.forget(person.account_id)
        client.begin_authorization(person.account_id).close()

    def test_a_damaged_postbox_key_is_noticed_before_the_code_is_used_up(
        self, sandbox: Sandbox, client: Client, account_id: str
    ) -> None:
        with client.begin_authorization(account_id) as flow:
            address = sandbox.approve(flow.url)
            with pytest.raises(RedirectError, match="public key"):
                flow.complete(address.replace("MIIBCgKCAQEA", ""))
            assert flow.complete(address).postbox is not None

    def test_nothing_listens_any_longer_when_the_service_does_not_take_the_request(
        self, sandbox: Sandbox, connected: Connected, vendor_keys: dict[str, RSAPrivateKey], account_id: str
    ) -> None:
        stranger = connected(sandbox, contract=Contract("a", "unknown", vendor_keys["contract_w"]))
        with pytest.raises(Exception, match="InvalidClient"):
            stranger.begin_authorization(account_id)
        assert not [thread for thread in threading.enumerate() if thread.name == "digime-redirect"]


class TestFinding:
    def test_an_account_without_consent_is_answered_with_the_call_that_gets_it(self, client: Client) -> None:
        with pytest.raises(NotAuthorizedError) as raised:
            client.authorization("o'hara")
        assert 'digime.AuthorizationWidget("o\'hara") in a notebook' in str(raised.value)
        assert 'digime.authorize("o\'hara") elsewhere' in str(raised.value)
        assert client.base_url in str(raised.value)
        with pytest.raises(NotAuthorizedError, match=r"digime\.authorize\('p', access='read'\)"):
            client.files("p")

    def test_forgetting_says_whether_there_was_anything(self, client: Client, person: Authorization) -> None:
        assert client.forget(person.account_id)
        assert not client.forget(person.account_id)
        with pytest.raises(NotAuthorizedError):
            client.authorization(person.account_id)


class TestChecks:
    def test_an_authorization_for_reading_does_not_write(
        self, connected: Connected, sandbox: Sandbox, network: Counting, reader: Authorization
    ) -> None:
        with pytest.raises(AuthorizationError, match="is for 'read' and 'write' is needed"):
            write(connected(sandbox, transport=network), reader)
        assert network.paths == []

    def test_an_authorization_for_writing_does_not_read(
        self, connected: Connected, sandbox: Sandbox, network: Counting, person: Authorization
    ) -> None:
        with pytest.raises(AuthorizationError, match="is for 'write' and 'read' is needed"):
            connected(sandbox, transport=network).files(person)
        assert network.paths == []

    def test_an_authorization_of_another_contract_is_refused(
        self, connected: Connected, sandbox: Sandbox, network: Counting, person: Authorization
    ) -> None:
        client = connected(sandbox, transport=network)
        for call in (write, lambda client, given: client.refresh(given)):
            with pytest.raises(AuthorizationError, match="belongs to the contract 'other'"):
                call(client, replace(person, client_id="other"))
        assert network.paths == []

    def test_a_key_that_is_not_the_contracts_is_noticed_before_anything_is_sent(
        self,
        connected: Connected,
        sandbox: Sandbox,
        network: Counting,
        person: Authorization,
        vendor_keys: dict[str, RSAPrivateKey],
    ) -> None:
        contract = Contract(sandbox.contract.application_id, sandbox.contract.contract_id, vendor_keys["contract_w"])
        client = connected(sandbox, transport=network)
        client._consents["write"].api.contract = contract
        with pytest.raises(ContractError, match="private key does not match"):
            write(client, person)
        assert network.paths == []

    def test_unknown_origins_are_not_checked(self, client: Client, person: Authorization) -> None:
        unknown = replace(person, client_id=None, key_thumbprint=None)
        assert client.write(b"hello", "hello.txt", DESCRIPTOR, unknown).status == "delivered"


class TestRefresh:
    def test_a_token_known_to_have_expired_is_refreshed_before_a_body_is_sent(
        self, either_sandbox: Sandbox, counted: Client, network: Counting, authorize: Authorize, account_id: str
    ) -> None:
        made = expired(counted, authorize(either_sandbox, counted, account_id))
        network.paths.clear()
        receipt = counted.write(b"hello", "hello.txt", DESCRIPTOR, made)
        assert (receipt.status, receipt.attempts) == ("delivered", 1)
        assert network.paths[:2] == ["oauth/token", "stored"]
        assert network.paths[2].startswith("permission-access/")
        assert len(network.paths) == 3
        assert receipt.authorization == counted.authorization(account_id) != made
        assert receipt.authorization.postbox == made.postbox

    def test_a_token_the_service_ended_is_refreshed_once_and_the_file_sent_again(
        self, either_sandbox: Sandbox, counted: Client, network: Counting, authorize: Authorize, account_id: str
    ) -> None:
        made = authorize(either_sandbox, counted, account_id)
        either_sandbox.expire_access_tokens()
        network.paths.clear()
        receipt = counted.write(b"hello", "hello.txt", DESCRIPTOR, made)
        first, *between, last = network.paths
        assert between == ["oauth/token", "stored"]
        assert first == last
        assert (receipt.status, receipt.attempts) == ("delivered", 2)
        assert either_sandbox.files("p")[-1].path.read_bytes() == b"hello"

    def test_pending_is_answered_with_a_refresh_and_another_sending(
        self, sandbox: Sandbox, connected: Connected, network: Counting, authorize: Authorize, account_id: str
    ) -> None:
        client = connected(sandbox, transport=network, tokens=Diary(network))
        made = authorize(sandbox, client, account_id)
        for pending, status in ((1, "delivered"), (2, "pending")):
            network.paths.clear()
            sandbox.pending_writes = pending
            receipt = client.write(b"hello", "hello.txt", DESCRIPTOR, made)
            assert (receipt.status, receipt.attempts) == (status, 2)
            assert network.count("oauth/token") == 1
            assert receipt.authorization == client.authorization(account_id)
            assert receipt.authorization is not None
            made = receipt.authorization
        assert sandbox.pending_writes == 0

    @pytest.mark.parametrize("known", [True, False], ids=["known here", "known to the service"])
    def test_an_ended_refresh_token_is_answered_with_the_way_out(
        self, connected: Connected, authorize: Authorize, network: Counting, account_id: str, known: bool
    ) -> None:
        with Sandbox() as own:
            client = connected(own, transport=network)
            made = expired(client, authorize(own, client, account_id), refresh_too=known)
            own.expire_access_tokens()
            own.expire_refresh_tokens()
            network.paths.clear()
            with pytest.raises(AuthorizationExpiredError, match=f"digime.authorize\\('{account_id}'\\)") as raised:
                write(client, made)
            assert network.paths == ([] if known else ["oauth/token"])
            assert account_id in str(raised.value)
            assert own.files() == []

    def test_eight_threads_make_one_refresh(
        self, sandbox: Sandbox, connected: Connected, network: Counting, authorize: Authorize, account_id: str
    ) -> None:
        client = connected(sandbox, transport=network)
        made = expired(client, authorize(sandbox, client, account_id))
        network.paths.clear()
        start = threading.Barrier(8)

        def refresh(_: int) -> Authorization:
            start.wait(20)
            return client.refresh(made)

        with ThreadPoolExecutor(8) as threads:
            refreshed = list(threads.map(refresh, range(8)))
        assert network.count("oauth/token") == 1
        assert set(refreshed) == {client.authorization(account_id)}

    def test_a_newer_authorization_in_the_store_is_used_instead_of_an_old_one_in_hand(
        self, sandbox: Sandbox, connected: Connected, network: Counting, authorize: Authorize, account_id: str
    ) -> None:
        client = connected(sandbox, transport=network)
        old = authorize(sandbox, client, account_id)
        new = client.refresh(old)
        network.paths.clear()
        assert client.refresh(old) is new
        assert network.count("oauth/token") == 0

    def test_a_key_that_was_replaced_is_proven_by_a_refresh(self, client: Client, person: Authorization) -> None:
        old_key = replace(person, key_thumbprint="0" * 64)
        with pytest.raises(ContractError, match=r"client\.refresh\(authorization\)"):
            write(client, old_key)
        client.tokens.put(client.base_url, client.contract.client_id, old_key)
        assert write(client, client.refresh(old_key))
