"""Files that are written beside their place and then put there as a whole.

Each is locked for as long as its writer lives. So one that a killed process left is known by its lock, which the
operating system has released, and is removed with the secrets in it.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import mkstemp

from digime_pandas._service.masking.secret import Secret

try:
    import fcntl
except ImportError:  # Windows, where a file that is open cannot be removed
    fcntl = None  # type: ignore[assignment] # looked at before each use

_PREFIX = ".new-"
_POSIX = os.name == "posix"
# What file systems answer that cannot reserve.
_CANNOT_RESERVE = {errno.EINVAL, errno.EOPNOTSUPP, errno.ENOSYS}


class NewFile:
    """A file of mode 0600 that has no place yet; see `new_file`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._descriptor, self._path = _made(folder)
        self._is_open = True

    def reserve(self, size: int) -> None:
        """Take so many bytes of the disk, so that it can be full later.

        Raises:
            OSError: There are not so many.
        """
        try:
            os.posix_fallocate(self._descriptor, 0, size)
        except AttributeError:
            self._fill(size)
        except OSError as error:
            if error.errno not in _CANNOT_RESERVE:
                raise
            self._fill(size)
        os.fsync(self._descriptor)

    def put(self, name: str, content: Secret[bytes]) -> None:
        """Write the content and put the file under a name, in place of an older one; it is on the disk then."""
        os.lseek(self._descriptor, 0, os.SEEK_SET)
        self._write(content)
        os.ftruncate(self._descriptor, len(content.reveal()))
        os.fsync(self._descriptor)
        if not _POSIX:
            self._close()  # what is open is not moved there
        self._path.replace(self._folder / name)
        self._close()
        _sync_folder(self._folder)

    def discard(self) -> None:
        """Remove the file, unless it has its place."""
        if self._is_open and _POSIX:  # removed while it is locked
            self._path.unlink(missing_ok=True)
        self._close()
        self._path.unlink(missing_ok=True)

    def _fill(self, size: int) -> None:
        os.lseek(self._descriptor, 0, os.SEEK_SET)
        self._write(Secret(bytes(size)))

    def _write(self, content: Secret[bytes]) -> None:
        written = 0
        while written < len(content.reveal()):
            written += os.write(self._descriptor, content.reveal()[written:])

    def _close(self) -> None:
        if self._is_open:
            self._is_open = False
            os.close(self._descriptor)


@contextmanager
def new_file(folder: Path) -> Iterator[NewFile]:
    """Make a file in a folder; what was not put under a name is removed at the end of the block.

    Raises:
        OSError: It cannot be made.
    """
    file = NewFile(folder)
    try:
        yield file
    finally:
        with suppress(OSError):
            file.discard()


def sweep(folder: Path) -> int:
    """Remove the files of writers that are gone; return how many entries the folder has."""
    count = 0
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            count += 1
            if entry.name.startswith(_PREFIX):
                with suppress(OSError):
                    _remove_orphan(Path(entry.path))
    return count


def _made(folder: Path) -> tuple[int, Path]:
    while True:
        descriptor, path = mkstemp(dir=folder, prefix=_PREFIX)
        if fcntl is None:
            return descriptor, Path(path)
        with suppress(OSError):  # a file system without locks
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        if os.fstat(descriptor).st_nlink:
            return descriptor, Path(path)
        os.close(descriptor)  # swept before it was locked


def _remove_orphan(path: Path) -> None:
    if fcntl is None:
        path.unlink()
        return
    descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        path.unlink()  # before the lock is released, so that a writer that waits for it sees that the file is gone
    finally:
        os.close(descriptor)


def _sync_folder(folder: Path) -> None:
    # The new name survives a power cut only when the folder is written too; some file systems cannot do that.
    if _POSIX:
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            with suppress(OSError):
                os.fsync(descriptor)
        finally:
            os.close(descriptor)
