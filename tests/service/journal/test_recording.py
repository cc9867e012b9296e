"""What is said of a file that was sent or not: by errors, whatever request they are about, and in the log."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import digime_pandas
from digime_pandas import Client, Receipt
from digime_pandas._service.authorization import Authorization
from digime_pandas.errors import (
    AuthorizationExpiredError,
    DigimeError,
    FidelityError,
    InputError,
    NotAuthorizedError,
    RefusedError,
    TokenStoreError,
)
from digime_pandas.sandbox import Sandbox

pytestmark = pytest.mark.usefixtures("no_waiting")
FRAME = pd.DataFrame({"pulse": [61, 64]})


def write(client: Client, account_id: str, **options: Any) -> Receipt:
    return digime_pandas.write(FRAME, "visits.csv", account_id, client=client, progress=False, **options)


def error_of(client: Client, account_id: str, kind: type[DigimeError], **options: Any) -> DigimeError:
    with pytest.raises(kind) as raised:
        write(client, account_id, **options)
    return raised.value


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ({"status": 503}, RefusedError),
        ({"status": 401, "code": "InvalidToken"}, AuthorizationExpiredError),
    ],
    ids=["passing", "for-good"],
)
def test_an_error_of_a_refresh_tells_of_the_file(
    either_sandbox: Sandbox,
    either_client: Client,
    either_person: Authorization,
    fault: dict[str, Any],
    kind: type[DigimeError],
) -> None:
    account_id = either_person.account_id
    either_sandbox.expire_access_tokens()
    with either_sandbox.fail("refresh", times=None, **fault):
        error = error_of(either_client, account_id, kind)
    # What an expired token is answered with, a postbox may keep the file all the same.
    assert error.outcome == ("refused" if either_person.postbox is None else "unknown")
    assert str(error.write_id).startswith("urn:uuid:")
    assert [
        file for file in either_sandbox.files(account_id) if file.descriptor["reference"][1] == error.write_id
    ] == []


def test_a_token_that_is_known_to_have_ended_keeps_the_file_from_being_sent(
    sandbox: Sandbox, client: Client, person: Authorization, tmp_path: Path
) -> None:
    pair = person.user_access_token
    aged = replace(person, user_access_token=replace(pair, access_token=replace(pair.access_token, expiry=1)))
    client.tokens.put(client.base_url, client.contract.client_id, aged)
    with digime_pandas.Journal(tmp_path / "journal.db") as journal:
        for options in ({}, {"journal": journal}):
            with sandbox.fail("refresh", times=None, status=503):
                error = error_of(client, person.account_id, RefusedError, **options)
            assert error.outcome == "not sent"
            assert error.write_id is not None
        assert journal.to_frame()["write_id"].tolist() == [error.write_id]


def test_what_is_refused_before_anything_is_sent_says_so(
    client: Client, person: Authorization, monkeypatch: pytest.MonkeyPatch
) -> None:
    nobody = error_of(client, "nobody-at-all", NotAuthorizedError)
    assert (nobody.outcome, str(nobody.write_id)[:9]) == ("not sent", "urn:uuid:")
    with pytest.raises(FidelityError) as raised:
        digime_pandas.write(pd.DataFrame({"a": [object()]}), "a.csv", person.account_id, client=client)
    assert raised.value.outcome == "not sent"

    def broken(*_: object) -> None:
        raise TokenStoreError("the disk is gone")

    monkeypatch.setattr(client.tokens, "get", broken)
    assert error_of(client, person.account_id, TokenStoreError).outcome == "not sent"


def test_a_source_that_fails_after_a_sending_leaves_that_unknown(client: Client, person: Authorization) -> None:
    descriptor = digime_pandas.FileDescriptor("text/plain", person.account_id)
    with pytest.raises(InputError) as raised:
        client.write((each for each in (b"x" * 9, "text")), "a.txt", descriptor, person)  # type: ignore[misc]
    assert (raised.value.outcome, raised.value.write_id) == ("not sent", None)


def test_deliveries_and_refreshes_are_logged_without_data_and_tokens(
    sandbox: Sandbox,
    client: Client,
    person: Authorization,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    sandbox.expire_access_tokens()
    with caplog.at_level(logging.INFO):
        receipt = write(client, person.account_id)
    said = [each.getMessage() for each in caplog.records if each.name == "digime_pandas"]
    assert said == [
        "refreshed: an access token to write",
        f"delivered: visits.csv ({receipt.size} bytes, attempts: 2)",
    ]
    assert receipt.authorization is not None
    pair = receipt.authorization.user_access_token
    for secret in (
        pair.access_token.value,
        pair.refresh_token.value,
        person.user_access_token.access_token.value,
        "61",
    ):
        assert secret not in "".join(said).replace(str(receipt.size), "")
    assert capfd.readouterr() == ("", "")
