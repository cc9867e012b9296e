"""Whom a client trusts, over real TLS."""

from __future__ import annotations

import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from digime_pandas import Client, Contract
from digime_pandas._service.http.environment import route_to
from digime_pandas._service.http.request import Request
from digime_pandas._service.http.transport import Http
from digime_pandas.errors import ConfigurationError, ServiceUnreachableError
from tests.certificates import NOW, YEAR, certificate


@pytest.fixture
def served() -> Iterator[Callable[[Path], tuple[str, list[int]]]]:
    """Starts services that answer over TLS; returns address and one number per connection."""
    opened: list[tuple[socket.socket, threading.Thread]] = []

    def serve(path: Path) -> tuple[str, list[int]]:
        context, accepted = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), []
        context.load_cert_chain(path)
        listener = socket.create_server(("127.0.0.1", 0))

        def run() -> None:
            while True:
                try:
                    plain, _ = listener.accept()
                except OSError:
                    return
                accepted.append(1)
                with suppress(OSError), context.wrap_socket(plain, server_side=True) as connection:
                    connection.recv(1 << 16)
                    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")

        thread = threading.Thread(target=run)
        thread.start()
        opened.append((listener, thread))
        return f"https://127.0.0.1:{listener.getsockname()[1]}/", accepted

    yield serve
    for listener, thread in opened:
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


def ask(url: str, ca: object) -> bytes:
    with closing(Http(route=route_to(url, ca))) as http:
        return http.send(lambda: Request("GET", url, {}), what="ask").body.reveal()


def refused(url: str, ca: object) -> ServiceUnreachableError:
    with pytest.raises(ServiceUnreachableError) as raised:
        ask(url, ca)
    return raised.value


def context_of(path: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(path))


def folder_of(path: Path) -> Path:
    subprocess.run(["openssl", "rehash", str(path.parent)], check=True, capture_output=True)
    return path.parent


@pytest.mark.parametrize("form", [str, Path, context_of, folder_of], ids=["text", "path", "context", "folder"])
def test_the_authority_of_the_caller_is_trusted(tmp_path: Path, served: Any, form: Callable[[Path], object]) -> None:
    path = certificate(tmp_path)
    url, _ = served(path)
    assert ask(url, form(path)) == b"ok"


def test_no_other_is_and_there_is_one_attempt(tmp_path: Path, served: Any) -> None:
    url, accepted = served(certificate(tmp_path))
    (tmp_path / "other").mkdir()
    for ca in (None, certificate(tmp_path / "other")):
        error = refused(url, ca)
        assert (error.attempts, error.outcome) == (1, "not sent")
        assert "ca=" in error.remedy
    assert len(accepted) == 2


@pytest.mark.parametrize("begins", [NOW - 3 * YEAR, NOW + YEAR], ids=["over", "to-come"])
def test_a_certificate_of_another_time_leads_to_the_clock(tmp_path: Path, served: Any, begins: datetime) -> None:
    path = certificate(tmp_path, begins=begins)
    url, _ = served(path)
    error = refused(url, path)
    assert (error.attempts, "The clock of this computer says 20" in str(error)) == (1, True)


def test_one_of_another_host_leads_to_the_address(tmp_path: Path, served: Any) -> None:
    path = certificate(tmp_path, address="127.0.0.2")
    url, _ = served(path)
    assert "check base_url" in str(refused(url, path))


@pytest.mark.parametrize(
    ("ca", "words"),
    [
        ("no-such-file.pem", "ca is 'no-such-file.pem'.*No such file"),
        (__file__, "no certificate that can be used"),
        (str(Path(__file__).parent), "where no certificate is found"),
        (b"bytes.pem", "ca is a bytes"),
        (True, "ca is a bool"),
        (17, "ca is a int"),
        (ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), "of a server"),
    ],
    ids=["missing", "no-certificate", "folder", "bytes", "bool", "int", "server"],
)
def test_what_cannot_be_used_is_an_error_of_the_argument(ca: object, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        route_to("https://api.test/", ca)


def test_a_client_takes_it(tmp_path: Path, served: Any, vendor_keys: dict[str, Any]) -> None:
    path = certificate(tmp_path)
    url, accepted = served(path)
    contract = Contract("application", "contract", vendor_keys["contract_w"])
    with pytest.raises(ConfigurationError, match="ca and transport"):
        Client(contract, ca=path, transport=httpx.MockTransport(lambda _: httpx.Response(200)))
    with Client(contract, base_url=url, ca=path) as client, pytest.raises(ValueError, match="lacks a JSON object"):
        client.begin_authorization("patient-17", callback="https://app.test/done")
    assert len(accepted) == 1
