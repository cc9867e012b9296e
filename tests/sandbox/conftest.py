from __future__ import annotations

from collections.abc import Iterator

import pytest

from digime_pandas.sandbox import Sandbox

from .endpoints.protocol_client import NOW, Consent, ProtocolClient


@pytest.fixture(scope="package")
def api() -> Iterator[ProtocolClient]:
    """One sandbox for all tests that do not need one of their own; each test brings its own person."""
    with Sandbox(clock=lambda: NOW) as sandbox:
        api = ProtocolClient(sandbox, clock=lambda: NOW)
        yield api
        api.http.close()


@pytest.fixture
def api_of_its_own() -> Iterator[ProtocolClient]:
    """A sandbox without people."""
    with Sandbox() as sandbox:
        api = ProtocolClient(sandbox)
        yield api
        api.http.close()


@pytest.fixture
def person(api: ProtocolClient) -> Consent:
    """Someone who approved writing."""
    return api.consent()
