from __future__ import annotations

import re

import pytest

from digime_pandas._tabular.formats import FORMATS, format_of, resolve_format
from digime_pandas.errors import FormatError


@pytest.mark.parametrize(
    ("file_name", "format", "expected"),
    [
        ("visits.csv", None, "csv"),
        ("visits.json", None, "json"),
        ("visits.ndjson", None, "ndjson"),
        ("visits.jsonl", None, "ndjson"),
        ("visits.parquet", None, "parquet"),
        ("VISITS.CSV", None, "csv"),
        ("2024.visits.parquet", None, "parquet"),
        ("visits", "csv", "csv"),
        ("visits.data", "parquet", "parquet"),
        ("visits.jsonl", "ndjson", "ndjson"),
        ("visits.ndjson", "jsonl", "ndjson"),
        ("visits", "CSV", "csv"),
        ("visits.parquet", "Parquet", "parquet"),
        ("visits", ".json", "json"),
        ("visits", " NDJSON ", "ndjson"),
        ("visits", "text/csv", "csv"),
        ("visits", "Text/CSV; charset=utf-8", "csv"),
        ("visits", "application/x-parquet", "parquet"),
    ],
)
def test_the_suffix_or_the_argument_names_the_format(file_name: str, format: str | None, expected: str) -> None:
    assert resolve_format(file_name, format) is FORMATS[expected]


@pytest.mark.parametrize(
    ("file_name", "format", "said"),
    [
        ("visits", None, "no suffix"),
        ("visits.xlsx", None, "no suffix"),
        (".csv", None, "no suffix"),
        ("visits.csv", "excel", "not known"),
        ("visits.csv", "", "not known"),
        ("visits.csv", 7, "format is a int"),
        ("visits.csv", "parquet", "disagree"),
        ("visits.json", "ndjson", "disagree"),
    ],
)
def test_an_unknown_or_contradicted_format_is_an_error_that_says_so(
    file_name: str, format: str | None, said: str
) -> None:
    with pytest.raises(FormatError, match=said):
        resolve_format(file_name, format)


@pytest.mark.parametrize(
    ("file_name", "format", "remedy"),
    [
        ("visits.csv.gz", None, "use 'visits.csv', or 'visits.parquet', which is compressed"),
        ("visits.gz", None, "use 'visits.csv', or 'visits.parquet'"),
        ("visits.zip", None, "'visits.parquet', which is compressed"),
        ("visits.xlsx", None, r"Excel are not made here. Use 'visits.csv' or 'visits.parquet'.*client\.write"),
        ("visits.feather", None, "Parquet is written. Use 'visits.csv' or 'visits.parquet'"),
        ("visits.pkl", None, "runs what is in it"),
        ("visits.tsv", None, "CSV is written, with commas"),
        ("visits.pq", None, r"end in '\.parquet'"),
        ("visits.parqet", None, r"Did you mean '\.parquet'\? Or give format= as one of csv"),
        ("visits", None, "Use one of them, or give format= as one of csv, json, ndjson, parquet"),
        ("visits.data", "parqet", "Did you mean 'parquet'"),
        ("visits.data", "excel", "Excel are not made here. Give one of csv"),
        ("visits.csv", "parquet", r"Leave format= out, or change the suffix: 'visits\.parquet'"),
    ],
)
def test_what_is_possible_is_said_in_its_place(file_name: str, format: str | None, remedy: str) -> None:
    with pytest.raises(FormatError) as caught:
        resolve_format(file_name, format)
    assert re.search(remedy, caught.value.remedy)


@pytest.mark.parametrize(
    ("file_name", "mime_type", "expected"),
    [
        ("visits.csv", "application/octet-stream", "csv"),
        ("visits.csv", "application/json", "csv"),
        (None, "text/csv", "csv"),
        (None, "Text/CSV; charset=utf-8", "csv"),
        ("visits", "application/json", "json"),
        (None, "text/json", "json"),
        (None, "application/x-ndjson", "ndjson"),
        (None, "application/jsonl", "ndjson"),
        (None, "application/vnd.apache.parquet", "parquet"),
        ("scan.pdf", "application/pdf", None),
        (None, "", None),
    ],
)
def test_a_file_that_is_there_is_known_by_its_suffix_then_by_its_media_type(
    file_name: str | None, mime_type: str, expected: str | None
) -> None:
    found = format_of(file_name, mime_type)
    assert (found.name if found else None) == expected


def test_declared_media_types_are_the_registered_ones() -> None:
    assert {name: each.mime_type for name, each in FORMATS.items()} == {
        "csv": "text/csv",
        "json": "application/json",
        "ndjson": "application/x-ndjson",
        "parquet": "application/vnd.apache.parquet",
    }
