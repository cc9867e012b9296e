from __future__ import annotations

import io
import pickle
import secrets
from collections.abc import Callable, Iterable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
import pytest

from digime_pandas._client.client import BASE_URL, Client
from digime_pandas._client.library.file import LibraryFile
from digime_pandas._service.authorization import Authorization
from digime_pandas._service.contract import Contract
from digime_pandas._service.descriptor import FileDescriptor
from digime_pandas._service.oauth.token_store import FileTokenStore, MemoryTokenStore
from digime_pandas.errors import (
    APIError,
    ConfigurationError,
    DescriptorError,
    DigimeWarning,
    InputError,
    NotAuthorizedError,
    ReadError,
    SecretError,
    ServiceUnreachableError,
    TokenStoreError,
    UnknownNameError,
)
from digime_pandas.sandbox import Sandbox

Connected = Callable[..., Client]
DESCRIPTOR = FileDescriptor("application/octet-stream", "p", ["blob"], ["t"])
CONTENT = secrets.token_bytes((3 << 20) + 7)


class Unplugged(httpx.BaseTransport):
    """A network that nothing may be sent to."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        pytest.fail(f"{request.method} {request.url.path} was sent")


class Breaking(httpx.HTTPTransport):
    """A network that breaks in the middle of the first uploads."""

    def __init__(self, breaks: int) -> None:
        super().__init__()
        self.breaks = breaks

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if self.breaks and "permission-access" in request.url.path:
            self.breaks -= 1
            assert isinstance(request.stream, Iterable)
            pieces = iter(request.stream)
            next(pieces)
            next(pieces)
            raise httpx.WriteError("the cable is cut")
        return super().handle_request(request)


@pytest.fixture
def unplugged(sandbox: Sandbox, connected: Connected) -> Client:
    return connected(sandbox, transport=Unplugged())


def generated() -> Iterator[bytes]:
    yield from (CONTENT[start : start + 500_000] for start in range(0, len(CONTENT), 500_000))


SOURCES: dict[str, Callable[[], Any]] = {
    "bytes": lambda: CONTENT,
    "bytearray": lambda: bytearray(CONTENT),
    "memoryview": lambda: memoryview(CONTENT),
    "array of words": lambda: memoryview(CONTENT + b"\0").cast("I"),
    "every second byte": lambda: memoryview(bytes(b for pair in zip(CONTENT, CONTENT, strict=True) for b in pair))[::2],
    "binary file": lambda: io.BytesIO(CONTENT),
    "unbuffered reader": lambda: io.BufferedReader(io.BytesIO(CONTENT)),
    "generator": generated,
    "list": lambda: list(generated()),
    "views": lambda: (memoryview(piece) for piece in generated()),
}


class TestWriting:
    @pytest.mark.usefixtures("no_waiting")
    @pytest.mark.parametrize("kind", SOURCES)
    @pytest.mark.slow
    def test_every_kind_of_data_arrives_even_after_the_network_broke(
        self, either_sandbox: Sandbox, either_person: Authorization, connected: Connected, kind: str
    ) -> None:
        client = connected(either_sandbox, transport=Breaking(2))
        receipt = client.write(SOURCES[kind](), "blob.bin", DESCRIPTOR, either_person)
        expected = CONTENT + b"\0" if kind == "array of words" else CONTENT
        assert (receipt.status, receipt.attempts) == ("delivered", 3)
        assert (receipt.size, receipt.sha256) == (len(expected), sha256(expected).hexdigest())
        (stored,) = [file for file in either_sandbox.files() if file.user_id == either_person.user_id]
        assert stored.path.read_bytes() == expected
        assert stored.descriptor == DESCRIPTOR.to_dict()

    def test_a_file_is_read_from_where_it_stands(self, client: Client, person: Authorization) -> None:
        file = io.BytesIO(b"head body")
        file.seek(5)
        assert client.write(file, "a.bin", DESCRIPTOR, person).size == 4
        assert not file.closed

    @pytest.mark.parametrize("data", [b"", io.BytesIO(), [], [b"", b""]], ids=["bytes", "file", "list", "pieces"])
    def test_an_empty_file_is_a_file(self, either_client: Client, either_person: Authorization, data: Any) -> None:
        receipt = either_client.write(data, "empty.bin", DESCRIPTOR, either_person)
        assert (receipt.status, receipt.size, receipt.sha256) == ("delivered", 0, sha256().hexdigest())

    def test_the_receipt_says_where_and_under_what(
        self, sandbox: Sandbox, client: Client, person: Authorization
    ) -> None:
        receipt = client.write(b"x", "a.bin", DESCRIPTOR, person)
        assert (receipt.environment, receipt.file_name, receipt.rows) == (sandbox.base_url, "a.bin", None)
        assert receipt.descriptor is DESCRIPTOR
        assert receipt.authorization is person
        assert receipt.expires is not None

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"file_data": "text"}, "file_data is a str"),
            ({"file_data": None}, "file_data is a NoneType"),
            ({"file_data": 17}, "file_data is a int"),
            ({"file_data": {}}, "file_data is a dict"),
            ({"file_data": io.StringIO("text")}, "file_data gave a str.*'rb'"),
            ({"file_data": io.StringIO("")}, "file_data gave a str"),
            ({"file_data": ["text"]}, "file_data gave a str"),
            ({"file_data": [17]}, "file_data gave a int"),
            ({"file_data": Path("a.bin")}, "file_data is a PosixPath"),
            ({"file_name": "../a"}, "file_name"),
            ({"file_name": 'a".csv'}, "file_name"),
            ({"file_name": "a\r\nb"}, "file_name"),
            ({"file_name": "x" * 256}, "file_name"),
            ({"file_name": ""}, "file_name"),
            ({"file_descriptor": {"mimeType": "text/csv"}}, "file_descriptor is a dict"),
            ({"authorization": None}, "authorization is None"),
            ({"authorization": "patient-17"}, "authorization is a str"),
        ],
    )
    def test_a_bad_argument_is_named_and_nothing_is_sent(
        self, unplugged: Client, person: Authorization, change: dict[str, Any], message: str
    ) -> None:
        arguments: dict[str, Any] = {
            "file_data": b"",
            "file_name": "a",
            "file_descriptor": DESCRIPTOR,
            "authorization": person,
        }
        with pytest.raises(InputError, match=message):
            unplugged.write(**(arguments | change))

    @pytest.mark.usefixtures("no_waiting")
    def test_a_network_that_stays_broken_is_an_error_that_says_so(
        self, sandbox: Sandbox, connected: Connected, person: Authorization
    ) -> None:
        client = connected(sandbox, transport=Breaking(99), max_attempts=3)
        with pytest.raises(ServiceUnreachableError, match=r"Could not deliver 'a.bin'") as raised:
            client.write(CONTENT, "a.bin", DESCRIPTOR, person)
        assert (raised.value.outcome, raised.value.attempts) == ("not sent", 3)


class TestReading:
    def test_what_was_written_is_listed_newest_first_and_read(
        self, either_client: Client, either_person: Authorization
    ) -> None:
        account_id = either_person.account_id
        for number in (1, 2):
            descriptor = FileDescriptor("text/plain", ["p", "q"], [f"file {number}", "all"], [f"tag {number}"])
            either_client.write(f"content {number}".encode(), f"{number}.txt", descriptor, either_person)
        newer, older = either_client.files(account_id)
        assert (newer.name, newer.mime_type, newer.accounts) == ("file 2", "text/plain", ("p", "q"))
        assert (newer.reference, newer.tags) == (("file 2", "all"), ("tag 2",))
        assert newer.updated > older.updated
        assert (newer.read(), older.read()) == (b"content 2", b"content 1")
        cases: list[tuple[dict[str, Any], list[LibraryFile]]] = [
            ({"reference": "all"}, [newer, older]),
            ({"reference": ["all", "file 1"]}, [older]),
            ({"tags": "tag 2"}, [newer]),
            ({"tags": ["tag 1", "tag 2"]}, []),
            ({"mime_type": "text/plain"}, [newer, older]),
            ({"mime_type": "text/csv"}, []),
            ({"reference": "another"}, []),
        ]
        for wanted, found in cases:
            assert either_client.files(account_id, **wanted) == found
        assert either_client.files(either_client.authorization(account_id, access="read")) == [newer, older]

    def test_a_library_holds_one_persons_files_only(
        self, sandbox: Sandbox, client: Client, authorize: Callable[..., Authorization], account_id: str
    ) -> None:
        for name in (account_id, f"{account_id}-b"):
            authorization = authorize(sandbox, client, name)
            authorize(sandbox, client, name, "read")
            client.write(name.encode(), "a", DESCRIPTOR, authorization)
            assert [file.read() for file in client.files(name)] == [name.encode()]

    def test_an_empty_library_is_an_empty_list(self, client: Client, reader: Authorization) -> None:
        assert client.files(reader) == []

    def test_a_client_without_a_read_contract_says_what_it_lacks(
        self, sandbox: Sandbox, connected: Connected, account_id: str
    ) -> None:
        client = connected(sandbox, read_contract=None, transport=Unplugged())
        for call in (client.files, lambda name: client.begin_authorization(name, access="read")):
            with pytest.raises(ConfigurationError, match=r"read_contract=.*DIGIME_READ_CONTRACT_ID"):
                call(account_id)

    @pytest.mark.parametrize("account", [["a"], ("a", "b"), "", None, 1.5, True])
    def test_one_account_is_one_text(self, unplugged: Client, account: Any) -> None:
        for call in (unplugged.files, unplugged.authorization, unplugged.begin_authorization):
            with pytest.raises(DescriptorError, match="account_id"):
                call(account)

    def test_access_is_write_or_read(self, unplugged: Client) -> None:
        with pytest.raises(InputError, match="access is 'admin'"):
            unplugged.begin_authorization("p", access="admin")  # type: ignore[arg-type] # wrong on purpose
        with pytest.raises(InputError, match="access is 'admin'"):
            unplugged.forget("p", access="admin")  # type: ignore[arg-type] # wrong on purpose

    def test_a_library_that_is_never_ready_is_an_error_at_the_timeout(
        self, sandbox: Sandbox, client: Client, reader: Authorization
    ) -> None:
        sandbox.pending_lists = 10**6
        with pytest.raises(ReadError, match=r"not ready within 0\.3 seconds \(state pending\)"):
            client.files(reader, timeout=0.3)
        sandbox.pending_lists = 2
        assert client.files(reader) == []
        assert sandbox.pending_lists == 0


class TestSetUp:
    def test_the_real_service_is_the_default(
        self, sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
        with Client(sandbox.contract) as client:
            assert client.base_url == BASE_URL == "https://api.digi.me/v1.7/"
            assert client.onboard_url == "https://api.digi.me/apps/saas/"
            assert isinstance(client.tokens, FileTokenStore)
            assert client.sandbox is None

    @pytest.mark.parametrize(
        ("options", "named"),
        [
            ({"read_contract": "r"}, "read_contract is a str"),
            ({"base_url": "http://api.digi.me/v1.7/"}, "base_url is plain http"),
            ({"onboard_url": "api.digi.me"}, "onboard_url"),
            ({"timeout": 0}, "timeout"),
            ({"deadline": -1}, "deadline"),
            ({"max_attempts": 0}, "max_attempts"),
            ({"agent": "nodejs"}, "agent"),
            ({"agent": ("nodejs", 16)}, "agent"),
        ],
        ids=str,
    )
    def test_an_option_that_cannot_be_used_is_named(
        self, sandbox: Sandbox, options: dict[str, Any], named: str
    ) -> None:
        with pytest.raises(ConfigurationError, match=named):
            Client(sandbox.contract, tokens=MemoryTokenStore(), **options)
        with pytest.raises(ConfigurationError, match="contract is None"):
            Client(None)  # type: ignore[arg-type] # wrong on purpose

    def test_the_agent_is_announced(self, sandbox: Sandbox, connected: Connected, account_id: str) -> None:
        with pytest.raises(APIError, match=r"SDKInvalid.*agent="):
            connected(sandbox, agent=("", "1")).begin_authorization(account_id)

    def test_a_closed_client_says_so(self, sandbox: Sandbox, connected: Connected, person: Authorization) -> None:
        client = connected(sandbox)
        with client:
            pass
        with pytest.raises(ConfigurationError, match="the client is closed"):
            client.write(b"x", "a", DESCRIPTOR, person)

    def test_a_client_prints_without_its_keys_and_is_not_pickled(self, sandbox: Sandbox, client: Client) -> None:
        contracts: list[Contract] = [sandbox.contract, sandbox.read_contract]
        assert all(contract.contract_id in repr(client) for contract in contracts)
        with pytest.raises(SecretError, match=r"connect\(\)"):
            pickle.dumps(client)

    def test_two_clients_of_one_store_share_what_people_agreed_to(
        self, sandbox: Sandbox, connected: Connected, authorize: Callable[..., Authorization], tmp_path: Path
    ) -> None:
        one, two = (connected(sandbox, tokens=FileTokenStore(tmp_path / "tokens")) for _ in range(2))
        made = authorize(sandbox, one, "patient-a")
        assert two.authorization("patient-a") == made
        with pytest.raises(NotAuthorizedError):
            connected(sandbox).authorization("patient-a")


class Reads(MemoryTokenStore):
    """Counts what is read of it."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def get(self, environment: str, contract: str, account_id: str) -> Authorization | None:
        self.count += 1
        return super().get(environment, contract, account_id)


