"""The names of a dataset's files, and its manifest: a JSON file, written last, that lists the others."""

from __future__ import annotations

import json
import re
from base64 import b64decode, b64encode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any
from uuid import UUID, uuid5

import pandas as pd

from digime_pandas._service.descriptor import check_file_name
from digime_pandas.errors import DescriptorError, ReadError

DATASET_PREFIX = "urn:x-digime-pandas:dataset:"
"""Begins the reference that all files of a dataset carry."""
MANIFEST_TYPE = "application/json"
_DATASETS = UUID("b7c4a5de-9d5a-5e0c-8c1f-2f1d3a0b9e44")
_VERSION = 1
_LEAST_DIGITS = 5
_NUMBERED = re.compile(r"(\d+)-of-(\d+)")


def is_dataset_name(file_name: object) -> bool:
    """Tell whether a name is that of a dataset."""
    return isinstance(file_name, str) and "*" in file_name


@dataclass(frozen=True, slots=True)
class DatasetName:
    """The name of a dataset.

    Args:
        pattern: A file name with one ``*``, which becomes number and count: ``events-00007-of-00100.parquet``.

    Raises:
        DescriptorError: It has no ``*``, or several, or cannot be a file name.
    """

    pattern: str

    def __post_init__(self) -> None:
        if isinstance(self.pattern, PurePath):
            object.__setattr__(self, "pattern", self.pattern.name)
        if not isinstance(self.pattern, str) or self.pattern.count("*") != 1:
            raise DescriptorError(f"file_name is {self.pattern!r}; put one '*' for the partition: 'events-*.parquet'.")
        check_file_name(self.file(0, 1))
        check_file_name(self.manifest)

    def file(self, number: int, count: int) -> str:
        """Return the name of one file, from its number, counted from 0, and the count of files."""
        digits = max(_LEAST_DIGITS, len(str(count)))
        return self.pattern.replace("*", f"{number:0{digits}d}-of-{count:0{digits}d}")

    def files(self, count: int) -> list[str]:
        """Return the names of all files."""
        return [self.file(number, count) for number in range(count)]

    @property
    def manifest(self) -> str:
        """The name of the manifest."""
        return f"{self.pattern.replace('*', 'manifest')}.json"

    def count_of(self, file_name: str) -> int | None:
        """Return how many files the dataset has of which one has this name; None for a name that is none of them."""
        before, after = self.pattern.split("*")
        found = _NUMBERED.fullmatch(file_name.removeprefix(before).removesuffix(after))
        return int(found[2]) if found and self.file(int(found[1]), int(found[2])) == file_name else None

    def reference(self, *, environment: str, client_id: str, account_id: str) -> str:
        """Return the reference that the files of this dataset carry: the same for each write of it.

        Args:
            environment: Base URL of the API.
            client_id: The `client_id` of the contract that writes.
            account_id: The account into whose library it goes.
        """
        return f"{DATASET_PREFIX}{uuid5(_DATASETS, json.dumps([environment, client_id, account_id, self.pattern]))}"


@dataclass(frozen=True, slots=True)
class ManifestPart:
    """One file of a dataset, as its manifest has it."""

    name: str
    write_id: str | None
    rows: int
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class EmptyFile:
    """A file of a dataset without rows: all that says what dtypes its frame has.

    Args:
        mime_type: As of the files.
        content: Its bytes.
        schema: As of a `LibraryFile`.
    """

    mime_type: str
    content: bytes = field(repr=False)
    schema: str | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a dataset is made of.

    Args:
        dataset: The reference that its files carry.
        parts: Its files, in order.
        schema: Name and dtype of each column, index levels first, as texts.
        empty: A file of it without rows; None in manifests that have none.
    """

    dataset: str
    parts: tuple[ManifestPart, ...]
    schema: tuple[tuple[str, str], ...]
    empty: EmptyFile | None = None

    def to_json(self) -> bytes:
        """Return the content of the manifest's file."""
        document: dict[str, object] = {
            "version": _VERSION,
            "dataset": self.dataset,
            "rows": sum(part.rows for part in self.parts),
            "parts": [{name: getattr(part, name) for name in ManifestPart.__slots__} for part in self.parts],
            "schema": [{"name": name, "dtype": dtype} for name, dtype in self.schema],
        }
        if self.empty is not None:
            content = b64encode(self.empty.content).decode()
            document["empty"] = {"mimeType": self.empty.mime_type, "content": content, "schema": self.empty.schema}
        return json.dumps(document, ensure_ascii=False, indent=1).encode()

    @classmethod
    def from_json(cls, content: bytes) -> Manifest:
        """Read what `to_json` returned.

        Raises:
            ReadError: It is no manifest, or one of a later version.
        """
        try:
            document = json.loads(content)
            version = document["version"]
            parts = tuple(_part(each) for each in document["parts"]) if version == _VERSION else ()
            schema = tuple((str(each["name"]), str(each["dtype"])) for each in document.get("schema", ()))
            found = cls(str(document["dataset"]), parts, schema, _empty(document.get("empty")))
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            raise ReadError("The manifest is damaged: it does not list the files of a dataset.") from None
        if version != _VERSION:
            raise ReadError(
                f"The manifest has version {version}, and this package reads version {_VERSION}. Update it: "
                "pip install -U digime-pandas"
            )
        return found


def schema_of(levels: Iterable[tuple[object, object]], columns: Mapping[object, object]) -> tuple[tuple[str, str], ...]:
    """Return the schema of a manifest from the dtypes of index levels and of columns, by name."""
    return tuple((str(name), _dtype_text(dtype)) for name, dtype in (*levels, *columns.items()))


def _dtype_text(dtype: object) -> str:
    # The text of a sparse dtype has the fill value, which may be one that no row has.
    return f"Sparse[{dtype.subtype}]" if isinstance(dtype, pd.SparseDtype) else str(dtype)


def _empty(values: Mapping[str, Any] | None) -> EmptyFile | None:
    if values is None:
        return None
    schema = values["schema"]
    return EmptyFile(
        str(values["mimeType"]), b64decode(values["content"], validate=True), None if schema is None else str(schema)
    )


def _part(values: Mapping[str, Any]) -> ManifestPart:
    part = ManifestPart(**{name: values[name] for name in ManifestPart.__slots__})
    texts = part.name, part.sha256, "" if part.write_id is None else part.write_id
    if not all(isinstance(text, str) for text in texts) or not all(isinstance(n, int) for n in (part.rows, part.size)):
        raise TypeError
    return part
