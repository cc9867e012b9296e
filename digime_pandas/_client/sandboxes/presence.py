"""Tells whether a sandbox is there, and how to start it where it is not, instead of trying again and again."""

from __future__ import annotations

import os
import shlex
import socket
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import urlsplit

from digime_pandas._service.http.environment import is_loopback_url
from digime_pandas.errors import ServiceUnreachableError

Absence: TypeAlias = Callable[[], ServiceUnreachableError | None]
"""Returns why there is no service, where that is known."""

_CONNECT_SECONDS = 2.0
_KEY_VARIABLE, _URL_VARIABLE = "DIGIME_PRIVATE_KEY_FILE", "DIGIME_BASE_URL"


def absence_of(sandbox: Any) -> Absence:
    """Return what tells of a `Sandbox`, of this process or another one, that it has ended."""
    base_url = sandbox.base_url
    return partial(_absence, base_url, sandbox.data_dir, lambda: sandbox.is_running or _is_listening(base_url))


def absence_of_configured(environment: Mapping[str, str] = os.environ) -> Absence | None:
    """Return what tells of the sandbox that the ``DIGIME_*`` variables lead to that it has ended.

    None where they lead elsewhere: the command ``sandbox`` prints variables that name keys in its folder.
    """
    base_url, key = environment.get(_URL_VARIABLE, ""), environment.get(_KEY_VARIABLE, "")
    if not key or not _is_local(base_url):
        return None
    folder = Path(key).expanduser().parent.parent
    if not Path(key).expanduser().exists():  # of a temporary folder, which ended with its sandbox
        return partial(_absence, base_url, None, lambda: _is_listening(base_url))
    if not (folder / "lock").exists():
        return None
    return partial(_absence, base_url, folder, lambda: _is_locked(folder) or _is_listening(base_url))


def _absence(base_url: str, data_dir: Path | None, is_there: Callable[[], bool]) -> ServiceUnreachableError | None:
    if is_there():
        return None
    parts = urlsplit(base_url)
    folder = "" if data_dir is None else f" --data-dir {shlex.quote(str(data_dir))}"
    call = 'connect("sandbox")' if data_dir is None else f'connect("sandbox", data_dir={str(data_dir)!r})'
    command = f"digime-pandas sandbox{folder}"
    renewed = ", and use what it prints" if data_dir is None else ""
    return ServiceUnreachableError(
        f"No sandbox runs at {parts.scheme}://{parts.netloc} any longer: connections are refused. Nothing was sent.",
        outcome="not sent",
        attempts=0,
        remedy=f"Start it with {call}, or in a terminal: {command}{renewed}.",
        command=f"Start it in another terminal: {command}{renewed}",
    )


def _is_local(base_url: str) -> bool:
    try:
        return base_url.startswith("http://") and is_loopback_url(base_url) and urlsplit(base_url).port is not None
    except ValueError:
        return False


def _is_locked(folder: Path) -> bool:
    path = folder / "lock"
    if not path.exists():  # it would be made
        return False
    from filelock import FileLock, Timeout  # here, because it takes long to load

    try:
        with FileLock(path, thread_local=False).acquire(blocking=False):
            return False
    except (Timeout, OSError):
        return True


def _is_listening(base_url: str) -> bool:
    parts = urlsplit(base_url)
    try:
        socket.create_connection((parts.hostname, parts.port or 80), timeout=_CONNECT_SECONDS).close()
    except OSError:
        return False
    return True