class TestTwoLibraries:
    """An account's two consents are for one library, or it is told."""

    def test_a_new_write_consent_for_another_library_names_the_call_to_make(
        self, sandbox: Sandbox, client: Client, reader: Authorization
    ) -> None:
        client.forget(reader.account_id)
        with client.begin_authorization(reader.account_id) as flow:
            address = sandbox.approve(flow.url)
            with pytest.warns(DigimeWarning) as warned:
                made = flow.complete(address)
        (warning,) = warned
        message = str(warning.message)
        assert warning.filename == __file__
        assert message == flow.notice
        assert f"This write consent of account {reader.account_id!r} opens another library" in message
        assert f"digime.authorize({reader.account_id!r}, access='read')" in message
        assert client.authorization(reader.account_id) == made
        assert client.authorization(reader.account_id, access="read") == reader

    def test_a_new_read_consent_for_another_library_does_too(
        self, sandbox: Sandbox, client: Client, reader: Authorization, authorize: Callable[..., Authorization]
    ) -> None:
        other = authorize(sandbox, client, f"{reader.account_id}-other").user_access_token
        with client.begin_authorization(reader.account_id, access="read", user_access_token=other) as flow:
            address = sandbox.approve(flow.url)
            with pytest.warns(DigimeWarning, match="This read consent") as warned:
                flow.complete(address)
        message = str(warned[0].message)
        for call in (
            f"client.forget({reader.account_id!r}), then digime.authorize({reader.account_id!r})",
            f"digime.authorize({reader.account_id!r}, access='read')",
        ):
            assert call in message
        assert client.usable_authorization(reader.account_id, access="read") is None
        assert client.usable_authorization(reader.account_id) == client.authorization(reader.account_id)

    def test_one_library_is_nothing_to_tell(
        self, sandbox: Sandbox, client: Client, reader: Authorization, authorize: Callable[..., Authorization]
    ) -> None:
        for access in ("write", "read", "write"):
            assert authorize(sandbox, client, reader.account_id, access).user_id == reader.user_id
        assert client.usable_authorization(reader.account_id, access="read") is not None
        assert client.usable_authorization("someone") is None
        assert client.usable_authorization("someone", access="read") is None

    def test_a_client_that_only_writes_has_nothing_to_compare(
        self, sandbox: Sandbox, connected: Connected, authorize: Callable[..., Authorization], account_id: str
    ) -> None:
        assert authorize(sandbox, connected(sandbox, read_contract=None), account_id).access == "write"

    def test_a_consent_is_given_whatever_is_wrong_with_the_other_one(
        self, sandbox: Sandbox, connected: Connected, authorize: Callable[..., Authorization], tmp_path: Path
    ) -> None:
        client = connected(sandbox, tokens=FileTokenStore(tmp_path / "tokens"))
        authorize(sandbox, client, "p")
        authorize(sandbox, client, "p", "read")
        client.forget("p")
        (damaged,) = (tmp_path / "tokens").glob("*.json")
        damaged.write_text("{")
        with client.begin_authorization("p") as flow:
            assert flow.complete(sandbox.approve(flow.url)) == client.authorization("p")
        with pytest.raises(TokenStoreError):
            client.files("p")

    def test_the_store_is_read_twice_for_a_list_and_never_for_a_write(
        self, sandbox: Sandbox, connected: Connected, authorize: Callable[..., Authorization], account_id: str
    ) -> None:
        tokens = Reads()
        client = connected(sandbox, tokens=tokens)
        person = authorize(sandbox, client, account_id)
        reader = authorize(sandbox, client, account_id, "read")
        for call, count in (
            (lambda: client.files(account_id), 2),
            (lambda: client.files(reader), 0),
            (lambda: client.write(b"x", "a", DESCRIPTOR, person), 0),
        ):
            tokens.count = 0
            call()
            assert tokens.count == count


