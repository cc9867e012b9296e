"""Fault x call of a reading: the frame comes back equal, or there is an error of this package; never another frame."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

import digime_pandas
from digime_pandas import Receipt
from digime_pandas.errors import DigimeError

from .bodies import FORMATS, body
from .cases import PAGE, Case, Step, step
from .conftest import World

pytestmark = [
    pytest.mark.slow,
    # Of files whose description cannot be read.
    pytest.mark.filterwarnings("ignore::digime_pandas.errors.DigimeWarning"),
]

CALLS: list[Any] = ["session", "list", "describe", "download"]
# Once: another attempt succeeds.
PASSING: list[dict[str, Any]] = [
    {"status": 503},
    {"status": 429, "retry_after": "soon"},
    {"status": 503, "body": PAGE, "content_type": "text/html"},
    *({how: place} for how in ("cut", "reset") for place in ("answer", "head", "body")),
    {"status": 401, "code": "InvalidToken"},
    {"delay": 0.02},
]
# Always: there is no frame.
LASTING: list[dict[str, Any]] = [
    *({"status": status} for status in (302, 400, 401, 403, 404, 429, 500, 503)),
    {"status": 200},
    {"status": 200, "body": PAGE, "content_type": "text/html"},
    {"status": 200, "body": "[]"},
    {"status": 200, "body": "[" * 100_000},
    {"status": 200, "body": '{"session": {"key": 7}, "status": {"state": 7}, "fileList": {}}'},
    {"status": 200, "body": '{"status": {"state": "pending"}}'},
    {"status": 200, "body": '{"status": {"state": "completed"}, "fileList": [{"name": "../x", "updatedDate": 1e99}]}'},
    {"status": 200, "body": '{"status": {"state": "completed"}, "fileList": [null]}'},
    {"status": 200, "body": b"\xff" * 4000, "headers": {"X-Metadata": "!"}},
    {"reset": "body"},
]


def cases(happenings: list[dict[str, Any]], times: int | None) -> list[Case]:
    # What is described has no body that could break off.
    return [
        Case((Step(call, times, what),))
        for call in CALLS
        for what in happenings
        if not (call == "describe" and "body" in {what.get("cut"), what.get("reset")})
    ]


def written(world: World, format: str) -> pd.DataFrame:
    frame = body("small")
    assert isinstance(frame, pd.DataFrame)
    assert isinstance(world.write(frame, f"rows.{format}"), Receipt)
    return frame


def read(world: World, format: str) -> pd.DataFrame:
    return digime_pandas.read_frame(f"rows.{format}", account_id=world.account_id, client=world.client, timeout=1)


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("protocol", ["import"], indirect=True)
@pytest.mark.parametrize("case", cases(PASSING, 1), indirect=True, ids=str)
def test_a_read_goes_on_after_a_fault(world: World, case: Case, protocol: str, format: str) -> None:
    frame = written(world, format)
    [fault] = world.arrange(case)
    pd.testing.assert_frame_equal(read(world, format), frame)
    assert fault.hits == 1


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("protocol", ["import"], indirect=True)
@pytest.mark.parametrize("case", cases(LASTING, None), indirect=True, ids=str)
def test_a_read_that_cannot_be_ends_in_an_error_of_this_package(
    world: World, case: Case, protocol: str, format: str
) -> None:
    frame = written(world, format)
    [fault] = world.arrange(case)
    with pytest.raises(DigimeError):
        read(world, format)
    assert fault.hits > 0
    world.sandbox.heal()
    pd.testing.assert_frame_equal(read(world, format), frame)


BOMBS = [Case((step(call, None, encoding="br", bomb=1 << 30),)) for call in CALLS[:2]]


@pytest.mark.parametrize("protocol", ["import"], indirect=True)
@pytest.mark.parametrize("case", BOMBS, indirect=True, ids=str)
def test_a_bomb_is_no_answer(world: World, case: Case, protocol: str) -> None:
    written(world, "csv")
    world.arrange(case)
    with pytest.raises(DigimeError):
        read(world, "csv")


@pytest.mark.parametrize("protocol", ["import"], indirect=True)
@pytest.mark.parametrize("case", [Case((step("session", None, ignore_scope=True),))], indirect=True, ids=str)
def test_a_scope_that_is_ignored_changes_nothing(world: World, case: Case, protocol: str) -> None:
    frame = written(world, "csv")
    assert isinstance(world.write(body("small"), "other.csv"), Receipt)
    world.arrange(case)
    pd.testing.assert_frame_equal(read(world, "csv"), frame)
