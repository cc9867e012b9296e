"""What is at a path, and who may change it: looked at before it is opened."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from shlex import quote

from digime_pandas.errors import TokenStoreError

IN_MEMORY = "To keep authorizations only as long as this process lives, use tokens=MemoryTokenStore()."
_POSIX = os.name == "posix"  # elsewhere permissions are lists of their own, inherited from the user's profile
_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_KINDS = (
    (stat.S_ISLNK, "a symbolic link"),
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
)


def check_folder(folder: Path) -> None:
    """Check that a folder, where there is one, is this user's alone.

    Raises:
        TokenStoreError: It is not.
        OSError: It cannot be looked at.
    """
    try:
        status = folder.lstat()
    except FileNotFoundError:
        return
    if stat.S_ISLNK(status.st_mode):
        raise TokenStoreError(f"{folder} is a symbolic link. Pass the folder it points to instead.")
    if not stat.S_ISDIR(status.st_mode):
        raise TokenStoreError(f"{folder} is not a folder. Pass a folder, FileTokenStore('a/folder').")
    if not _POSIX:
        return
    if status.st_uid != os.geteuid():
        raise TokenStoreError(
            f"{folder} belongs to another user.",
            remedy=f"Pass a folder of your own. {IN_MEMORY}",
            command="Let it belong to this user, or run this as the user whose it is.",
        )
    if status.st_mode & _OTHERS:
        raise TokenStoreError(
            f"{folder} is open to other users (mode {_mode(status)}).",
            remedy=f"Close it with `chmod 700 '{folder}'`, or pass a folder that does not exist yet. {IN_MEMORY}",
            command=f"Close it with: chmod 700 {quote(str(folder))}",
        )


def check_parents(folder: Path) -> None:
    """Check that other users cannot put something else in the place of a folder, or of one that it is in.

    A folder with the sticky bit (``/tmp``) is in order: there each user's entries are left alone by the others. So is
    one that a group may write which is this user's own first group, or root's: homes of containers are made like that.

    Raises:
        TokenStoreError: They can.
    """
    if not _POSIX:
        return
    place = Path(os.path.realpath(folder.parent))
    for parent in (place, *place.parents):
        try:
            status = parent.stat()
        except OSError:
            continue  # made later, or shown by what is done there
        foreign = status.st_mode & stat.S_IWGRP and status.st_gid not in {0, os.getegid()}
        if (foreign or status.st_mode & stat.S_IWOTH) and not status.st_mode & stat.S_ISVTX:
            raise TokenStoreError(
                f"{folder} is not safe: other users may write in {parent} (mode {_mode(status)}), and so put another "
                "folder in its place.",
                remedy=f"Pass a folder that is in one of your own. {IN_MEMORY}",
                command=f"Take that right from them: chmod go-w {quote(str(parent))}",
            )


def check_file(path: Path, status: os.stat_result) -> None:
    """Check that what is at a path is a plain file of this user.

    Args:
        path: The path.
        status: What `lstat` says of it, or `fstat` once it is open.

    Raises:
        TokenStoreError: It is not.
    """
    if not stat.S_ISREG(status.st_mode):
        kind = next((kind for is_kind, kind in _KINDS if is_kind(status.st_mode)), "a device")
        raise TokenStoreError(f"{path} cannot be used: it is {kind} and no file. Delete it, then authorize again.")
    if _POSIX and status.st_uid != os.geteuid():
        raise TokenStoreError(
            f"{path} cannot be used: it belongs to another user.",
            remedy=f"Delete it, then authorize again. {IN_MEMORY}",
            command="Delete it, then authorize again.",
        )


def _mode(status: os.stat_result) -> str:
    return f"{stat.S_IMODE(status.st_mode):04o}"
