from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import httpx
import pandas as pd
import pytest

import digime_pandas as digime
from digime_pandas._client.client import Client
from digime_pandas._client.library.file import LibraryFile, library_file
from digime_pandas._client.library.listing import _drop_repeated_writes
from digime_pandas._service.authorization import Authorization
from digime_pandas._service.descriptor import FileDescriptor
from digime_pandas.errors import RefusedError
from digime_pandas.sandbox import Sandbox

from .networks import Recording

pytestmark = pytest.mark.slow

Connected = Callable[..., Client]


def write(client: Client, authorization: Authorization, *texts: str, write_id: str | None = None) -> None:
    for text in texts:
        reference = [text] if write_id is None else [text, write_id]
        client.write(text.encode(), "a.txt", FileDescriptor("text/plain", "p", reference), authorization)


def test_of_several_copies_of_one_write_there_is_the_newest(client: Client, reader: Authorization) -> None:
    person = client.authorization(reader.account_id)
    write(client, person, "one", "two", write_id="urn:uuid:1")
    write(client, person, "three", "four")
    assert [file.name for file in client.files(reader)] == ["four", "three", "two"]


def test_a_library_is_listed_with_one_session_and_one_look_at_each_file(
    sandbox: Sandbox, connected: Connected, client: Client, reader: Authorization
) -> None:
    write(client, client.authorization(reader.account_id), *map(str, range(12)))
    network = Recording()
    files = connected(sandbox, transport=network, tokens=client.tokens).files(reader)
    assert [file.name for file in files] == [str(number) for number in reversed(range(12))]
    assert network.calls == ["POST trigger", "GET query"] + ["HEAD query"] * 12


def test_a_list_that_is_not_complete_is_looked_at_again(
    sandbox: Sandbox, connected: Connected, client: Client, reader: Authorization
) -> None:
    write(client, client.authorization(reader.account_id), "one")
    sandbox.pending_lists = 3
    network = Recording()
    assert len(connected(sandbox, transport=network, tokens=client.tokens).files(reader)) == 1
    assert network.calls.count("GET query") == 4


def test_what_could_be_collected_is_shown_when_a_source_failed(
    sandbox: Sandbox, connected: Connected, client: Client, reader: Authorization
) -> None:
    write(client, client.authorization(reader.account_id), "one")

    def partial(request: httpx.Request, response: httpx.Response) -> httpx.Response:
        if request.method == "GET" and request.url.path.count("/") == 4:
            listed = response.read().replace(b'"completed"', b'"partial"')
            assert b"partial" in listed
            return httpx.Response(200, content=listed)
        return response

    assert len(connected(sandbox, transport=Recording(partial), tokens=client.tokens).files(reader)) == 1


def test_a_session_that_ended_is_opened_anew_when_a_file_is_read_later(
    sandbox: Sandbox, connected: Connected, client: Client, reader: Authorization
) -> None:
    write(client, client.authorization(reader.account_id), "one")
    network = Recording()
    (file,) = connected(sandbox, transport=network, tokens=client.tokens).files(reader)
    ended = iter([True])

    def change(_: httpx.Request, response: httpx.Response) -> httpx.Response:
        return httpx.Response(400, json={"error": {"code": "SessionInvalid"}}) if next(ended, False) else response

    network.calls.clear()
    network.change = change
    assert file.read() == b"one"
    assert network.calls == ["GET query", "POST trigger", "GET query"]


def test_a_file_that_is_gone_is_an_error_with_the_services_word(
    sandbox: Sandbox, connected: Connected, client: Client, reader: Authorization
) -> None:
    write(client, client.authorization(reader.account_id), "one")
    network = Recording()
    (file,) = connected(sandbox, transport=network, tokens=client.tokens).files(reader)
    network.change = lambda *_: httpx.Response(404, json={"error": {"code": "FileNotFound"}})
    with pytest.raises(RefusedError, match="FileNotFound") as raised:
        file.read()
    assert raised.value.status == 404


def test_an_ended_token_is_refreshed_once_for_all_files(
    sandbox: Sandbox, connected: Connected, client: Client, reader: Authorization
) -> None:
    write(client, client.authorization(reader.account_id), *map(str, range(10)))
    network = Recording()
    other = connected(sandbox, transport=network, tokens=client.tokens)
    sandbox.expire_access_tokens()
    assert len(other.files(reader)) == 10
    assert network.calls.count("POST oauth") == 1
    assert other.authorization(reader.account_id, access="read") != reader


def test_files_are_compressed_by_the_service_as_it_likes(
    connected: Connected, authorize: Callable[..., Authorization], account_id: str
) -> None:
    for compression in ("gzip", "brotli"):
        with Sandbox(compression=compression) as packed:
            client = connected(packed)
            write(client, authorize(packed, client, account_id), "one" * 1000)
            authorize(packed, client, account_id, "read")
            (file,) = client.files(account_id)
            assert file.read() == b"one" * 1000


