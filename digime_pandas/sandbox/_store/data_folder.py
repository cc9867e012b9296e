"""The folder that holds everything a sandbox keeps."""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import ExitStack, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from digime_pandas.errors import ConfigurationError, in_words

_LOCK_SECONDS = 0.2  # a process that looks whether the folder is in use has the lock for a moment
_HIGHEST_PORT = 65_535


def check_folder(data_dir: object) -> Path | None:
    """Return the folder that was named as `data_dir`, or None where none was.

    Raises:
        ConfigurationError: It is no path.
    """
    if data_dir is None:
        return None
    if not isinstance(data_dir, str | os.PathLike) or not os.fspath(data_dir):
        raise ConfigurationError(f"data_dir is {in_words(data_dir)}.", remedy="Pass the path of a folder.")
    return Path(os.fsdecode(data_dir)).expanduser()


def check_port(port: object) -> int:
    """Return the number of a TCP port.

    Raises:
        ConfigurationError: It is none.
    """
    if not isinstance(port, int) or isinstance(port, bool) or not 0 <= port <= _HIGHEST_PORT:
        raise ConfigurationError(
            f"port is {in_words(port)}.",
            remedy="Pass a whole number up to 65535, or 0 for a free port.",
            command="Give --port a whole number up to 65535, or leave it out for a free port.",
        )
    return port


class FolderInUseError(ConfigurationError):
    """Another sandbox, in this process or another one, uses a folder."""


def open_data_folder(data_dir: Path | None, resources: ExitStack) -> Path:
    """Make and lock the folder of a sandbox.

    Args:
        data_dir: The folder; created when it does not exist. None: a temporary one.
        resources: Unlocks the folder when it is closed, and removes a temporary one.

    Returns:
        The folder, accessible by its owner alone when it was created here.

    Raises:
        FolderInUseError: Another sandbox uses it.
        ConfigurationError: It cannot be made or written.
    """
    if data_dir is None:
        folder = Path(tempfile.mkdtemp(prefix="digime-sandbox-"))
        resources.callback(shutil.rmtree, folder, ignore_errors=True)
        return folder
    # Not thread-local: the sandbox may be closed by another thread than the one that started it.
    lock = FileLock(data_dir / "lock", thread_local=False)
    try:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock.acquire(timeout=_LOCK_SECONDS)
    except Timeout:
        raise FolderInUseError(
            f"data_dir={str(data_dir)!r} is in use by another sandbox.",
            remedy="Use another one; or connect('sandbox', data_dir=...), which shares that sandbox.",
            command="Use another --data-dir; or the variables that the other sandbox printed.",
        ) from None
    except OSError as error:
        raise ConfigurationError(f"data_dir={str(data_dir)!r} cannot be used: {error.strerror or error}.") from error
    resources.callback(lock.release)
    return data_dir


def is_folder_in_use(data_dir: Path) -> bool:
    """Return whether a sandbox, of this process or another one, uses a folder."""
    try:
        with FileLock(data_dir / "lock", thread_local=False).acquire(blocking=False):
            return False
    except Timeout:
        return True
    except OSError:  # the folder is gone
        return False


def kept_port(data_dir: Path | None) -> int:
    """Return the port at which a sandbox of this folder was served last; 0 where there is none."""
    with suppress(OSError, ValueError):
        port = 0 if data_dir is None else int(_port_file(data_dir).read_text(encoding="ascii"))
        return port if 0 < port <= _HIGHEST_PORT else 0
    return 0


def keep_port(data_dir: Path | None, port: int) -> None:
    """Note at which port a sandbox of this folder is served, for those after it and for other processes."""
    if data_dir is not None and kept_port(data_dir) != port:
        new = _port_file(data_dir).with_suffix(".new")
        new.write_text(f"{port}\n", encoding="ascii")
        new.replace(_port_file(data_dir))


def _port_file(data_dir: Path) -> Path:
    return data_dir / "port"
