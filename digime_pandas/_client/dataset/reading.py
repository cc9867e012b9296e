"""Finds the files of a dataset in a library, and says whether they are all there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import pandas as pd

from digime_pandas._client.dataset.contents import join_as_parquet, join_texts
from digime_pandas._client.dataset.joining import join_frames
from digime_pandas._client.dataset.manifest import DatasetName, EmptyFile, Manifest, ManifestPart
from digime_pandas._client.library.file import LibraryFile
from digime_pandas._client.library.listing import PersonLibrary
from digime_pandas._client.library.query import FileQuery
from digime_pandas._service.contract import Contract
from digime_pandas._tabular.formats import PARQUET, format_of
from digime_pandas._tabular.parse import parse
from digime_pandas.errors import DatasetError, FormatError, ReadError

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

    def read(self) -> bytes:
        """Fetch the file; it has to have the manifest's SHA-256."""
        return self.file.read(sha256=self.part.sha256)

    def to_frame(self, columns: Sequence[str] | None = None, limit: int | None = None) -> pd.DataFrame:
        """Fetch the file and return it as a frame; it has to have the manifest's SHA-256."""
        return self.file.to_frame(columns=columns, limit=limit, sha256=self.part.sha256)

    def read_batches(self, columns: Sequence[str] | None, batch_rows: int) -> Iterator[pd.DataFrame]:
        """Fetch the file and yield it in pieces; it has to have the manifest's SHA-256."""
        return self.file.read_batches(columns=columns, batch_rows=batch_rows, sha256=self.part.sha256)


@dataclass(frozen=True, slots=True)
class Dataset:
    """A dataset all files of which are in a library.

    Args:
        parts: Its files, in order; at least one.
        empty: A file of it without rows, or None where the manifest has none.
    """

    parts: tuple[DatasetPart, ...]
    empty: EmptyFile | None = None

    def to_frame(self, columns: Sequence[str] | None = None, limit: int | None = None) -> pd.DataFrame:
        """Fetch the files one after the other and return them as one frame.

        Args:
            columns: As for `read_frame`.
            limit: As for `read_frame`; no more files are fetched than that takes.

        Raises:
            DigimeError: As for `read_frame`.
        """
        return join_frames(list(alike(self._frames(columns, limit))))

    def read(self) -> bytes:
        """Fetch the files and return their rows as one file of their format.

        Raises:
            DigimeError: As for `read_file`.
        """
        first = self.parts[0].file
        found = format_of(first.name, first.mime_type)
        if found is None:
            raise FormatError(f"{first.name!r} is {first.mime_type}, of which files are not joined. Read them by name.")
        if found is PARQUET:
            return join_as_parquet(self.to_frame())
        return join_texts(found, [each.part.name for each in self.parts], [each.read() for each in self.parts])

    def read_batches(self, columns: Sequence[str] | None, batch_rows: int) -> Iterator[pd.DataFrame]:
        """Fetch the files one after the other and yield their rows in pieces, in bounded memory.

        Args:
            columns: As for `read_frame`.
            batch_rows: Rows of each piece, which may come from several files; the last one may have fewer.

        Raises:
            DigimeError: As for `read_frame`.
        """
        waiting: list[pd.DataFrame] = []
        count = 0
        for batch in alike(batch for part in self.parts for batch in part.read_batches(columns, batch_rows)):
            waiting.append(batch)
            count += len(batch)
            if count >= batch_rows:
                joined = join_frames(waiting)
                yield joined.iloc[:batch_rows]
                waiting, count = [_from_zero(joined.iloc[batch_rows:])], count - batch_rows
            elif not count:
                waiting = waiting[-1:]
        if count or self._row_count() == 0:
            yield join_frames(waiting)

    def head(self, columns: Sequence[str] | None = None) -> pd.DataFrame:
        """Return a frame without rows, with the dtypes of the dataset. Where the manifest has it, nothing is fetched.

        Args:
            columns: As for `read_frame`.
        """
        if self.empty is None:
            return self.parts[0].to_frame(columns, 0)
        first = self.parts[0]
        found = format_of(first.part.name, self.empty.mime_type)
        if found is None:
            raise FormatError(f"{first.part.name!r} is {self.empty.mime_type}, which is no table this package reads.")
        return parse(self.empty.content, found, self.empty.schema, columns=columns, limit=0, own=True)

    def _row_count(self) -> int:
        return sum(each.part.rows for each in self.parts)

    def _frames(self, columns: Sequence[str] | None, limit: int | None) -> Iterator[pd.DataFrame]:
        left = limit
        for part in self.parts:
            frame = part.to_frame(columns, left)
            yield frame
            if left is not None:
                left -= len(frame)
                if left <= 0:
                    return


def alike(frames: Iterable[pd.DataFrame]) -> Iterator[pd.DataFrame]:
    """Yield frames, all of which have to have the columns and the index levels of the first one.

    Raises:
        ReadError: One has others.
    """
    first: pd.DataFrame | None = None
    for frame in frames:
        first = frame.head(0) if first is None else first
        if list(frame.columns) != list(first.columns) or list(frame.index.names) != list(first.index.names):
            raise ReadError(
                f"The files of the dataset are no one table: the first has {_labels(first)}, and a later one has "
                f"{_labels(frame)}. Read them by their own names."
            )
        yield frame


def _labels(frame: pd.DataFrame) -> str:
    levels = [name for name in frame.index.names if name is not None]
    return f"the columns {list(frame.columns)}" + (f" and the index {levels}" if levels else "")


def _from_zero(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.reset_index(drop=True) if isinstance(frame.index, pd.RangeIndex) else frame


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
    if not manifest.parts or [part.name for part in manifest.parts] != name.files(len(manifest.parts)):
        raise ReadError(f"{name.manifest!r} lists other files than those of {name.pattern!r}: it is damaged.")
    found = library.files(FileQuery.of(reference=manifest.dataset), timeout)
    by_write = {file.write_id: file for file in found if file.contract_id == listed.contract_id}
    missing = [part.name for part in manifest.parts if part.write_id not in by_write]
    if missing:
        raise _incomplete(name, missing, len(manifest.parts), "They may have been deleted, or not be delivered yet.")
    return Dataset(tuple(DatasetPart(by_write[part.write_id], part) for part in manifest.parts), manifest.empty)


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
