from __future__ import annotations

from collections.abc import Iterator

import pytest

from digime_pandas.sandbox import Sandbox

from .wire import Consent, Wire


@pytest.fixture(scope="package")
def wire() -> Iterator[Wire]:
    """One sandbox for all tests that do not need one of their own; each test brings its own person."""
    with Sandbox() as sandbox:
        wire = Wire(sandbox)
        yield wire
        wire.http.close()


@pytest.fixture
def person(wire: Wire) -> Consent:
    """Someone who approved writing."""
    return wire.consent()