def test_the_older_api_is_read_too(
    sandbox: Sandbox, connected: Connected, authorize: Callable[..., Authorization], account_id: str
) -> None:
    client = connected(sandbox, base_url=sandbox.base_url.replace("v1.7", "v1.6"))
    write(client, authorize(sandbox, client, account_id), "one")
    authorize(sandbox, client, account_id, "read")
    (file,) = client.files(account_id)
    assert file.read() == b"one"


def test_another_contracts_file_of_the_same_write_id_hides_nothing(
    client: Client, reader: Authorization, other_writer: tuple[Client, Authorization]
) -> None:
    write(client, client.authorization(reader.account_id), "ours", write_id="urn:uuid:1")
    write(*other_writer, "older", "theirs", write_id="urn:uuid:1")
    theirs, ours = client.files(reader)
    assert (theirs.name, theirs.contract_id) == ("theirs", other_writer[0].contract.contract_id)
    assert (ours.name, ours.contract_id) == ("ours", client.contract.contract_id)
    assert client.files(reader, reference="urn:uuid:1") == [theirs, ours]


def listed(name: str, *reference: str, contract_id: object = None) -> LibraryFile:
    metadata = {"mimetype": "text/csv", "reference": list(reference), "contractid": contract_id}
    return library_file(name, 0, metadata, lambda _: pytest.fail("nothing is fetched"))


def test_copies_are_told_by_their_write_id_alone() -> None:
    files = [listed("1", "a", "urn:uuid:1"), listed("2", "b", "urn:uuid:1"), listed("3", "a"), listed("4", "a")]
    assert [file.file_id for file in _drop_repeated_writes(files)] == ["1", "3", "4"]
    assert files[0].updated == datetime(1970, 1, 1, tzinfo=UTC)


def test_copies_are_of_one_contract() -> None:
    files = [listed(str(number), "urn:uuid:1", contract_id=each) for number, each in enumerate(["b", "a", None, "a"])]
    assert [file.file_id for file in _drop_repeated_writes(files)] == ["0", "1", "2"]


def test_a_file_that_went_between_list_and_look_is_left_out(
    sandbox: Sandbox, connected: Connected, client: Client, reader: Authorization
) -> None:
    write(client, client.authorization(reader.account_id), "one", "two")
    gone: list[str] = []

    def change(request: httpx.Request, response: httpx.Response) -> httpx.Response:
        if request.method != "HEAD" or (gone and gone[0] != request.url.path):
            return response
        gone[:] = [request.url.path]
        return httpx.Response(404)

    files = connected(sandbox, transport=Recording(change), tokens=client.tokens).files(reader)

    assert len(files) == 1


def test_a_file_of_which_nothing_can_be_told_keeps_the_others_from_nobody(
    sandbox: Sandbox, connected: Connected, client: Client, reader: Authorization
) -> None:
    write(client, client.authorization(reader.account_id), "one")

    def change(request: httpx.Request, response: httpx.Response) -> httpx.Response:
        return httpx.Response(200, headers={"X-Metadata": "???"}) if request.method == "HEAD" else response

    other = connected(sandbox, transport=Recording(change), tokens=client.tokens)
    with pytest.warns(UserWarning, match="left out"):
        assert other.files(reader) == []


def test_rows_and_size_are_those_of_the_write_and_else_what_the_service_lets_follow(
    sandbox: Sandbox, connected: Connected, client: Client, reader: Authorization
) -> None:
    frame = pd.DataFrame({"a": range(100)})
    receipt = digime.write(frame, "a.csv", reader.account_id, client=client)
    (file,) = client.files(reader)
    assert (file.rows, file.size, file.size_is_exact) == (100, receipt.size, True)
    (file,) = connected(sandbox, tokens=client.tokens).files(reader)
    assert (file.rows, file.size_is_exact) == (None, False)
    assert file.size is not None
    assert receipt.size <= file.size <= receipt.size + 15


def test_the_size_of_a_file_that_is_compressed_on_its_way_is_not_known(connected: Connected) -> None:
    with Sandbox(compression="gzip") as compressing:
        client = connected(compressing)
        compressing.approve_all(["p"], tokens=client.tokens)
        compressing.approve_all(["p"], access="read", tokens=client.tokens)
        write(client, client.authorization("p"), "x" * 1000)
        (file,) = client.files("p")
        assert file.size is None


def test_a_service_that_names_no_size_or_too_small_a_one_leaves_it_not_known(
    sandbox: Sandbox, connected: Connected, client: Client, reader: Authorization
) -> None:
    write(client, client.authorization(reader.account_id), "one")

    def without_length(request: httpx.Request, response: httpx.Response) -> httpx.Response:
        if request.method == "HEAD":
            return httpx.Response(200, headers={"X-Metadata": response.headers["X-Metadata"]}, content=b"")
        return response

    (file,) = connected(sandbox, transport=Recording(without_length), tokens=client.tokens).files(reader)
    assert file.size is None
