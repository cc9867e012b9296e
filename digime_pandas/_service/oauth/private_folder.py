"""A folder of small files that belong to this user alone: how they are read, replaced and locked."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from digime_pandas._service.masking.secret import Secret
from digime_pandas._service.oauth.files.checks import IN_MEMORY, check_file, check_folder, check_parents
from digime_pandas._service.oauth.files.new_files import NewFile, new_file, sweep
from digime_pandas.errors import TokenStoreError

_MOST_BYTES = 1 << 20  # of a file; what this package writes has a few thousand
_ENTRIES_PER_SWEEP = 100
# Without waiting for the other end of a pipe. Windows has no such flags, and its users cannot make links into another's
# folder by default.
_READING = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)

Put = Callable[[Secret[bytes]], None]


class NoRoomError(TokenStoreError):
    """There is no room for what is to be stored. Raised before that is asked for."""


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
        self._files_until_sweep = 0
        self._is_safe = False  # whether the folders that it is in were found to be in order

    def check(self) -> None:
        """Check that the folder, where there is one, is this user's alone."""
        try:
            if self._parent is not None:
                self._parent.check()
            elif not self._is_safe:
                # Not at each read, of which there may be thousands a second.
                check_parents(self.path)
                self._is_safe = True
            check_folder(self.path)
        except TokenStoreError:
            raise
        except OSError as error:
            raise self._unusable(error) from error

    def sweep(self) -> None:
        """Remove what writers left that were killed."""
        # As often as it costs little beside what is written.
        self._files_until_sweep = sweep(self.path) // _ENTRIES_PER_SWEEP

    def names(self, suffix: str) -> list[str]:
        """Return the names of the files with a suffix."""
        self.check()
        self.sweep()
        try:
            return [file.name for file in self.path.iterdir() if file.name.endswith(suffix)]
        except FileNotFoundError:
            return []
        except OSError as error:
            raise self._unusable(error) from error

    def read(self, name: str) -> Secret[bytes] | None:
        """Return what a file holds, or None where there is none."""
        self.check()
        path = self.path / name
        try:
            check_file(path, path.lstat())  # before it is opened, which is an act of its own with some devices
            with os.fdopen(os.open(path, _READING), "rb") as stream:
                check_file(path, os.fstat(stream.fileno()))
                content = Secret(stream.read(_MOST_BYTES + 1))
        except FileNotFoundError:
            return None
        except TokenStoreError:
            raise
        except OSError as error:
            raise self._unusable(error) from error
        if len(content.reveal()) > _MOST_BYTES:
            raise TokenStoreError(f"{path} is too large to be one of these files. Delete it, then authorize again.")
        return content

    def replace(self, name: str, content: Secret[bytes]) -> None:
        """Write a file, in place of an older one; it is on the disk when this returns."""
        with self.reserve(name, 0) as put:
            put(content)

    @contextmanager
    def reserve(self, name: str, size: int) -> Iterator[Put]:
        """Take the room that a file needs on the disk, before there is what it is to hold.

        Args:
            name: Name of the file.
            size: Bytes to reserve.

        Yields:
            A function that writes the file, in place of an older one; it is on the disk when that returns. Of more
            bytes than were reserved it may fail.

        Raises:
            NoRoomError: There are not so many.
        """
        self._make()
        self._files_until_sweep -= 1
        if self._files_until_sweep < 0:
            self.sweep()
        with ExitStack() as made:
            # What the block raises is not about the file, also where it is an `OSError`.
            yield self._putting(self._reserved(name, size, made), name)

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
        from filelock import FileLock, Timeout  # here, because it takes long to load and not every store locks

        self._make()
        path = self.path / name
        lock = FileLock(path, mode=0o600)
        try:
            with suppress(FileNotFoundError):
                check_file(path, path.lstat())
            lock.acquire(timeout=max(0.0, timeout))
        except Timeout:
            raise late() from None
        except TokenStoreError:
            raise
        except OSError as error:
            raise self._unusable(error) from error
        try:
            yield
        finally:
            lock.release()

    def _make(self) -> None:
        if self._parent is not None:
            self._parent._make()
        self._is_safe = False
        self.check()
        try:
            # Each of mode 0700, also those it is in: the mode of `mkdir(parents=True)` is for the last one alone.
            for folder in reversed((self.path, *self.path.parents)):
                if not folder.exists():
                    folder.mkdir(mode=0o700, exist_ok=True)
        except FileExistsError:
            pass  # not a folder; the check below says so
        except OSError as error:
            raise self._unusable(error) from error
        self.check()

    def _reserved(self, name: str, size: int, made: ExitStack) -> NewFile:
        path = self.path / name
        try:
            with suppress(FileNotFoundError):
                check_file(path, path.lstat())
            file = made.enter_context(new_file(self.path))
            if size:
                file.reserve(size)
        except TokenStoreError:
            raise
        except OSError as error:
            raise NoRoomError(*self._unusable(error).args) from error
        return file

    def _putting(self, file: NewFile, name: str) -> Put:
        def put(content: Secret[bytes]) -> None:
            try:
                file.put(name, content)
            except OSError as error:
                raise self._unusable(error) from error

        return put

    def _unusable(self, error: OSError) -> TokenStoreError:
        return TokenStoreError(
            f"{self.path} cannot be used to keep authorizations ({error.strerror or type(error).__name__}).",
            remedy=f"Pass a folder of your own, FileTokenStore('a/folder'). {IN_MEMORY}",
            command="Make that folder one that this user can write to.",
        )
