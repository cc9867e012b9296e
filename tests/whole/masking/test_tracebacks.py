"""No traceback with local variables holds a secret, whatever goes wrong and wherever."""

from __future__ import annotations

import errno
import json
import os
import re
import socket
import struct
import threading
from base64 import urlsafe_b64decode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpcore
import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from digime_pandas._client.client import Client
from digime_pandas._service.authorization import Authorization
from digime_pandas._service.contract import Contract
from digime_pandas._service.descriptor import FileDescriptor
from digime_pandas._service.oauth.token_store import FileTokenStore, MemoryTokenStore
from digime_pandas.errors import (
    AuthorizationError,
    AuthorizationExpiredError,
    ConsentRefusedError,
    ContractError,
    RedirectError,
    RefusedError,
    ReplyError,
    SealedFileError,
    ServiceUnreachableError,
    TokenStoreError,
)
from digime_pandas.sandbox import Sandbox

from .wiretap import Wiretap, found, frames, key_lines, shown

pytestmark = pytest.mark.slow

DESCRIPTOR = FileDescriptor("text/plain", "p")
SOON = 10.0  # seconds
BIG = 8 << 20  # bytes; more than sockets buffer
SIZES = [5, BIG]


def raised(kind: type[BaseException], call: Callable[[], object]) -> str:
    """What an error shows that a call ends in."""
    with pytest.raises(kind) as caught:
        call()
    return shown(caught.value)


def echo(status: int, path: str = "") -> Callable[[httpx.Request], httpx.Response | None]:
    """Answers with an error, and repeats all it was told."""

    def answer(request: httpx.Request) -> httpx.Response | None:
        if path not in request.url.path:
            return None
        told = {"X-Told": request.headers.get("Authorization", "")}
        code = "InvalidToken" if status == 401 else "Odd"
        return httpx.Response(status, headers=told, json={"error": {"code": code}, "told": told})

    return answer


def everything(tap: Wiretap, client: Client, authorization: Authorization) -> set[str]:
    pair = authorization.user_access_token
    assert client.read_contract is not None
    tap.texts |= key_lines(client.contract) | key_lines(client.read_contract)
    return {pair.access_token.value, pair.refresh_token.value}


