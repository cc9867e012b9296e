"""The folder that holds everything a sandbox keeps."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import ExitStack
from pathlib import Path

from filelock import FileLock, Timeout

from digime_pandas.errors import ConfigurationError


def open_data_folder(data_dir: Path | None, resources: ExitStack) -> Path:
    """Make and lock the folder of a sandbox.

    Args:
        data_dir: The folder; created when it does not exist. None: a temporary one.
        resources: Unlocks the folder when it is closed, and removes a temporary one.

    Returns:
        The folder, accessible by its owner alone when it was created here.

    Raises:
        ConfigurationError: Another sandbox uses it.
    """
    if data_dir is None:
        folder = Path(tempfile.mkdtemp(prefix="digime-sandbox-"))
        resources.callback(shutil.rmtree, folder, ignore_errors=True)
        return folder
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    # Not thread-local: the sandbox may be closed by another thread than the one that started it.
    lock = FileLock(data_dir / "lock", thread_local=False)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        raise ConfigurationError(f"data_dir={str(data_dir)!r} is in use by another sandbox. Use another one.") from None
    resources.callback(lock.release)
    return data_dir
