from __future__ import annotations

import os
import resource
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from digime_pandas.sandbox import Sandbox

from .protocol_client import DESCRIPTOR, Consent, Envelope, ProtocolClient, error_reply, multipart, pieces, sign

pytestmark = pytest.mark.slow


def test_a_file_over_the_limit_is_refused_on_both_paths_and_both_framings() -> None:
    with Sandbox(max_file_size=100_000) as sandbox:
        api = ProtocolClient(sandbox)
        person = api.consent()
        fits, over, far_over = b"x" * 100_000, b"x" * 100_001, b"x" * 1_000_000
        assert api.import_file(person, fits).status_code == 204
        assert api.post_file(person, fits).status_code == 200
        for data in (over, far_over):
            envelope = Envelope(person.redirected["publicKey"])
            body = multipart(envelope.seal(data))
            for answer in (
                api.import_file(person, data),
                api.import_file(person, pieces(data, 1000)),
                api.post_file(person, b"", envelope=envelope, body=body),
                api.post_file(person, b"", envelope=envelope, body=pieces(body, 1000)),
            ):
                assert error_reply(answer) == (413, "FileTooLarge")
        assert len(sandbox.files()) == 2
        api.http.close()


def raw_import(api: ProtocolClient, person: Consent, framing: str, *, access_token: str | None = None) -> socket.socket:
    """Open a connection, send the head of an import, and leave the body to the caller."""
    headers = api.headers(person.contract, access_token=access_token or person.access_token)
    headers["FileDescriptor"] = sign(person.contract.private_key, {"metadata": DESCRIPTOR})
    lines = [f"{name}: {value}" for name, value in {**headers, "Host": "127.0.0.1"}.items()]
    head = "\r\n".join(["POST /v1.7/permission-access/import HTTP/1.1", *lines, framing, "", ""])
    connection = socket.create_connection(("127.0.0.1", urlsplit(api.sandbox.base_url).port or 0), timeout=60)
    connection.sendall(head.encode())
    return connection


@pytest.mark.parametrize("framing", ["Content-Length: 1000", "Transfer-Encoding: chunked"])
def test_an_upload_cut_short_is_not_stored_and_leaves_nothing_behind(framing: str, tmp_path: Path) -> None:
    with Sandbox(tmp_path) as sandbox:
        api = ProtocolClient(sandbox)
        person = api.consent()
        with raw_import(api, person, framing) as connection:
            connection.sendall(b"5\r\nhello\r\n" if "chunked" in framing else b"hello")
        api.http.close()
        # Closing waits for requests under way, so nothing can be written later than this.
        sandbox.close()
        assert [path.name for path in (tmp_path / "files").iterdir()] == []
        with sandbox:
            assert sandbox.files() == []


def test_a_refusal_does_not_wait_for_the_body(api: ProtocolClient, person: Consent) -> None:
    with raw_import(api, person, "Content-Length: 1000000", access_token="f" * 160) as connection:
        assert connection.recv(100).startswith(b"HTTP/1.1 401 ")


def test_a_refused_client_that_sends_everything_first_gets_its_answer(api: ProtocolClient, person: Consent) -> None:
    answer = api.import_file(person, pieces(bytes(20 << 20), 1 << 18), access_token="f" * 160)
    assert error_reply(answer) == (401, "InvalidToken")


def test_a_large_upload_does_not_fill_memory(tmp_path: Path) -> None:
    with Sandbox(tmp_path) as sandbox:
        api = ProtocolClient(sandbox)
        person = api.consent()
        block = os.urandom(1 << 20)
        assert api.import_file(person, iter([block])).status_code == 204
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        assert api.import_file(person, (block for _ in range(300))).status_code == 204
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        assert grown < 60 * 1024  # KiB
        assert sandbox.files()[-1].size == 300 << 20
        api.http.close()


def test_a_person_removed_while_their_file_is_on_its_way_leaves_nothing(tmp_path: Path) -> None:
    with Sandbox(tmp_path) as sandbox:
        api, remover = ProtocolClient(sandbox), ProtocolClient(sandbox)
        person = api.consent()

        def body() -> Iterator[bytes]:
            yield b"x" * 2_000_000
            headers = remover.headers(person.contract, access_token=person.access_token)
            assert remover.http.delete("user", headers=headers).status_code == 204
            yield b"y"

        assert error_reply(api.import_file(person, body())) == (401, "InvalidToken")
        assert list((tmp_path / "files").iterdir()) == []
        api.http.close()
        remover.http.close()


def test_many_writers_at_once_all_arrive(api: ProtocolClient) -> None:
    people = [api.consent() for _ in range(4)]

    def write(person: Consent) -> None:
        for number in range(5):
            assert api.post_file(person, b"%d" % number * 10_000).status_code == 200

    threads = [threading.Thread(target=write, args=(person,)) for person in people]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    for person in people:
        files = api.stored(person)
        assert [file.content for file in files] == [b"%d" % number * 10_000 for number in range(5)]
        assert len({file.created for file in files}) == 5
