"""Finds the files of a dataset in a library, and says whether they are all there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pandas as pd

from digime_pandas._client.dataset.joining import join_frames
from digime_pandas._client.dataset.manifest import DatasetName, Manifest, ManifestPart
from digime_pandas._client.library.file import LibraryFile
from digime_pandas._client.library.listing import PersonLibrary
from digime_pandas._client.library.query import FileQuery
from digime_pandas._service.contract import Contract
from digime_pandas.errors import DatasetError

_NAMED = 10  # missing files that an error names


@dataclass(frozen=True, slots=True)
class DatasetPart:
    """One file of a dataset that was found.

    Args:
        file: The file.
        part: What the manifest says of it.
    """

    file: LibraryFile
    part: ManifestPart

    def to_frame(self, columns: Sequence[str] | None = None, limit: int | None = None) -> pd.DataFrame:
        """Fetch the file and return it as a frame; it has to have the manifest's SHA-256."""
        return self.file.to_frame(columns=columns, limit=limit, sha256=self.part.sha256)


@dataclass(frozen=True, slots=True)
class Dataset:
    """A dataset all files of which are in a library.

    Args:
        parts: Its files, in order.
    """

    parts: tuple[DatasetPart, ...]

    def to_frame(self, columns: Sequence[str] | None = None, limit: int | None = None) -> pd.DataFrame:
        """Fetch the files one after the other and return them as one frame.

        Args:
            columns: As for `read_frame`.
            limit: As for `read_frame`; no more files are fetched than that takes.
        """
        return join_frames(list(self._frames(columns, limit)))

    def _frames(self, columns: Sequence[str] | None, limit: int | None) -> Iterator[pd.DataFrame]:
        left = limit
        for part in self.parts:
            frame = part.to_frame(columns, left)
            yield frame
            if left is not None:
                left -= len(frame)
                if left <= 0:
                    return


def find_dataset(name: DatasetName, library: PersonLibrary, writer: Contract, timeout: float) -> Dataset | None:
    """Return the newest dataset of a name that was written to its end; None where there is nothing of it.

    Args:
        name: Its name.
        library: The person's library.
        writer: The contract whose files come before those of others.
        timeout: Seconds the service may take to collect the files of a session.

    Raises:
        DatasetError: Files are missing; the error names them.
        ReadError: The manifest is damaged.
    """
    listed = library.newest(FileQuery.of(reference=name.manifest), writer, timeout)
    if listed is None:
        _refuse_unfinished(name, library, writer, timeout)
        return None
    manifest = Manifest.from_json(listed.read())
    found = library.files(FileQuery.of(reference=manifest.dataset), timeout)
    by_write = {file.write_id: file for file in found if file.contract_id == listed.contract_id}
    missing = [part.name for part in manifest.parts if part.write_id not in by_write]
    if missing:
        raise _incomplete(name, missing, len(manifest.parts), "They may have been deleted, or not be delivered yet.")
    return Dataset(tuple(DatasetPart(by_write[part.write_id], part) for part in manifest.parts))


def _refuse_unfinished(name: DatasetName, library: PersonLibrary, writer: Contract, timeout: float) -> None:
    """Raise an error where there are files of a dataset that has no manifest."""
    account_id = library.authorization.account_id
    reference = name.reference(
        environment=library.consents.api.base_url, client_id=writer.client_id, account_id=account_id
    )
    names = [file.name for file in library.files(FileQuery.of(reference=reference), timeout)]
    count = next(filter(None, map(name.count_of, names)), None)
    if count is not None:
        missing = [each for each in name.files(count) if each not in names]
        raise _incomplete(name, [*missing, name.manifest], count, "It was not written to its end. Write it again.")


def _incomplete(name: DatasetName, missing: list[str], count: int, why: str) -> DatasetError:
    more = f" and {len(missing) - _NAMED} more" if len(missing) > _NAMED else ""
    error = DatasetError(
        f"{name.pattern!r} is not whole in the library: of its {count} files and their manifest, these are missing: "
        f"{', '.join(missing[:_NAMED])}{more}. {why}"
    )
    error.missing = tuple(missing)
    return error
