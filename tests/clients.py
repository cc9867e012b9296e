"""Clients of sandboxes."""

from __future__ import annotations

from typing import Any

from digime_pandas._client.client import Client
from digime_pandas._service.oauth.token_store import MemoryTokenStore
from digime_pandas.sandbox import Sandbox


def client_of(sandbox: Sandbox, kind: type[Client] = Client, **options: Any) -> Client:
    """Return a client with both contracts of a sandbox; unless `options` say otherwise, it keeps all in memory."""
    defaults: dict[str, Any] = {
        "contract": sandbox.contract,
        "read_contract": sandbox.read_contract,
        "base_url": sandbox.base_url,
        "onboard_url": sandbox.onboard_url,
        "tokens": MemoryTokenStore(),
    }
    return kind(**(defaults | options))