class TestEnvironment:
    @pytest.mark.parametrize(
        ("variable", "value"),
        [
            ("HTTPS_PROXY", "ftp://user:hunter2@proxy.test"),
            ("SSL_CERT_FILE", "/nonexistent/cacert.pem"),
            ("SSLKEYLOGFILE", "/nonexistent/folder/keys"),
        ],
    )
    def test_what_cannot_be_used_is_named_when_the_client_is_made(
        self, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, variable: str, value: str
    ) -> None:
        monkeypatch.setenv(variable, value)
        monkeypatch.delenv(variable.lower(), raising=False)
        monkeypatch.setenv("NO_PROXY", "")
        with pytest.raises(ConfigurationError, match=f"^{variable} ") as caught:
            Client(sandbox.contract, tokens=MemoryTokenStore())
        assert "hunter2" not in str(caught.value)
        Client(sandbox.contract, base_url=sandbox.base_url, tokens=MemoryTokenStore()).close()
        Client(sandbox.contract, tokens=MemoryTokenStore(), transport=Unplugged()).close()

    def test_a_socks_proxy_makes_a_client(self, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("ALL_PROXY", "socks5://127.0.0.1:9")
        client = Client(sandbox.contract, tokens=MemoryTokenStore(), max_attempts=1)
        with client, pytest.raises(ServiceUnreachableError, match="ALL_PROXY"):
            client.begin_authorization("p", callback="https://app.test/back")


def test_a_client_offers_what_is_for_its_users(client: Client) -> None:
    offered = {name for name in dir(client) if not name.startswith("_")}
    assert {"write", "files", "consents", "tokens", "base_url", "sandbox"} <= offered
    inner = {"note_written", "was_refused", "write_consents"}
    assert all(hasattr(client, name) for name in inner)
    assert not offered & inner
    with pytest.raises(UnknownNameError, match="It has authorization") as caught:
        client.zzz  # type: ignore[attr-defined]  # noqa: B018
    assert not any(name in str(caught.value) for name in inner)
