"""A sandbox whose folder several processes share: the first one serves it, the others find it there."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from digime_pandas._service.contract import Contract
from digime_pandas.errors import ConfigurationError, UnknownNameError
from digime_pandas.sandbox._browser import SandboxAddress, origin_of
from digime_pandas.sandbox._sandbox import Sandbox
from digime_pandas.sandbox._server import is_listening
from digime_pandas.sandbox._setup import contracts_of
from digime_pandas.sandbox._store.data_folder import FolderInUseError, is_folder_in_use, kept_port

_START_SECONDS = 15.0  # that another process may take from using the folder to answering
_LOOK_SECONDS = 0.05
_OWN = frozenset(name for name in dir(Sandbox) if not name.startswith("_"))


class SandboxElsewhere(SandboxAddress):
    """A sandbox that another process serves.

    Args:
        data_dir: Its folder.
        port: Where it is served.
    """

    def __init__(self, data_dir: Path, port: int) -> None:
        self.data_dir = data_dir
        self._port = port
        self._contract, self._read_contract = contracts_of(data_dir)

    @property
    def contract(self) -> Contract:
        """The contract that writes."""
        return self._contract

    @property
    def read_contract(self) -> Contract:
        """The contract that reads."""
        return self._read_contract

    @property
    def origin(self) -> str:
        """Scheme, host and port, such as ``http://127.0.0.1:45439``."""
        return origin_of(self._port)

    @property
    def is_running(self) -> bool:
        """Whether it answers, or another process has its folder."""
        return is_folder_in_use(self.data_dir) or is_listening(self._port)

    def close(self) -> None:
        """Do nothing: the process that serves it ends it."""

    def __repr__(self) -> str:
        return f"<Sandbox {self.base_url} of another process>"

    def __getattr__(self, name: str) -> Any:
        if name in _OWN:
            raise UnknownNameError(
                f"The sandbox at {self.origin} is served by another process, and `{name}` is for that one alone. Here, "
                f"use it through a client; {self.origin}/ shows its people and their files."
            )
        raise UnknownNameError(f"A sandbox has no attribute {name!r}.")


def shared_sandbox(
    data_dir: str | os.PathLike[str],
    *,
    sleep: Callable[[float], object] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> Sandbox | SandboxElsewhere:
    """Return the sandbox of a folder: the one that runs, else one that is started here.

    Args:
        data_dir: The folder; see `Sandbox`.
        sleep: Waits so many seconds.
        clock: Returns the time in seconds.

    Raises:
        ConfigurationError: It cannot be started; or a process uses the folder, and does not answer.
    """
    folder = Path(data_dir).expanduser().resolve()
    end = clock() + _START_SECONDS
    while True:
        try:
            return Sandbox(folder).start()
        except FolderInUseError:
            port = kept_port(folder)
            if port and is_listening(port):
                return SandboxElsewhere(folder, port)
        if clock() > end:
            raise ConfigurationError(
                f"data_dir={str(folder)!r} is in use by a process whose sandbox does not answer. End that process."
            )
        sleep(_LOOK_SECONDS)
