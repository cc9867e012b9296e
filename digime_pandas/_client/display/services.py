"""Texts about the service of a client, and about where it keeps authorizations."""

from __future__ import annotations

from typing import Any, Protocol
from urllib.parse import urlsplit

from digime_pandas._service.http.environment import is_loopback_url
from digime_pandas._service.oauth.token_store import MemoryTokenStore, TokenStore


class OfService(Protocol):
    """What is known of a client here: its `base_url`, the embedded `sandbox` or None, and its store of `tokens`."""

    base_url: str
    sandbox: Any
    tokens: TokenStore


def describe_environment(client: OfService) -> str:
    """Return a text that names the service of a client."""
    host = urlsplit(client.base_url).netloc
    if client.sandbox is not None:
        return f"the embedded sandbox ({host}; nothing leaves this computer)"
    if is_loopback_url(client.base_url):
        return f"a service on this computer ({host})"
    return f"digi.me ({host})" if host.endswith(".digi.me") else host


def describe_token_store(client: OfService) -> str:
    """Return a text that names where a client keeps authorizations."""
    if isinstance(client.tokens, MemoryTokenStore):
        return "the memory of this process, and gone with it"
    path = getattr(client.tokens, "path", None)
    return f"the folder {path}" if path is not None else f"a store of your own ({type(client.tokens).__name__})"
