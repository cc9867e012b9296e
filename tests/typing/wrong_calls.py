"""Calls that type checkers refuse: mypy and pyright complain of an ignore that hides no error. Never run."""

from __future__ import annotations

import pandas as pd

import digime_pandas as digime
from digime_pandas._client.accessor import DigimeAccessor
from digime_pandas._client.preview import preview
from digime_pandas._client.write_each import write_each
from digime_pandas.sandbox import Sandbox
from digime_pandas.typing import CsvOptions, FormatName, JsonOptions, ParquetOptions, WriteArguments


def writing(frame: pd.DataFrame) -> None:
    digime.write(frame, "a.csv")  # type: ignore[call-arg]
    digime.write(frame, "a.csv", 17.5)  # type: ignore[arg-type]
    digime.write(frame, tag=["visits"])  # type: ignore[call-arg]
    digime.write(frame, "a.csv", "p", tag=["visits"])  # type: ignore[call-arg]
    digime.write(frame, "a.xlsx", "p", format="xlsx")  # type: ignore[arg-type]
    digime.write(frame, "a.csv", "p", format=str(17))  # type: ignore[arg-type]
    digime.write(frame, "a.csv", "p", escape_formula=True)  # type: ignore[call-arg]
    digime.write(frame, "a.csv", "p", index="no")  # type: ignore[arg-type]
    digime.write(frame, "a.csv", "p", nested="text")  # type: ignore[arg-type]
    digime.write(frame, "a.parquet", "p", compression="zip")  # type: ignore[arg-type]
    digime.write(frame, "a.csv", "p", client="sandbox")  # type: ignore[arg-type]
    digime.write(frame, "a.csv", "p", "csv")  # type: ignore[call-arg,arg-type]
    preview(frame, "a.csv", "p", progress=True)  # type: ignore[call-arg]
    write_each(frame, "patient", "a.csv", account_id="p")  # type: ignore[call-arg]


def with_options_in_variables(frame: pd.DataFrame) -> None:
    csv: CsvOptions = {"compression": "zstd"}  # type: ignore[typeddict-unknown-key]
    json: JsonOptions = {"nested": "json"}  # type: ignore[typeddict-unknown-key]
    parquet: ParquetOptions = {"compression": "zip"}  # type: ignore[typeddict-item]
    arguments: WriteArguments = {"format": "xlsx"}  # type: ignore[typeddict-item]
    name: FormatName = "excel"  # type: ignore[assignment]
    for options in (csv, json, parquet, arguments, {"format": name}):
        print(options)


def by_accessor(accessor: DigimeAccessor) -> None:
    accessor.write("a.xlsx", "p", format="xlsx")  # type: ignore[arg-type]
    accessor.preview("a.csv", "p", tag=["visits"])  # type: ignore[call-arg]
    accessor.write("a.csv", "p", typo=True)  # type: ignore[call-arg]
    accessor.write_each("patient", "a.csv", workers="2")  # type: ignore[arg-type]
    accessor.write_each("patient", "a.csv", missing="ignore")  # type: ignore[arg-type]
    accessor.preview_each("patient", "a.csv", workers=2)  # type: ignore[call-arg]


def reading(receipt: digime.Receipt) -> None:
    digime.read_file("a.csv")  # type: ignore[call-arg]
    digime.read_frame("a.csv", account_id="p", sha=receipt.sha256)  # type: ignore[call-arg]
    digime.read_batches("a.csv", account_id="p", limit=5)  # type: ignore[call-arg]
    digime.authorize("p", access="delete")  # type: ignore[arg-type]
    receipt.rows = 5  # type: ignore[misc]


def arranging(sandbox: Sandbox) -> None:
    sandbox.fail("uploads", status=503)  # type: ignore[arg-type]
    sandbox.fail("upload", state=503)  # type: ignore[call-arg]