class TestWriting:
    @pytest.mark.parametrize("status", [400, 403, 500])
    def test_refused(self, tap: Wiretap, tapped: Client, writer: Authorization, status: int) -> None:
        tap.trouble = echo(status)
        text = raised(RefusedError, lambda: tapped.write(b"hello", "hello.txt", DESCRIPTOR, writer))
        assert "_attempt" in text
        assert found(text, tap, *everything(tap, tapped, writer)) == set()

    def test_connection_refused(self, tap: Wiretap, tapped: Client, writer: Authorization) -> None:
        with socket.socket() as closed:
            closed.bind(("127.0.0.1", 0))
            with untapped(tapped, closed.getsockname()[1]) as client:
                tap.listen_to(client)
                text = raised(ServiceUnreachableError, lambda: client.write(b"hello", "hello.txt", DESCRIPTOR, writer))
        assert "Connection refused" in text
        assert found(text, tap, *everything(tap, tapped, writer)) == set()

    @pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{", b"nonsense\r\n\r\n"])
    def test_a_reset_while_the_body_goes_out(
        self, tap: Wiretap, tapped: Client, writer: Authorization, answer: bytes
    ) -> None:
        with resetting(answer) as (port, heads), untapped(tapped, port) as client:
            tap.listen_to(client)
            text = raised(ServiceUnreachableError, lambda: client.write(bytes(BIG), "a", DESCRIPTOR, writer))
        for head in heads:
            for token in re.findall(rb"(?i)(?:Bearer|FileDescriptor:) (\S+)", head):
                tap.learn_token(token.decode())
        assert tap.texts
        assert found(text, tap, *everything(tap, tapped, writer)) == set()

    @pytest.mark.parametrize("size", SIZES)
    def test_interrupted_in_the_transport(self, tap: Wiretap, tapped: Client, writer: Authorization, size: int) -> None:
        def interrupt(request: httpx.Request) -> None:
            header = request.headers["Authorization"]
            raise KeyboardInterrupt(f"after {len(header)} characters")

        tap.trouble = interrupt
        text = raised(KeyboardInterrupt, lambda: tapped.write(bytes(size), "a", DESCRIPTOR, writer))
        assert found(text, tap, *everything(tap, tapped, writer)) == set()

    def test_interrupted_at_the_socket(
        self, monkeypatch: pytest.MonkeyPatch, tap: Wiretap, tapped: Client, writer: Authorization
    ) -> None:
        from httpcore._backends.sync import SyncStream

        def write(self: object, buffer: bytes, timeout: float | None = None) -> None:
            raise KeyboardInterrupt

        # A transport of its own, since this one would learn nothing after it was interrupted.
        tapped.write(b"hello", "a", DESCRIPTOR, writer)
        monkeypatch.setattr(SyncStream, "write", write)
        text = raised(KeyboardInterrupt, lambda: tapped.write(b"hello", "a", DESCRIPTOR, writer))
        assert found(text, tap, *everything(tap, tapped, writer)) == set()

    @pytest.mark.parametrize(
        ("place", "size", "broken"),
        [
            ("write", 5, KeyboardInterrupt()),
            ("write", BIG, KeyboardInterrupt()),
            ("read", 5, KeyboardInterrupt()),
            ("read", 5, TypeError("no such thing")),
            ("read", 5, httpcore.ReadError("reset")),
        ],
        ids=repr,
    )
    def test_broken_on_the_direct_way(  # noqa: PLR0917 - fixtures
        self,
        monkeypatch: pytest.MonkeyPatch,
        own_sandbox: Sandbox,
        tap: Wiretap,
        tapped: Client,
        writer: Authorization,
        place: str,
        size: int,
        broken: BaseException,
    ) -> None:
        from digime_pandas._service.http.backends.tcp import TcpStream

        send = socket.socket.send

        def write(self: socket.socket, buffer: bytes, *flags: int) -> int:
            if (sent := re.search(rb"Authorization: Bearer (\S+)", buffer)) is not None:
                tap.learn_token(sent[1].decode())
                if place == "write":
                    raise broken
            return send(self, buffer, *flags)

        def read(self: object, max_bytes: int, seconds: float | None) -> bytes:
            raise broken

        monkeypatch.setattr(socket.socket, "send", write)
        monkeypatch.setattr(TcpStream, "recv", read)
        known = len(tap.texts)
        kind = ServiceUnreachableError if isinstance(broken, httpcore.ReadError) else type(broken)
        with Client(
            own_sandbox.contract, base_url=own_sandbox.base_url, tokens=MemoryTokenStore(), max_attempts=1
        ) as direct:
            text = raised(kind, lambda: direct.write(bytes(size), "a", DESCRIPTOR, writer))
        assert len(tap.texts) > known
        assert found(text, tap, *everything(tap, tapped, writer)) == set()

    def test_interrupted_while_it_signs(
        self, monkeypatch: pytest.MonkeyPatch, tap: Wiretap, tapped: Client, writer: Authorization
    ) -> None:
        def sign(self: object, msg: bytes, key: object) -> bytes:
            raise KeyboardInterrupt

        monkeypatch.setattr(jwt.algorithms.RSAPSSAlgorithm, "sign", sign)
        text = raised(KeyboardInterrupt, lambda: tapped.write(b"hello", "a", DESCRIPTOR, writer))
        assert found(text, tap, *everything(tap, tapped, writer)) == set()

    @pytest.mark.parametrize("size", SIZES)
    def test_a_body_that_breaks_shows_where_it_broke(
        self, tap: Wiretap, tapped: Client, writer: Authorization, size: int
    ) -> None:
        def pieces() -> Iterator[bytes]:
            yield bytes(size)
            reason = "the user's own reason"
            raise LookupError(reason)

        with pytest.raises(LookupError) as caught:
            tapped.write(pieces(), "a", DESCRIPTOR, writer)
        assert [frame.f_code.co_name for frame in frames(caught.tb)][-1] == "pieces"
        text = shown(caught.value)
        assert "reason = 'the user's own reason'" in text.replace('"', "'")
        assert found(text, tap, *everything(tap, tapped, writer)) == set()

    def test_a_transport_that_breaks_is_named(self, tap: Wiretap, tapped: Client, writer: Authorization) -> None:
        def break_down(request: httpx.Request) -> None:
            header = request.headers["Authorization"]
            raise TypeError(f"no such thing after {len(header)} characters")

        tap.trouble = break_down
        text = raised(TypeError, lambda: tapped.write(b"hello", "a", DESCRIPTOR, writer))
        assert "test_tracebacks.py:" in text
        assert found(text, tap, *everything(tap, tapped, writer)) == set()

    def test_an_expired_authorization(
        self, own_sandbox: Sandbox, tap: Wiretap, tapped: Client, writer: Authorization
    ) -> None:
        own_sandbox.expire_access_tokens()
        tap.trouble = echo(401, "/oauth/token")
        text = raised(AuthorizationExpiredError, lambda: tapped.write(b"hello", "a", DESCRIPTOR, writer))
        assert found(text, tap, *everything(tap, tapped, writer)) == set()

    def test_what_the_caller_handles_meanwhile_stays(self, tap: Wiretap, tapped: Client, writer: Authorization) -> None:
        def interrupt(request: httpx.Request) -> None:
            raise KeyboardInterrupt

        tap.trouble = interrupt
        own = LookupError("the caller's own")
        try:
            raise own
        except LookupError:
            with pytest.raises(KeyboardInterrupt) as caught:
                tapped.write(b"hello", "a", DESCRIPTOR, writer)
        assert caught.value.__context__ is own
        assert own.__traceback__ is not None


class TestTokens:
    @pytest.mark.parametrize("status", [400, 401, 500])
    def test_a_refresh_that_is_refused(self, tap: Wiretap, tapped: Client, writer: Authorization, status: int) -> None:
        tap.trouble = echo(status)
        kind = AuthorizationExpiredError if status == 401 else RefusedError
        assert found(raised(kind, lambda: tapped.refresh(writer)), tap, *everything(tap, tapped, writer)) == set()

    @pytest.mark.parametrize("place", ["fetch_keys", "_verified"])
    @pytest.mark.parametrize("key_set", [{"keys": []}, {"keys": [{"kid": 1}]}, {}, [], "x"])
    def test_a_key_set_that_is_wrong(
        self, tap: Wiretap, tapped: Client, writer: Authorization, key_set: Any, place: str
    ) -> None:
        api = tapped._consents["write"].api
        api._key_sets.clear()
        if place == "_verified":
            api.fetch_keys = lambda: None  # type: ignore[method-assign] # as if they were there
        tap.trouble = lambda request: httpx.Response(200, json=key_set) if "jwks" in request.url.path else None
        text = raised(ReplyError, lambda: tapped.refresh(writer))
        assert place in text
        assert found(text, tap, *everything(tap, tapped, writer)) == set()

    @pytest.mark.parametrize("change", ["{}x", "x{}", "{}.x", "\ud800{}", "", "{0}.{0}"])
    def test_an_answer_that_is_not_genuine(
        self, tap: Wiretap, tapped: Client, writer: Authorization, change: str
    ) -> None:
        genuine = min((text for text in tap.texts if text.count(".") == 2 and '"jku"' in header_of(text)), key=len)
        tap.trouble = lambda request: (
            httpx.Response(200, content=json.dumps({"token": change.format(genuine)}).encode())
            if "oauth/token" in request.url.path
            else None
        )
        text = raised(ReplyError, lambda: tapped.refresh(writer))
        assert found(text, tap, *everything(tap, tapped, writer)) == set()

    def test_an_answer_that_lacks_a_member(
        self, monkeypatch: pytest.MonkeyPatch, tap: Wiretap, tapped: Client, writer: Authorization
    ) -> None:
        incomplete = {"access_token": {"value": "t0ken-of-a-service-that-broke", "expires_on": "soon"}}
        monkeypatch.setattr(jwt, "decode", lambda *_, **__: incomplete)
        text = raised(ReplyError, lambda: tapped.refresh(writer))
        assert found(text, tap, *everything(tap, tapped, writer), "t0ken-of-a-service-that-broke") == set()

    def test_a_disk_that_is_full(
        self, monkeypatch: pytest.MonkeyPatch, tap: Wiretap, tapped: Client, writer: Authorization
    ) -> None:
        def fsync(descriptor: int) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        monkeypatch.setattr(os, "fsync", fsync)
        text = raised(TokenStoreError, lambda: tapped.refresh(writer))
        assert found(text, tap, *everything(tap, tapped, writer)) == set()

    @pytest.mark.parametrize("damage", ["cut", "member", "kind", "list"])
    def test_a_stored_file_that_is_damaged(
        self, tap: Wiretap, tapped: Client, writer: Authorization, damage: str
    ) -> None:
        assert isinstance(tapped.tokens, FileTokenStore)
        (stored,) = tapped.tokens.path.glob("*.json")
        content = stored.read_text()
        changed = {
            "cut": content[:-30],
            "member": content.replace("refresh_token", "refr3sh_token"),
            "kind": content.replace('"expiry": ', '"expiry": "", "x": '),
            "list": f"[{content}]",
        }[damage]
        stored.write_text(changed)
        text = raised(TokenStoreError, lambda: tapped.authorization(writer.account_id))
        assert found(text, tap, *everything(tap, tapped, writer)) == set()

    def test_an_interrupt_while_a_stored_file_is_parsed(
        self, monkeypatch: pytest.MonkeyPatch, tap: Wiretap, tapped: Client, writer: Authorization
    ) -> None:
        def decode(self: object, s: str) -> object:
            raise KeyboardInterrupt

        monkeypatch.setattr(json.JSONDecoder, "decode", decode)
        text = raised(KeyboardInterrupt, lambda: tapped.authorization(writer.account_id))
        assert found(text, tap, *everything(tap, tapped, writer)) == set()

    @pytest.mark.parametrize("change", [{"access": "x"}, {"postbox": {"id": 1}}, {"account_id": None}])
    def test_values_that_are_no_authorization(
        self, tap: Wiretap, tapped: Client, writer: Authorization, change: dict[str, Any]
    ) -> None:
        text = raised(AuthorizationError, lambda: Authorization.from_dict(writer.to_dict() | change))
        assert found(text, tap, *everything(tap, tapped, writer)) == set()


class TestConsent:
    @pytest.mark.parametrize("way", ["complete", "wait"])
    def test_an_exchange_that_fails(
        self, own_sandbox: Sandbox, tap: Wiretap, tapped: Client, account_id: str, way: str
    ) -> None:
        with tapped.begin_authorization(account_id) as flow:
            address = own_sandbox.approve(flow.url)
            tap.trouble = echo(500)
            if way == "wait":
                assert httpx.get(address).status_code == 200
                text = raised(RefusedError, lambda: flow.wait(SOON))
            else:
                text = raised(RefusedError, lambda: flow.complete(address))
            secrets = {flow.state, *parse_qs(urlsplit(flow.url).query)["code"]}
        assert "_exchange" in text
        code = parse_qs(urlsplit(address).query)["code"]
        assert {secret for secret in (*code, flow.state) if secret in tap.random} == {*code, flow.state}
        assert found(text, tap, *code, *secrets) == set()

    @pytest.mark.parametrize(
        "change",
        [
            ("state=", "state=0"),
            ("code=", "c0de="),
            ("code=", "code=x&code="),
            ("success=true", "success=false"),
            ("success=true", "success=maybe"),
            ("&state=", "&a=1" * 101 + "&state="),
            ("?", "?" + "a" * 20_000),
        ],
    )
    def test_an_address_that_is_not_taken(
        self, own_sandbox: Sandbox, tap: Wiretap, tapped: Client, account_id: str, change: tuple[str, str]
    ) -> None:
        with tapped.begin_authorization(account_id) as flow:
            address = own_sandbox.approve(flow.url)
            kind = ConsentRefusedError if "false" in change[1] else RedirectError
            text = raised(kind, lambda: flow.complete(address.replace(*change)))
            secrets = {flow.state, *parse_qs(urlsplit(flow.url).query)["code"]}
        assert found(text, tap, *parse_qs(urlsplit(address).query)["code"], *secrets) == set()

    def test_a_beginning_that_fails(self, tap: Wiretap, tapped: Client, writer: Authorization) -> None:
        tap.trouble = echo(400)
        pair, state = writer.user_access_token, "a-state-of-ones-own-that-nobody-guesses"
        for given in (pair, pair.access_token.value, None):
            text = raised(
                RefusedError,
                lambda given=given: tapped.begin_authorization("p", state=state, user_access_token=given),  # type: ignore[misc] # a loop's variable
            )
            assert found(text, tap, *everything(tap, tapped, writer), state) == set()


class TestReading:
    @pytest.mark.parametrize("path", ["trigger", "query"])
    def test_refused(self, tap: Wiretap, tapped: Client, reader: Authorization, path: str) -> None:
        tap.trouble = echo(403, path)
        text = raised(RefusedError, lambda: tapped.files(reader))
        assert found(text, tap, *everything(tap, tapped, reader)) == set()

    def test_a_file_that_does_not_open(
        self, tap: Wiretap, tapped: Client, writer: Authorization, reader: Authorization
    ) -> None:
        tapped.write(b"hello", "hello.txt", DESCRIPTOR, writer)
        (file,) = tapped.files(reader)

        def damaged(request: httpx.Request) -> httpx.Response | None:
            if request.method != "GET":
                return None
            header = {"X-Metadata": "eyJtZXRhZGF0YSI6e319"}
            return httpx.Response(200, headers=header, content=bytes(400))

        tap.trouble = damaged
        text = raised(SealedFileError, file.read)
        assert found(text, tap, *everything(tap, tapped, reader)) == set()

    def test_interrupted_on_the_way(
        self, tap: Wiretap, tapped: Client, writer: Authorization, reader: Authorization
    ) -> None:
        tapped.write(b"hello", "hello.txt", DESCRIPTOR, writer)
        (file,) = tapped.files(reader)

        class Broken(httpx.SyncByteStream):
            def __iter__(self) -> Iterator[bytes]:
                yield b"half an answer"
                raise KeyboardInterrupt

        tap.trouble = lambda _: httpx.Response(200, headers={"X-Metadata": "eyJtZXRhZGF0YSI6e319"}, stream=Broken())
        text = raised(KeyboardInterrupt, file.read)
        assert found(text, tap, *everything(tap, tapped, reader)) == set()


class TestKeys:
    @pytest.mark.parametrize("form", ["text", "bytes", "escaped", "bare", "environment", "file"])
    @pytest.mark.parametrize("damage", ["cut", "public", "certificate", "encrypted", "surrogate", "empty id"])
    def test_a_key_that_cannot_be_used(
        self, vendor_keys: dict[str, RSAPrivateKey], tap: Wiretap, form: str, damage: str, tmp_path: Any
    ) -> None:
        pem = vendor_keys["contract_w"].private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
        changed = {
            "cut": pem[:400],
            "public": pem.replace("PRIVATE", "PUBLIC"),
            "certificate": pem.replace("PRIVATE KEY", "CERTIFICATE"),
            "encrypted": pem.replace("PRIVATE", "ENCRYPTED PRIVATE"),
            "surrogate": pem[:400] + "\ud800" + pem[400:],
            "empty id": pem,
        }[damage]
        environ = {"DIGIME_APPLICATION_ID": "a", "DIGIME_CONTRACT_ID": "c", "DIGIME_PRIVATE_KEY": changed}
        encoded = changed.encode(errors="surrogatepass")
        (tmp_path / "key.pem").write_bytes(encoded)
        contract_id = "" if damage == "empty id" else "b"
        if damage == "empty id":
            environ["DIGIME_PRIVATE_KEY_FILE"] = "key.pem"
        calls: dict[str, Callable[[], object]] = {
            "text": lambda: Contract("a", contract_id, changed),
            "bytes": lambda: Contract("a", contract_id, encoded),
            "escaped": lambda: Contract("a", contract_id, changed.replace("\n", "\\n")),
            "bare": lambda: Contract("a", contract_id, "".join(changed.splitlines()[1:-1])),
            "environment": lambda: Contract.from_env(environ=environ),
            "file": lambda: Contract("a", contract_id, tmp_path / "key.pem"),
        }
        text = raised(ContractError, calls[form])
        assert found(text, tap, *pem.splitlines()[1:-2]) == set()


def header_of(token: str) -> str:
    head = token.split(".", maxsplit=1)[0]
    return urlsafe_b64decode(head + "=" * (-len(head) % 4)).decode()


@contextmanager
def untapped(client: Client, port: int) -> Iterator[Client]:
    """The same contracts, at another address and over a real connection."""
    with Client(
        client.contract, base_url=f"http://127.0.0.1:{port}/v1.7/", tokens=MemoryTokenStore(), max_attempts=2
    ) as made:
        yield made


@contextmanager
def resetting(answer: bytes) -> Iterator[tuple[int, list[bytes]]]:
    """A server that reads a little, answers a little and resets the connection."""
    heads: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    head = b""
                    while b"\r\n\r\n" not in head and (piece := connection.recv(65_536)):
                        head += piece
                    if not head:
                        return
                    heads.append(head)
                    connection.sendall(answer)
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

        thread = threading.Thread(target=serve)
        thread.start()
        port = server.getsockname()[1]
        yield port, heads
        socket.create_connection(("127.0.0.1", port)).close()
        thread.join(SOON)
