"""The default client, which accessor and functions use where none is passed.

Each context (a thread, an asyncio task) that called `connect` has its own, so that the sessions of one process stay
separate, and the process has one: that of the latest `connect`. A context that did not connect uses the process's,
since a notebook's cell may run in another context than the cell before.
"""

from __future__ import annotations

import importlib
import inspect
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from digime_pandas._client.client import Client
from digime_pandas._client.sandboxes.presence import absence_of, absence_of_configured
from digime_pandas._service.contract import Contract
from digime_pandas._service.http.service_url import check_base_url
from digime_pandas._service.oauth.token_store import MemoryTokenStore
from digime_pandas.errors import ConfigurationError, DigimeWarning, OptionError, in_words, warn
from digime_pandas.errors.calls.explained import advice_for, explains_calls
from digime_pandas.errors.names import did_you_mean

_lock = threading.RLock()
_default: Client | None = None
_context_default: ContextVar[Client | None] = ContextVar("digime_default_client", default=None)
# The embedded sandbox ends with this process, so the authorizations for it are kept in memory only.
_sandbox: Any = None
_sandbox_tokens = MemoryTokenStore()
# Those that have a folder, by it.
_kept: dict[Path, Any] = {}


@explains_calls(kind=OptionError)
def connect(
    target: str | Contract | None = None,
    *,
    read_contract: Contract | None = None,
    data_dir: str | os.PathLike[str] | None = None,
    **options: Any,
) -> Client:
    """Make a client, and make it the default one: of this thread or task, and of the process.

    A thread or asyncio task that connected always uses the client it connected; one that did not uses the latest
    client of the process, which is what a notebook or script needs. In an application that serves several sessions,
    pass ``client=`` to every call: then no session can use the client of another.

    Args:
        target: ``"sandbox"``: the embedded sandbox, started in this process at the first call, with its two
            contracts and no account needed. A `Contract`: that contract at digi.me. None: the contract of the
            environment variables ``DIGIME_APPLICATION_ID``, ``DIGIME_CONTRACT_ID``, ``DIGIME_PRIVATE_KEY`` or
            ``DIGIME_PRIVATE_KEY_FILE`` and ``DIGIME_REDIRECT_URI``, the read contract of the same names with
            ``DIGIME_READ_``, at ``DIGIME_BASE_URL`` and ``DIGIME_ONBOARD_URL`` where those are set.
        read_contract: The contract for reading back.
        data_dir: For ``"sandbox"``: a folder in which the sandbox keeps its keys, people, files and port, so that it
            is the same one after this process. Processes that pass the same folder share the sandbox of the first one,
            which serves it while it runs, and authorizations, which are then kept as those of the service are.
        options: As for `Client`: ``tokens``, ``timeout``, ``deadline``, ``max_attempts``, ``base_url``, ``journal`` and
            so on.

    Returns:
        The client. Its attribute `sandbox` is the embedded `Sandbox`, or None.

    Raises:
        ConfigurationError: Nothing is configured, an option cannot be used, or the sandbox is not installed.

    Warns:
        DigimeWarning: The process had a default client of another contract or environment, which is replaced.
    """
    _check_options(options)
    if data_dir is not None and not (isinstance(target, str) and target == "sandbox"):
        raise ConfigurationError("data_dir is the folder of a sandbox: pass it with connect('sandbox', data_dir=...).")
    if target is None:
        client = _from_environment(read_contract, options)
    elif isinstance(target, Contract):
        client = Client(target, read_contract=read_contract, **options)
    elif isinstance(target, str) and target == "sandbox":
        sandbox, defaults = _own_sandbox() if data_dir is None else _shared_sandbox(data_dir)
        client = _in_sandbox(sandbox, read_contract, defaults | options)
    else:
        near = did_you_mean(target, ["sandbox"]) if isinstance(target, str) else ""
        raise ConfigurationError(
            f"target is {in_words(target)}.",
            remedy=f"{near} Pass 'sandbox', a Contract, or nothing to use DIGIME_*.".lstrip(),
        )
    _set_default(client)
    return client


@contextmanager
def temporary_default(sandbox: Any, **options: Any) -> Iterator[Client]:
    """Make a client of a sandbox the default one for as long as a block takes; the fixtures of pytest use it.

    At the end the client is closed, and the default is what it was before, whatever connected in between.

    Args:
        sandbox: A `Sandbox` that runs.
        options: As for `Client`.
    """
    global _default  # noqa: PLW0603 - the process's default
    own, before = _context_default.get(), _default
    with _in_sandbox(sandbox, None, options) as client:
        try:
            _context_default.set(client)
            _default = client
            yield client
        finally:
            _context_default.set(own)
            _default = before


