"""Names of a dataset's files, and what its manifest says of them."""

from __future__ import annotations

import json

import pytest

from digime_pandas._client.dataset.manifest import DatasetName, Manifest, ManifestPart
from digime_pandas.errors import DescriptorError, ReadError

MANIFEST = Manifest(
    "urn:x-digime-pandas:dataset:1",
    (ManifestPart("e-0.csv", "urn:uuid:1", 3, 30, "0" * 64), ManifestPart("e-1.csv", None, 0, 0, "1" * 64)),
    (("id", "int64"), ("naïve", "str")),
)


def test_names_are_numbered_to_one_width_and_recognized() -> None:
    name = DatasetName("events-*.parquet")
    assert name.files(2) == ["events-00000-of-00002.parquet", "events-00001-of-00002.parquet"]
    assert name.file(7, 1_234_567) == "events-0000007-of-1234567.parquet"
    assert name.manifest == "events-manifest.parquet.json"
    assert [name.count_of(each) for each in (name.file(7, 100), name.file(7, 1_234_567))] == [100, 1_234_567]
    strangers = ["events-7-of-100.parquet", "events-00007-of-00100.csv", "00007-of-00100", name.manifest, ""]
    assert [name.count_of(each) for each in strangers] == [None] * 5


@pytest.mark.parametrize("pattern", ["events.csv", "*-*.csv", "a/*.csv", "*" + "x" * 250, None])
def test_what_is_no_name_of_a_dataset_is_refused(pattern: str) -> None:
    with pytest.raises(DescriptorError, match="file_name"):
        DatasetName(pattern)


def test_the_reference_is_the_same_for_the_same_dataset_alone() -> None:
    same = {"environment": "https://api.test/v1.7/", "client_id": "a_c", "account_id": "p"}
    name = DatasetName("events-*.csv")
    others = [name.reference(**(same | {key: "x"})) for key in same]
    others += [DatasetName("visits-*.csv").reference(**same)]
    assert name.reference(**same) == name.reference(**same)
    assert len({name.reference(**same), *others}) == 5


def test_a_manifest_comes_back() -> None:
    assert Manifest.from_json(MANIFEST.to_json()) == MANIFEST
    assert json.loads(MANIFEST.to_json())["rows"] == 3


@pytest.mark.parametrize("damage", [b"", b"[]", b"{}", b"\xff", b'{"version": 1, "dataset": "d", "parts": [1]}'])
def test_a_damaged_manifest_is_an_error(damage: bytes) -> None:
    with pytest.raises(ReadError, match="manifest is damaged"):
        Manifest.from_json(damage)


@pytest.mark.parametrize(("member", "value"), [("rows", "3"), ("sha256", None), ("name", 1), ("write_id", 5)])
def test_a_part_of_another_type_is_an_error(member: str, value: object) -> None:
    document = json.loads(MANIFEST.to_json())
    document["parts"][0][member] = value
    with pytest.raises(ReadError, match="manifest is damaged"):
        Manifest.from_json(json.dumps(document).encode())


def test_a_later_version_is_not_read() -> None:
    document = json.loads(MANIFEST.to_json()) | {"version": 2, "parts": "otherwise"}
    with pytest.raises(ReadError, match=r"version 2.*pip install -U"):
        Manifest.from_json(json.dumps(document).encode())
