"""Parts are granted until one sending is known to have arrived, always under one write id."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

import digime_pandas as digime
from digime_pandas._client.partitions.deliveries import Deliveries
from digime_pandas._client.partitions.prepared import PartFacts
from digime_pandas._service.grants.upload_grant import UploadGrant, UploadResult
from digime_pandas.errors import (
    APIError,
    FidelityWarning,
    GrantExpiredError,
    InvalidTokenError,
    RefusedError,
    ServiceUnreachableError,
    call_site,
)

CONTENT = b"a\n1\n"
UNREACHABLE = ServiceUnreachableError("no network", outcome="unknown")
UNSENT = ServiceUnreachableError("no network", outcome="not sent")
BUSY = RefusedError("busy", outcome="refused", status=503)
TOO_LARGE = RefusedError("too large", outcome="refused", status=413)
BAD_TOKEN = InvalidTokenError("the token has expired", outcome="refused", status=401)
REPLAY = RefusedError("again", outcome="refused", status=401, code="NonceReused")
LATE = RefusedError("late", outcome="refused", status=401, code="TimestampOutOfRange")


def result(error: Exception | None = None, status: str = "delivered") -> UploadResult:
    known: Any = status if error is None else getattr(error, "outcome", "not sent")
    failure: Any = error
    return UploadResult(status=known, size=4, sha256="0" * 64, attempts=1, elapsed=0.0, error=failure)


@pytest.fixture
def deliveries(client: digime.Client) -> Deliveries:
    return Deliveries(client.write_consents, "run", client.authorization, None, call_site())


@pytest.fixture
def facts(person: digime.Authorization) -> PartFacts:
    reference = ["part", "urn:uuid:11111111-1111-5111-8111-111111111111"]
    return PartFacts(
        key="part",
        file_name="part.csv",
        descriptor=digime.FileDescriptor("text/csv", person.account_id, reference),
        rows=1,
        size=4,
        sha256="0" * 64,
        losses=(),
        renews_write_id=True,
    )


@pytest.mark.parametrize("error", [UNREACHABLE, UNSENT, BUSY, REPLAY, LATE, GrantExpiredError("late"), BAD_TOKEN])
def test_what_may_succeed_is_granted_anew_under_the_same_write_id(
    deliveries: Deliveries, facts: PartFacts, error: Exception
) -> None:
    first = deliveries.answer(facts, None)
    second = deliveries.answer(facts, result(error))
    assert first is not None
    assert second is not None
    assert first.write_id == second.write_id == facts.descriptor.reference[1]
    assert first.signed.headers != second.signed.headers
    assert deliveries.answer(facts, result()) is None
    receipt = deliveries.of("part").receipt
    assert receipt is not None
    assert (receipt.status, receipt.attempts, receipt.rows) == ("delivered", 2, 1)


@pytest.mark.parametrize(
    ("errors", "outcome"),
    [
        ([TOO_LARGE], "refused"),
        ([UNREACHABLE, TOO_LARGE], "unknown"),
        ([REPLAY, TOO_LARGE], "unknown"),
        ([BAD_TOKEN, BAD_TOKEN], "refused"),
        ([UNSENT] * 5, "not sent"),
        ([UNREACHABLE] * 5, "unknown"),
    ],
    ids=lambda value: value if isinstance(value, str) else "-".join(type(each).__name__ for each in value),
)
def test_what_cannot_succeed_ends_with_what_is_known(
    deliveries: Deliveries, facts: PartFacts, errors: list[Exception], outcome: str
) -> None:
    grant = deliveries.answer(facts, None)
    for error in errors:
        assert grant is not None
        grant = deliveries.answer(facts, result(error))
    assert grant is None
    delivery = deliveries.of("part")
    assert (delivery.error, delivery.outcome, delivery.attempts) == (errors[-1], outcome, len(errors))
    assert deliveries.answer(facts, None) is None


def test_pending_is_sent_again_once_with_a_refreshed_token(
    deliveries: Deliveries, facts: PartFacts, client: digime.Client, person: digime.Authorization
) -> None:
    deliveries.answer(facts, None)
    assert deliveries.answer(facts, result(status="pending")) is not None
    assert client.authorization(person.account_id).user_access_token != person.user_access_token
    assert deliveries.answer(facts, result(status="pending")) is None
    receipt = deliveries.of("part").receipt
    assert receipt is not None
    assert receipt.status == "pending"


def test_a_process_that_ended_leaves_a_doubt(deliveries: Deliveries, facts: PartFacts) -> None:
    first = deliveries.answer(facts, None)
    changed = replace(facts, sha256="1" * 64)
    second = deliveries.answer(changed, None)
    assert first is not None
    assert second is not None
    assert first.write_id == second.write_id
    deliveries.fail("part", RuntimeError("the worker ended"))
    assert deliveries.of("part").outcome == "unknown"
    deliveries.fail("other", RuntimeError("not computed"))
    assert deliveries.of("other").outcome == "not sent"


def test_what_was_delivered_is_not_granted_or_failed_again(deliveries: Deliveries, facts: PartFacts) -> None:
    deliveries.answer(facts, None)
    deliveries.answer(facts, result())
    assert deliveries.answer(facts, None) is None
    deliveries.fail("part", RuntimeError("late"))
    assert deliveries.of("part").error is None


@pytest.mark.filterwarnings("error::digime_pandas.errors.FidelityWarning")
def test_a_loss_that_is_an_error_keeps_the_part_from_being_sent(deliveries: Deliveries, facts: PartFacts) -> None:
    lossy = replace(facts, losses=("Not everything is in the file: x.",))
    assert deliveries.answer(lossy, None) is None
    assert isinstance(deliveries.of("part").error, FidelityWarning)
    assert deliveries.of("part").outcome == "not sent"


def test_who_did_not_authorize_gets_nothing(deliveries: Deliveries, facts: PartFacts) -> None:
    stranger = replace(facts, key="x", descriptor=replace(facts.descriptor, accounts=("stranger",)))
    assert deliveries.answer(stranger, None) is None
    assert isinstance(deliveries.of("x").error, digime.NotAuthorizedError)


def test_references_that_were_given_stay(deliveries: Deliveries, facts: PartFacts) -> None:
    grant = deliveries.answer(replace(facts, renews_write_id=False), None)
    assert isinstance(grant, UploadGrant)
    assert grant.descriptor == facts.descriptor


def test_a_real_sending_is_known(
    deliveries: Deliveries, facts: PartFacts, sandbox: Any, connected: Callable[..., Any]
) -> None:
    grant = deliveries.answer(facts, None)
    assert grant is not None
    assert deliveries.answer(facts, grant.send(CONTENT)) is None
    assert [file.content for file in sandbox.files(facts.descriptor.accounts[0])] == [CONTENT]
    assert not isinstance(deliveries.of("part").error, APIError)
