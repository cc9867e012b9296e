"""Fault x protocol x format x shape: delivered once, as the reader sees it, or an error that says what is known."""

from __future__ import annotations

import pytest

from digime_pandas import Receipt
from digime_pandas.errors import APIError

from .bodies import FORMATS, SHAPES, body, rows
from .cases import WRITES, Case
from .conftest import World, check, result_of
from .params import params
from .rules import Protocol

pytestmark = pytest.mark.slow

# Where a time-out passes, two formats do: they make no difference on the wire.
QUICK, SLOW = ([case for case in WRITES if case.is_slow is slow] for slow in (False, True))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(
    ("case", "protocol", "format"),
    [*params(QUICK, FORMATS), *params(SLOW, FORMATS[::3])],
    indirect=["case", "protocol"],
)
def test_a_write_through_a_fault(world: World, case: Case, protocol: Protocol, format: str, shape: str) -> None:
    world.arrange(case)
    came = world.write(body(shape), f"rows.{format}")
    check(world, case, protocol, came)
    if isinstance(came, Receipt):
        assert came.rows == rows(shape)
    else:
        assert isinstance(came, APIError)
        world.sandbox.heal()
        again = world.write(body("small"), f"rows.{format}")
        assert result_of(again) == "delivered"
