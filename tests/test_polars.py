"""Frames of polars are written by the same rules."""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Callable

import polars as pl
import pytest
from polars.testing import assert_frame_equal

import digime_pandas as digime
import digime_pandas.polars
from digime_pandas.sandbox import Sandbox

pytestmark = pytest.mark.slow


@pytest.fixture
def frame() -> pl.DataFrame:
    return pl.DataFrame(
        {
            "n": [1, None, 2**60],
            "x": [0.1, None, 1e300],
            "day": pl.Series(["2026-01-05", None, "1950-12-31"]).str.to_date(),
            "text": ["a,b", "", None],
            "kind": pl.Series(["a", "b", "a"], dtype=pl.Categorical),
            "many": [[1, 2], [], None],
        }
    )


def test_a_query_has_the_namespace_too(
    frame: pl.DataFrame, person: digime.Authorization, client: digime.Client, sandbox: Sandbox
) -> None:
    query = frame.lazy().select("n", "text").filter(pl.col("n") == 1)
    receipt = query.digime.write("x.parquet", person.account_id, client=client)  # type: ignore[attr-defined]

    (file,) = sandbox.files(person.account_id)
    assert receipt.rows == 1
    assert_frame_equal(pl.read_parquet(file.path), query.collect(), check_column_order=True)


def test_parquet_comes_back_as_it_was(
    frame: pl.DataFrame, person: digime.Authorization, client: digime.Client, sandbox: Sandbox
) -> None:
    receipt = frame.digime.write("x.parquet", account_id=person.account_id, client=client)  # type: ignore[attr-defined]

    (file,) = sandbox.files(person.account_id)
    assert receipt.rows == 3
    assert_frame_equal(pl.read_parquet(io.BytesIO(file.content)), frame, categorical_as_str=True)


@pytest.mark.parametrize("suffix", ["csv", "json", "ndjson"])
def test_text_formats_are_read_by_polars_itself(
    frame: pl.DataFrame, suffix: str, person: digime.Authorization, client: digime.Client, sandbox: Sandbox
) -> None:
    plain = frame.drop("many").with_columns(pl.col("kind").cast(pl.String))
    plain.digime.write(f"x.{suffix}", account_id=person.account_id, client=client)  # type: ignore[attr-defined]

    (file,) = sandbox.files(person.account_id)
    readers: dict[str, Callable[[io.BytesIO], pl.DataFrame]] = {
        "csv": pl.read_csv,
        "json": pl.read_json,
        "ndjson": pl.read_ndjson,
    }
    back = readers[suffix](io.BytesIO(file.content))
    assert_frame_equal(back.with_columns(pl.col("day").cast(pl.String).str.to_date()), plain)


def test_a_preview_reads_ahead_and_a_series_is_a_frame_of_one_column(frame: pl.DataFrame) -> None:
    shown = frame["text"].digime.preview("x.ndjson", account_id="a")  # type: ignore[attr-defined]

    assert shown.rows == 3
    assert shown.sample.splitlines()[0] == '{"text":"a,b"}'


def test_the_namespace_is_there_where_polars_was_imported_first() -> None:
    code = "import polars; import digime_pandas; print(hasattr(polars.DataFrame(), 'digime'))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "True\n"
