"""A folder of small files that belong to this user alone: how they are read, replaced and locked."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import mkstemp

from filelock import FileLock, Timeout

from digime_pandas._service.masking.secret import Secret
from digime_pandas.errors import TokenStoreError

_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_IN_MEMORY = "To keep authorizations only as long as this process lives, use tokens=MemoryTokenStore()."


class PrivateFolder:
    """A folder with mode 0700, of files with mode 0600 that are replaced as a whole or not at all.

    Args:
        path: The folder; made when first needed.
        parent: The folder it is in, where that one is made and checked in the same way.

    Methods raise `TokenStoreError` where the folder or a file in it cannot be used; the message says how to go on.
    """

    def __init__(self, path: Path, parent: PrivateFolder | None = None) -> None:
        self.path = path
        self._parent = parent

    def check(self) -> None:
        """Check that the folder, where there is one, is this user's alone."""
        if self._parent is not None:
            self._parent.check()
        try:
            status = self.path.lstat()
        except FileNotFoundError:
            return
        except OSError as error:
            raise self._unusable(error) from error
        if stat.S_ISLNK(status.st_mode):
            raise TokenStoreError(f"{self.path} is a symbolic link. Pass the folder it points to instead.")
        if not stat.S_ISDIR(status.st_mode):
            raise TokenStoreError(f"{self.path} is not a folder. Pass a folder, FileTokenStore('a/folder').")
        if os.name != "posix":
            return  # permissions are lists of their own there, inherited from the user's profile
        if status.st_uid != os.geteuid():
            raise TokenStoreError(f"{self.path} belongs to another user. Pass a folder of your own. {_IN_MEMORY}")
        if status.st_mode & _OTHERS:
            raise TokenStoreError(
                f"{self.path} is open to other users (mode {stat.S_IMODE(status.st_mode):04o}). "
                f"Close it with `chmod 700 '{self.path}'`, or pass a folder that does not exist yet. {_IN_MEMORY}"
            )

    def names(self, suffix: str) -> list[str]:
        """Return the names of the files with a suffix."""
        self.check()
        return [file.name for file in self.path.glob(f"*{suffix}")]

    def read(self, name: str) -> Secret[bytes] | None:
        """Return what a file holds, or None where there is none."""
        self.check()
        try:
            # Windows has no such flag, and its users cannot make links into another's folder by default.
            descriptor = os.open(self.path / name, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0))
            with os.fdopen(descriptor, "rb") as stream:
                return Secret(stream.read())
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._unusable(error) from error

    def replace(self, name: str, content: Secret[bytes]) -> None:
        """Write a file, in place of an older one; it is on the disk when this returns."""
        self._make()
        try:
            self._replace(name, content)
        except OSError as error:
            raise self._unusable(error) from error

    def remove(self, name: str) -> bool:
        """Remove a file; tell whether there was one."""
        try:
            (self.path / name).unlink()
        except FileNotFoundError:
            return False
        except OSError as error:
            raise self._unusable(error) from error
        return True

    @contextmanager
    def lock(self, name: str, timeout: float, late: Callable[[], TokenStoreError]) -> Iterator[None]:
        """Keep other threads and processes out, for at most `timeout` seconds of waiting. Not reentrant.

        Args:
            name: Name of the file that is locked; it stays there.
            timeout: Seconds.
            late: Makes the error for a lock that another one holds for longer.
        """
        self._make()
        lock = FileLock(self.path / name, mode=0o600)
        try:
            lock.acquire(timeout=max(0.0, timeout))
        except Timeout:
            raise late() from None
        except OSError as error:
            raise self._unusable(error) from error
        try:
            yield
        finally:
            lock.release()

    def _make(self) -> None:
        if self._parent is not None:
            self._parent._make()
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        except FileExistsError:
            pass  # not a folder; the check below says so
        except OSError as error:
            raise self._unusable(error) from error
        self.check()

    def _replace(self, name: str, content: Secret[bytes]) -> None:
        descriptor, temporary = mkstemp(dir=self.path, prefix=".new-")  # of mode 0600
        try:
            with os.fdopen(descriptor, "wb") as stream:
                stream.write(content.reveal())
                stream.flush()
                os.fsync(descriptor)
            Path(temporary).replace(self.path / name)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
        _sync_folder(self.path)

    def _unusable(self, error: OSError) -> TokenStoreError:
        return TokenStoreError(
            f"{self.path} cannot be used to keep authorizations ({error.strerror or type(error).__name__}). "
            f"Pass a folder of your own, FileTokenStore('a/folder'). {_IN_MEMORY}"
        )


def _sync_folder(folder: Path) -> None:
    # The new name survives a power cut only when the folder is written too; some file systems cannot do that.
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            with suppress(OSError):
                os.fsync(descriptor)
        finally:
            os.close(descriptor)
