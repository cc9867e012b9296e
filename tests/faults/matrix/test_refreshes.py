"""Tokens that ended x fault of the refresh: what is known of the file, and the tokens on disk live on."""

from __future__ import annotations

import pytest

from digime_pandas import Receipt

from .bodies import body
from .cases import REFRESHES, Case
from .conftest import World, check, result_of
from .params import params
from .rules import Protocol, expected

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(("case", "protocol"), params(REFRESHES), indirect=True)
def test_a_write_through_a_faulty_refresh(world: World, case: Case, protocol: Protocol) -> None:
    world.arrange(case)
    came = world.write(body("small"), "rows.csv")
    check(world, case, protocol, came)


@pytest.mark.parametrize(("case", "protocol"), params(REFRESHES), indirect=True)
def test_consent_outlives_a_faulty_refresh(world: World, case: Case, protocol: Protocol) -> None:
    world.arrange(case)
    came = world.write(body("small"), "rows.csv")
    world.sandbox.heal()
    again = world.write(body("small"), "rows.csv")
    if expected(case, protocol).alive:
        assert result_of(again) == "delivered", f"{came!r}, then {again!r}"
    else:
        # Consent can be given anew at any time.
        world.sandbox.approve_all([world.account_id], tokens=world.client.tokens)
        assert isinstance(world.write(body("small"), "rows.csv"), Receipt)
