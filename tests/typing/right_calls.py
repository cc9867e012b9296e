"""Calls that type checkers accept, with the types that they see. Checked by mypy and pyright, never run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import assert_type

import pandas as pd
import polars as pl

import digime_pandas as digime
import digime_pandas.dask
from digime_pandas._client.accessor import DigimeAccessor
from digime_pandas._client.partitions.delayed import DelayedWrite
from digime_pandas._client.preview import preview
from digime_pandas._client.write_each import write_each
from digime_pandas.dask import DaskDigimeAccessor
from digime_pandas.sandbox import Sandbox
from digime_pandas.typing import CsvOptions, FormatName, JsonOptions, ParquetOptions, WriteArguments


def connecting(contract: digime.Contract) -> None:
    assert_type(digime.connect("sandbox"), digime.Client)
    with digime.connect(contract, read_contract=contract, timeout=5.0, journal="a.journal") as client:
        assert_type(client, digime.Client)
    assert_type(digime.authorize("patient-17", access="read", client=client), digime.Authorization)


def writing(frame: pd.DataFrame, client: digime.Client, authorization: digime.Authorization) -> None:
    assert_type(digime.write(frame, "a.csv", "patient-17"), digime.Receipt)
    digime.write(frame["a"], "a.csv", account_id=["patient-17", "patient-18"], tags=("visits",), index=False)
    digime.write(pl.DataFrame(), "a", "p", format="ndjson", strict=True, decimals="number", client=client)
    digime.write(Path("a.parquet"), "a.csv", "p")
    digime.write(frame, "a.csv", "p", reference=None, mime_type="text/csv; header=present", nested="json")
    digime.write(frame, "a.parquet", "p", compression="zstd", attrs=True, keep_unused_categories=True)
    digime.write(frame, "a.parquet", "p", authorization=authorization, progress=lambda sent, total: (sent, total))
    with digime.Journal("a.journal") as journal:
        digime.write(frame, "a.csv", "p", journal=journal)
        assert_type(journal.to_frame(), pd.DataFrame)
        assert_type(journal.receipts(), list[digime.Receipt])


def with_options_in_variables(frame: pd.DataFrame, name: FormatName, arguments: WriteArguments) -> None:
    csv: CsvOptions = {"escape_formulas": True, "nested": "json", "typed": False}
    json: JsonOptions = {"strict": True, "decimals": "number", "attrs": True}
    parquet: ParquetOptions = {"compression": "zstd", "keep_unused_categories": True}
    assert_type(digime.write(frame, "a.csv", "p", format="csv", **csv), digime.Receipt)
    assert_type(digime.preview(frame, "a.json", "p", format="json", **json), digime.Preview)
    assert_type(digime.write_each(frame, "patient", "a.parquet", format="parquet", **parquet), pd.DataFrame)
    assert_type(digime.preview_each(frame, "patient", "a", format=name), pd.DataFrame)
    assert_type(digime.write(frame, "a.csv", "p", **arguments), digime.Receipt)


def by_accessor(accessor: DigimeAccessor, partitions: DaskDigimeAccessor) -> None:
    assert_type(accessor.write("a.csv", "patient-17", typed=False), digime.Receipt)
    assert_type(accessor.preview("a.csv", account_id="patient-17", escape_formulas=True), digime.Preview)
    assert_type(accessor.write_each("patient", "a.csv", workers=2, tags=["visits"]), pd.DataFrame)
    assert_type(accessor.preview_each("patient", "a.csv", drop_null=True, tags=["visits"]), pd.DataFrame)
    assert_type(partitions.write("a-*.csv", "patient-17", index=True), pd.DataFrame)
    assert_type(partitions.write("a-*.csv", "patient-17", errors="collect", compute=False), DelayedWrite)
    assert_type(partitions.write_each("patient", "a.csv", missing="skip"), pd.DataFrame)
    assert_type(partitions.write_each("patient", "a.csv", compute=False), DelayedWrite)
    assert_type(partitions.write_each("patient", "a.csv", missing="skip", journal="a.journal"), pd.DataFrame)


def by_grant(client: digime.Client, descriptor: digime.FileDescriptor, authorization: digime.Authorization) -> None:
    grant = client.grant("a.csv", descriptor, authorization)
    assert_type(grant, digime.UploadGrant)
    assert_type(grant.send([b"a"]), digime.UploadResult)
    assert_type(client.settle(grant, grant.send(b"a"), rows=1), digime.Receipt)


def other_functions(frame: pd.DataFrame) -> None:
    assert_type(preview(frame, "a.csv", "patient-17").columns[0].name, str)
    assert_type(write_each(frame, "patient", "a.csv", compression="gzip"), pd.DataFrame)
    assert_type(write_each(frame, "patient", "a.csv", missing="skip", errors="raise", keep_key=False), pd.DataFrame)


def reading(client: digime.Client) -> None:
    assert_type(digime.read_file("a.csv", account_id="p", sha256=None, timeout=5), bytes)
    assert_type(digime.read_frame("a.csv", account_id="p", columns=["a"], limit=5, client=client), pd.DataFrame)
    assert_type(digime.read_batches("a.csv", account_id="p", batch_rows=10), Iterator[pd.DataFrame])
    files: list[digime.LibraryFile] = client.files("p", tags="visits")
    assert_type(files[0].to_frame(), pd.DataFrame)


def with_fixtures(digime_sandbox: Sandbox, digime_client: digime.Client) -> None:
    with digime_sandbox.fail("upload", status=503, retry_after=0, times=2) as fault:
        assert_type(fault.hits, int)
    assert_type(digime_sandbox.files("p")[0].content, bytes)
    assert_type(digime_client.consents(), pd.DataFrame)
