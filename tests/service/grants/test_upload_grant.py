"""A grant is sent once, anywhere, by what has no key; what came of it is a value."""

from __future__ import annotations

import copy
import dataclasses
import io
import multiprocessing
import os
import pickle
import subprocess
import sys
from base64 import b64encode
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from hashlib import sha256
from pathlib import Path
from typing import Any

import joblib
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from joblib.externals.loky import get_reusable_executor

import digime_pandas as digime
from digime_pandas.errors import (
    APIError,
    AuthorizationError,
    GrantExpiredError,
    InvalidTokenError,
    RefusedError,
    ServiceUnreachableError,
)
from digime_pandas.sandbox import Sandbox

CONTENT = b"day,pulse\n2026-01-05,61\n"
LARGE = os.urandom(1 << 20) * 3
Authorize = Callable[..., digime.Authorization]

SENDER = """
import pickle, sys
grant, content = pickle.load(sys.stdin.buffer)
assert not {"digime_pandas._client.client", "digime_pandas._service.oauth.token_store"} & set(sys.modules)
sys.stdout.buffer.write(pickle.dumps(grant.send(content)))
"""


@pytest.fixture
def grant(either_client: digime.Client, either_person: digime.Authorization) -> digime.UploadGrant:
    return granted(either_client, either_person)


def granted(client: digime.Client, person: digime.Authorization, name: str = "visits.csv") -> digime.UploadGrant:
    descriptor = digime.FileDescriptor("text/csv", person.account_id, reference=[name], tags=["visits"])
    return client.grant(name, descriptor, person)


@pytest.mark.slow
def test_a_process_without_keys_sends_it(
    grant: digime.UploadGrant, either_client: digime.Client, either_sandbox: Sandbox
) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("DIGIME_")}
    done = subprocess.run(
        [sys.executable, "-c", SENDER],
        input=pickle.dumps((grant, CONTENT)),
        capture_output=True,
        check=True,
        env=environment,
        cwd=Path(digime.__file__).parent.parent,
    )
    result = pickle.loads(done.stdout)
    receipt = either_client.settle(grant, result, rows=1)
    [stored] = either_sandbox.files(grant.account_id)
    assert stored.content == CONTENT
    assert (stored.reference, stored.tags) == (("visits.csv",), ("visits",))
    assert (receipt.status, receipt.rows, receipt.size) == ("delivered", 1, len(CONTENT))
    assert receipt.sha256 == sha256(CONTENT).hexdigest()
    assert receipt.verify(either_client)


@pytest.mark.slow  # processes are started
@pytest.mark.parametrize("program", ["futures", "joblib"])
def test_programs_that_spread_work_send_grants(
    client: digime.Client, person: digime.Authorization, sandbox: Sandbox, program: str
) -> None:
    contents = {f"visits-{number}.csv": CONTENT + b"%d\n" % number for number in range(4)}
    grants = [granted(client, person, name) for name in contents]
    if program == "futures":
        with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as executor:
            results = list(executor.map(digime.UploadGrant.send, grants, contents.values()))
    else:
        results = joblib.Parallel(n_jobs=2)(map(joblib.delayed(digime.UploadGrant.send), grants, contents.values()))
        get_reusable_executor().shutdown(wait=True)
    receipts = [client.settle(grant, result) for grant, result in zip(grants, results, strict=True)]
    assert [receipt.status for receipt in receipts] == ["delivered"] * 4
    stored = {file.reference[0]: file.content for file in sandbox.files(person.account_id)}
    assert stored == contents


@pytest.mark.parametrize("crossing", [copy.copy, copy.deepcopy, lambda each: pickle.loads(pickle.dumps(each))])
def test_it_counts_once(
    grant: digime.UploadGrant, either_sandbox: Sandbox, crossing: Callable[[digime.UploadGrant], digime.UploadGrant]
) -> None:
    first, second = grant.send(CONTENT), crossing(grant).send(CONTENT)
    assert (first.status, first.attempts, first.error, first.is_replay) == ("delivered", 1, None, False)
    assert (second.status, second.attempts, second.is_replay) == ("refused", 1, True)
    assert isinstance(second.error, RefusedError)
    assert "was sent before" in str(second.error)
    assert len(either_sandbox.files(grant.account_id)) == 1


def test_an_expired_one_is_not_sent(grant: digime.UploadGrant, either_sandbox: Sandbox) -> None:
    result = grant.send(CONTENT, now=lambda: grant.expires_at + 5)
    assert (result.status, result.attempts) == ("not sent", 0)
    assert isinstance(result.error, GrantExpiredError)
    assert "'visits.csv' expired 5 s ago. Nothing was sent." in str(result.error)
    assert grant.send(CONTENT, now=lambda: grant.expires_at - 1).status == "delivered"
    assert len(either_sandbox.files(grant.account_id)) == 1


def test_it_does_not_outlive_the_access_token(client: digime.Client, person: digime.Authorization) -> None:
    pair = person.user_access_token
    soon = digime.Token(pair.access_token.value, int(granted(client, person).expires_at) - 100)
    short = dataclasses.replace(person, user_access_token=dataclasses.replace(pair, access_token=soon))
    assert granted(client, short).expires_at == soon.expiry


