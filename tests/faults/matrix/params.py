"""The cases of the matrix as parameters of tests."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import get_args

import pytest
from _pytest.mark import ParameterSet

from .cases import Case
from .rules import Protocol


def params(cases: Iterable[Case], formats: Sequence[str] = ()) -> list[ParameterSet]:
    """Return cases under each protocol, and in each format, as parameters."""
    written: list[tuple[str, ...]] = [(name,) for name in formats] or [()]
    return [
        pytest.param(case, protocol, *each, id=" ".join([protocol, *each, f"- {case}"]))
        for case in cases
        for protocol in get_args(Protocol)
        for each in written
    ]