def _check_options(options: dict[str, Any]) -> None:
    names = dict.fromkeys([*inspect.signature(connect).parameters, *inspect.signature(Client).parameters])
    for name in options.keys() - names.keys():
        known = [each for each in names if each not in {"target", "options", "contract"}]
        remedy = advice_for(name, known) or f"Options are {', '.join(known)}."
        raise OptionError(f"connect() got an unexpected keyword argument {name!r}.", remedy=remedy)


def current_client(client: Client | None = None) -> Client:
    """Return the client to use: the one passed, else the default of this context, else the process's.

    Where there is none at all, one is made from the environment and becomes the process's default. Call this in the
    thread of the user's own call: threads of this package have contexts of their own.

    Raises:
        ConfigurationError: There is none; the message says how to get one.
    """
    global _default  # noqa: PLW0603 - the process's default, under the lock
    if client is not None:
        if not isinstance(client, Client):
            raise ConfigurationError(
                f"client is {in_words(client, may_be_secret=True)}.", remedy="Pass what digime.connect() returned."
            )
        return client
    own = _context_default.get()
    if own is not None:
        return own
    with _lock:
        if _default is None:
            _default = _from_environment(None, {})
        return _default


def _set_default(client: Client) -> None:
    global _default
    _context_default.set(client)
    with _lock:
        before, _default = _default, client
    if before is not None and not _is_same_service(before, client):
        warn(
            f"connect() makes {_description(client)} the default of this process, in place of {_description(before)}. "
            "Threads and tasks that have not connected themselves use the new one from now on. In an application that "
            "serves several sessions, pass client= to every call.",
            DigimeWarning,
        )


def _is_same_service(one: Client, other: Client) -> bool:
    if one.sandbox is not None and one.sandbox is other.sandbox:
        return True  # the embedded one, which has another port and other contracts after it was started again
    return _service_of(one) == _service_of(other)


def _service_of(client: Client) -> tuple[str, str, str | None]:
    read = client.read_contract
    return client.base_url, client.contract.client_id, None if read is None else read.client_id


def _description(client: Client) -> str:
    read = client.read_contract
    reads = "no read contract" if read is None else f"read contract {read.contract_id!r}"
    contract = client.contract
    return (
        f"the client of contract {contract.contract_id!r} (application {contract.application_id!r}, {reads}) at "
        f"{client.base_url}"
    )


def _from_environment(read_contract: Contract | None, options: dict[str, Any]) -> Client:
    absence = absence_of_configured()
    try:
        contract = Contract.from_env()
    except ConfigurationError:
        # The keys of a sandbox with a temporary folder are gone with it.
        if absence is not None and (gone := absence()) is not None:
            raise gone from None
        raise
    if read_contract is None and os.environ.get("DIGIME_READ_CONTRACT_ID"):
        read_contract = Contract.from_env("DIGIME_READ_")
    addresses: dict[str, Any] = {
        option: check_base_url(variable, os.environ[variable])
        for option, variable in (("base_url", "DIGIME_BASE_URL"), ("onboard_url", "DIGIME_ONBOARD_URL"))
        if option not in options and os.environ.get(variable)
    }
    client = Client(contract, read_contract=read_contract, **addresses, **options)
    if absence is not None:
        client.absence = absence
    return client


def _in_sandbox(sandbox: Any, read_contract: Contract | None, options: dict[str, Any]) -> Client:
    addresses = {"base_url": sandbox.base_url, "onboard_url": sandbox.onboard_url}
    client = Client(sandbox.contract, read_contract=read_contract or sandbox.read_contract, **(addresses | options))
    client.sandbox = sandbox
    client.absence = absence_of(sandbox)
    return client


def _own_sandbox() -> tuple[Any, dict[str, Any]]:
    """Return the embedded sandbox, which runs, and options of its clients."""
    global _sandbox  # noqa: PLW0603 - one sandbox per process, under the lock
    with _lock:
        if _sandbox is None:
            # By name: the server is an optional part, and nothing of it is loaded before it is used.
            _sandbox = importlib.import_module("digime_pandas.sandbox").Sandbox()
        _sandbox.start()  # a running one is not changed, a closed one starts again
        return _sandbox, {"tokens": _sandbox_tokens}


def _shared_sandbox(data_dir: str | os.PathLike[str]) -> tuple[Any, dict[str, Any]]:
    """Return the sandbox of a folder, which runs, here or in another process, and options of its clients."""
    if not isinstance(data_dir, str | os.PathLike) or not os.fspath(data_dir):
        raise ConfigurationError(f"data_dir is {in_words(data_dir)}.", remedy="Pass the path of a folder.")
    folder = Path(data_dir).expanduser().resolve()
    with _lock:
        found = _kept.get(folder)
        if found is None or not found.is_running:
            found = importlib.import_module("digime_pandas.sandbox").shared_sandbox(folder)
            _kept[folder] = found
        return found, {}


def _renew_lock() -> None:
    global _lock  # noqa: PLW0603 - in a process that was just forked, which has this one thread only
    _lock = threading.RLock()


# A thread that held the lock while the process was forked is not there in the new process to release it.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_lock)