@pytest.mark.parametrize(
    "make",
    [bytes, bytearray, memoryview, lambda data: [data[:7], data[7:]], io.BytesIO, lambda data: iter([data, b""])],
    ids=["bytes", "bytearray", "memoryview", "list", "file", "iterator"],
)
@pytest.mark.parametrize("data", [b"", CONTENT, LARGE], ids=["empty", "small", "large"])
@pytest.mark.slow
def test_content_of_every_kind_arrives(
    grant: digime.UploadGrant, either_sandbox: Sandbox, data: bytes, make: Callable[[bytes], Any]
) -> None:
    result = grant.send(make(data))
    assert (result.size, result.sha256) == (len(data), sha256(data).hexdigest())
    [stored] = either_sandbox.files(grant.account_id)
    assert stored.content == data


def test_content_that_fails_is_raised_and_nothing_is_stored(grant: digime.UploadGrant, either_sandbox: Sandbox) -> None:
    def broken() -> Iterator[bytes]:
        yield LARGE
        raise RuntimeError("no such disk")

    with pytest.raises(RuntimeError, match="no such disk"):
        grant.send(broken())
    with pytest.raises(digime.InputError, match="mode 'rb'"):
        grant.send(["text"])  # type: ignore[list-item] # wrong on purpose
    with pytest.raises(digime.InputError, match="is a dict"):
        grant.send({})
    assert either_sandbox.files(grant.account_id) == []


def test_what_the_service_refuses_is_a_result(connected: Callable[..., digime.Client], authorize: Authorize) -> None:
    with Sandbox(postbox=False) as own:
        client = connected(own)
        grant = granted(client, authorize(own, client, "p"))
        own.expire_access_tokens()
        result = pickle.loads(pickle.dumps(grant.send(CONTENT)))
        assert (result.status, result.attempts) == ("refused", 1)
        with pytest.raises(InvalidTokenError) as caught:
            grant.receipt(result)
        assert caught.value.status == 401
        unsent = granted(client, client.refresh(client.authorization("p")))
    result = unsent.send(CONTENT)
    assert (result.status, result.delivered_at) == ("not sent", None)
    assert isinstance(result.error, ServiceUnreachableError)


def forms_of(contract: digime.Contract, person: digime.Authorization) -> dict[str, list[bytes]]:
    """Forms in which a secret could be found in a pickle."""
    der = contract.private_key.private_bytes(Encoding.DER, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    token = person.user_access_token.refresh_token.value.encode()
    return {
        "private key": [der[-200:-140], b64encode(der)[-200:-140]],
        "refresh token": [token, *(b64encode(b" " * shift + token)[4:60] for shift in range(3))],
    }


def test_its_pickle_holds_no_private_key_and_no_refresh_token(
    grant: digime.UploadGrant, either_client: digime.Client, either_person: digime.Authorization
) -> None:
    pickled = pickle.dumps(grant)
    for name, forms in forms_of(either_client.contract, either_person).items():
        assert not any(form in pickled for form in forms), name
    assert grant.signed.headers.reveal()["Authorization"].encode() in pickled  # it is a secret all the same


def test_it_shows_no_secret(grant: digime.UploadGrant, either_person: digime.Authorization) -> None:
    bearer = grant.signed.headers.reveal()["Authorization"]
    secrets = [bearer[-40:], either_person.user_access_token.access_token.value]
    if grant.signed.file_key is not None:
        secrets += [repr(grant.signed.file_key.key.reveal()), grant.signed.file_key.key.reveal().hex()]
    shown = [repr(grant), str(grant), repr(dataclasses.asdict(grant)), repr(grant.signed), repr(dir(grant))]
    expired = grant.send(CONTENT, now=lambda: grant.expires_at)
    shown += [repr(grant.send(CONTENT)), repr(grant.send(CONTENT)), repr(expired)]
    assert not [secret for secret in secrets for text in shown if secret in text]


@pytest.mark.parametrize("ending", ["delivered", "refused", "replay", "never"])
def test_a_journal_has_what_came_of_it(
    sandbox: Sandbox,
    connected: Callable[..., digime.Client],
    authorize: Authorize,
    tmp_path: Path,
    ending: str,
) -> None:
    client = connected(sandbox, journal=tmp_path / "writes.journal")
    person = authorize(sandbox, client, f"journal-{ending}")
    grant = granted(client, person)
    result = grant.send(CONTENT, now=lambda: 9e12 if ending == "refused" else 0)
    if ending == "replay":
        result = grant.send(CONTENT)
    if ending == "delivered":
        assert client.settle(grant, result, rows=1).rows == 1
    elif ending != "never":
        with pytest.raises((APIError, GrantExpiredError)):
            client.settle(grant, result)
    assert client.journal is not None
    [row] = client.journal.to_frame().to_dict("records")
    expected = {"delivered": "delivered", "refused": "not sent", "replay": "unknown", "never": "unknown"}
    assert (row["file_name"], row["status"]) == ("visits.csv", expected[ending])


def test_what_is_no_grant_is_not_made_or_settled(
    client: digime.Client, person: digime.Authorization, reader: digime.Authorization
) -> None:
    descriptor = digime.FileDescriptor("text/csv", person.account_id)
    with pytest.raises(digime.DescriptorError, match="file_name"):
        client.grant("a/b", descriptor, person)
    with pytest.raises(digime.DescriptorError, match="file_descriptor is a str"):
        client.grant("a.csv", "text/csv", person)  # type: ignore[arg-type] # wrong on purpose
    with pytest.raises(digime.InputError, match="authorization is a str"):
        client.grant("a.csv", descriptor, "p")  # type: ignore[arg-type] # wrong on purpose
    with pytest.raises(AuthorizationError, match="'read'"):
        client.grant("a.csv", descriptor, reader)
    with pytest.raises(digime.InputError, match="was given a UploadGrant and a NoneType"):
        client.settle(granted(client, person), None)  # type: ignore[arg-type] # wrong on purpose
