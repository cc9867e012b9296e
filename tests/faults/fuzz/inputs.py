"""What others may send in place of what is expected."""

from __future__ import annotations

import os
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

EXAMPLES = int(os.environ.get("DIGIME_TEST_EXAMPLES", "200"))
_LONG_RUN = 1_000  # from so many on, each run tries other inputs


def bounded(share: int) -> settings:
    """Settings for a test of one in `share` of the examples of others: what one of its examples does is slow."""
    return settings(
        max_examples=max(5, EXAMPLES // share),
        deadline=None,
        derandomize=EXAMPLES < _LONG_RUN,
        database=None,
        suppress_health_check=list(HealthCheck),
    )


many = bounded(1)
few = bounded(4)

HUGE = 10**400
TEXTS = st.one_of(
    st.text(max_size=30),
    st.text(st.characters(categories=("Cc", "Cf", "Cs", "Zl")), max_size=8),
    st.sampled_from(["", "\x00", "\ud800", "\x1b[2J", "\u202etxt", "a" * 5_000, "../../etc", "<script>", "9" * 5_000]),
)
NUMBERS = st.one_of(
    st.integers(-(2**70), 2**70), st.floats(), st.sampled_from([HUGE, -1, 0, 2**53, 1e308, True, 253_402_300_800_000])
)


def json_values(names: list[str]) -> st.SearchStrategy[Any]:
    """Values of JSON, the objects of which have names that are known and others."""
    keys = st.sampled_from(names) | TEXTS
    return st.recursive(
        st.none() | st.booleans() | NUMBERS | TEXTS,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=5),
        max_leaves=12,
    )


def like(good: Any, names: list[str]) -> st.SearchStrategy[Any]:
    """A good value, any part of which may be another value."""
    other = json_values(names)
    if isinstance(good, dict):
        members = st.fixed_dictionaries({}, optional={name: like(value, names) for name, value in good.items()})
        whole = st.fixed_dictionaries({name: like(value, names) for name, value in good.items()})
        return st.one_of(whole, whole, members, other)
    if isinstance(good, list):
        return st.one_of(st.lists(like(good[0], names), max_size=3) if good else other, other)
    return st.one_of(st.just(good), st.just(good), st.just(good), other)
