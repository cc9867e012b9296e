"""A service that drips holds no call longer than its deadline."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd
import pytest

import digime_pandas
from digime_pandas import Client, MemoryTokenStore
from digime_pandas.errors import DigimeError, ServiceUnreachableError
from digime_pandas.sandbox import Sandbox, faults

from .bodies import body

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("no_waiting")]

DEADLINE = 1.5  # seconds
# Seconds per byte. Answers would end after some deadlines: a client that waits for that does not keep its own.
EVERY, EVERY_OF_MANY = 0.075, 0.015


@pytest.fixture
def patient(either_sandbox: Sandbox, account_id: str, connected: Callable[..., Client]) -> Client:
    """A client that has time, of someone who lets it write and read."""
    client = connected(either_sandbox, tokens=MemoryTokenStore())
    for access in ("write", "read"):
        either_sandbox.approve_all([account_id], access=access, tokens=client.tokens)
    return client


@pytest.fixture
def hurried(either_sandbox: Sandbox, patient: Client, connected: Callable[..., Client]) -> Client:
    """A client with the same authorizations that does not have much time."""
    return connected(either_sandbox, deadline=DEADLINE, timeout=DEADLINE, tokens=patient.tokens)


@pytest.fixture
def written(patient: Client, account_id: str) -> None:
    """A file to read."""
    digime_pandas.write(pd.DataFrame({"a": [1]}), "rows.csv", account_id, client=patient, progress=False)


@pytest.mark.parametrize(("place", "text"), [("head", ""), ("body", "busy" * 30)])
def test_a_write(either_sandbox: Sandbox, hurried: Client, account_id: str, place: faults.Place, text: str) -> None:
    with (
        either_sandbox.fail("upload", trickle=place, every=EVERY, times=None, status=503, body=text),
        pytest.raises(ServiceUnreachableError) as raised,
    ):
        digime_pandas.write(body("small"), "rows.csv", account_id, client=hurried, progress=False)
    assert raised.value.outcome == "unknown"


@pytest.mark.parametrize(
    ("call", "place"),
    [
        ("session", "body"),
        ("list", "body"),
        ("describe", "head"),
        ("download", "body"),
    ],
)
@pytest.mark.usefixtures("written")
def test_a_read(
    either_sandbox: Sandbox, hurried: Client, account_id: str, call: faults.Call, place: faults.Place
) -> None:
    every = EVERY_OF_MANY if call in {"describe", "download"} else EVERY
    with either_sandbox.fail(call, trickle=place, every=every, times=None), pytest.raises(DigimeError):
        digime_pandas.read_file("rows.csv", account_id=account_id, client=hurried)


def test_a_refresh(either_sandbox: Sandbox, hurried: Client, account_id: str) -> None:
    with either_sandbox.fail("refresh", trickle="body", every=EVERY, times=None), pytest.raises(DigimeError):
        hurried.refresh(hurried.authorization(account_id))
