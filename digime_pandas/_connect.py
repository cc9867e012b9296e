"""The default client, which accessor and functions use where none is passed."""

from __future__ import annotations

import importlib
import os
import threading
from typing import Any

from digime_pandas._client import BASE_URL, ONBOARD_URL, Client
from digime_pandas._contract import Contract
from digime_pandas._token_store import MemoryTokenStore
from digime_pandas.errors import ConfigurationError

_lock = threading.RLock()
_default: Client | None = None
# The embedded sandbox forgets with its process, so the consents given to it are kept in memory beside it.
_sandbox: Any = None
_sandbox_tokens = MemoryTokenStore()


def connect(target: str | Contract | None = None, *, read_contract: Contract | None = None, **options: Any) -> Client:
    """Make a client, and make it the default one.

    Args:
        target: ``"sandbox"``: the embedded sandbox, started in this process at the first call, with its two
            contracts and no account needed. A `Contract`: that contract at digi.me. None: the contract of the
            environment variables ``DIGIME_APPLICATION_ID``, ``DIGIME_CONTRACT_ID``, ``DIGIME_PRIVATE_KEY`` or
            ``DIGIME_PRIVATE_KEY_FILE`` and ``DIGIME_REDIRECT_URI``, the read contract of the same names with
            ``DIGIME_READ_``, at ``DIGIME_BASE_URL`` and ``DIGIME_ONBOARD_URL`` where those are set.
        read_contract: The contract for reading back.
        options: As for `Client`: ``tokens``, ``timeout``, ``deadline``, ``max_attempts``, ``base_url`` and so on.

    Returns:
        The client. Its attribute `sandbox` is the embedded `Sandbox`, or None.

    Raises:
        ConfigurationError: Nothing is configured, an option cannot be used, or the sandbox is not installed.
    """
    if target is None:
        client = _from_environment(read_contract, options)
    elif isinstance(target, Contract):
        client = Client(target, read_contract=read_contract, **options)
    elif target == "sandbox":
        client = _in_sandbox(read_contract, options)
    else:
        shown = repr(target) if isinstance(target, str) else f"a {type(target).__name__}"
        raise ConfigurationError(f"target is {shown}; pass 'sandbox', a Contract, or nothing to use DIGIME_*.")
    return _set_default(client)


def current_client(client: Client | None = None) -> Client:
    """Return the client to use: the one passed, else the default one, else one made from the environment.

    Raises:
        ConfigurationError: There is none; the message says how to get one.
    """
    if client is not None:
        if not isinstance(client, Client):
            raise ConfigurationError(f"client is a {type(client).__name__}; pass what digime.connect() returned.")
        return client
    with _lock:
        return _default if _default is not None else connect()


def _set_default(client: Client) -> Client:
    global _default  # noqa: PLW0603 - the one module-level value this package keeps, under its lock
    with _lock:
        _default = client
    return client


def _from_environment(read_contract: Contract | None, options: dict[str, Any]) -> Client:
    contract = Contract.from_env()
    if read_contract is None and os.environ.get("DIGIME_READ_CONTRACT_ID"):
        read_contract = Contract.from_env("DIGIME_READ_")
    addresses = {
        "base_url": os.environ.get("DIGIME_BASE_URL") or BASE_URL,
        "onboard_url": os.environ.get("DIGIME_ONBOARD_URL") or ONBOARD_URL,
    }
    return Client(contract, read_contract=read_contract, **(addresses | options))


def _in_sandbox(read_contract: Contract | None, options: dict[str, Any]) -> Client:
    global _sandbox  # noqa: PLW0603 - one sandbox a process, under the lock
    with _lock:
        if _sandbox is None:
            # By name: the server is an optional part, and nothing of it is loaded before it is asked for.
            _sandbox = importlib.import_module("digime_pandas.sandbox").Sandbox()
        _sandbox.start()  # one that runs stays as it is, one that was closed begins anew
    defaults = {"tokens": _sandbox_tokens, "base_url": _sandbox.base_url, "onboard_url": _sandbox.onboard_url}
    client = Client(_sandbox.contract, read_contract=read_contract or _sandbox.read_contract, **(defaults | options))
    client.sandbox = _sandbox
    return client
