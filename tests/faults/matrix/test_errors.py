"""Fault x protocol: every error of a write says by code, reference, write id and advice what a person needs to know."""

from __future__ import annotations

import re
import uuid
from typing import get_args

import pytest

from digime_pandas import Receipt
from digime_pandas._service.descriptor import WRITE_ID_PREFIX
from digime_pandas.errors import APIError, DigimeError

from .bodies import body
from .cases import REFRESHES, WRITES, Case
from .conftest import World, result_of
from .params import params
from .rules import Protocol, expected

pytestmark = pytest.mark.slow

ENDINGS = {"not sent", "refused", "unknown"}
FAILING = [
    case
    for case in (*WRITES, *REFRESHES)
    if all(expected(case, protocol).results <= ENDINGS for protocol in get_args(Protocol)) and not case.is_slow
]


def error_of(world: World, case: Case) -> DigimeError:
    world.arrange(case)
    came = world.write(body("small"), "rows.csv")
    assert not isinstance(came, Receipt)
    return came


@pytest.mark.parametrize(("case", "protocol"), params(FAILING), indirect=True)
def test_code_status_and_reference_are_the_services(world: World, case: Case, protocol: Protocol) -> None:
    found = error_of(world, case)
    error = found if isinstance(found, APIError) else found.__cause__
    last = case.steps[-1].what
    assert isinstance(error, APIError)
    if "status" in last and last["status"] >= 300:
        assert (error.status, error.code) == (last["status"], last.get("code"))
        assert bool(error.reference) == ("code" in last)


@pytest.mark.parametrize(("case", "protocol"), params(FAILING), indirect=True)
def test_the_outcome_and_the_write_id_are_named(world: World, case: Case, protocol: Protocol) -> None:
    error = error_of(world, case)
    assert result_of(error) in ENDINGS
    write_id = getattr(error, "write_id", None)
    assert write_id is not None
    assert uuid.UUID(write_id.removeprefix(WRITE_ID_PREFIX)).version == 4
    assert {file.descriptor["reference"][1] for file in world.stored()} <= {write_id}


@pytest.mark.parametrize(("case", "protocol"), params(FAILING), indirect=True)
def test_there_is_advice(world: World, case: Case, protocol: Protocol) -> None:
    # What happened, and then at least one sentence about what to do.
    assert re.search(r"[.)] [A-Z][^.]+\.", str(error_of(world, case)))


def test_errors_of_every_kind_are_among_them() -> None:
    found = {result for case in FAILING for result in expected(case, "import").results}
    assert found == ENDINGS
    assert len(FAILING) > 60
