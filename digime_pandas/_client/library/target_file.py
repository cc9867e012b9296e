"""Files of the user's own that are written: whole, or not at all."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from tempfile import NamedTemporaryFile

from digime_pandas._service.streams import Buffer
from digime_pandas.errors import InputError


def put_file(path: Path, pieces: Iterable[Buffer]) -> int:
    """Write a file, which is there whole or not at all; return its bytes.

    A device or a pipe is written as it is, since a file in its place would be another thing. Of a link, what it leads
    to is replaced.

    Raises:
        InputError: It cannot be written there.
    """
    try:
        target = path.resolve()
        if target.exists() and not target.is_file():
            with target.open("wb") as file:
                return sum(map(file.write, pieces))
        return _put_whole(target, pieces)
    except OSError as error:
        raise InputError(f"{str(path)!r} cannot be written: {error.strerror or error}.") from error


def _put_whole(target: Path, pieces: Iterable[Buffer]) -> int:
    with NamedTemporaryFile(dir=target.parent, prefix=".digime-", delete=False) as file:
        written = Path(file.name)
        try:
            size = sum(map(file.write, pieces))
            file.close()
            written.replace(target)
        except BaseException:
            file.close()
            written.unlink()
            raise
    return size
