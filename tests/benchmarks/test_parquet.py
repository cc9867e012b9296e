from __future__ import annotations

import pytest

from . import parquet


@pytest.mark.slow
def test_every_frame_is_written_in_every_way(capsys: pytest.CaptureFixture[str]) -> None:
    parquet.main(["--shrink", "5000", "--runs", "1"])
    rows = [line.split(" | ") for line in capsys.readouterr().out.splitlines() if " | all | " in line]
    assert [row[0].strip("| ") for row in rows if row[2] == "ours"] == ["sales", "wide", "text", "trips", "ids"]
    assert {"pyarrow", "plain", "plain and BYTE_STREAM_SPLIT"} <= {row[2] for row in rows}


def test_columns_are_measured_one_by_one(capsys: pytest.CaptureFixture[str]) -> None:
    parquet.main(["--shrink", "5000", "--runs", "1", "--frames", "ids", "--columns"])
    found = capsys.readouterr().out
    assert all(f"| ids | {name} | ours | " in found for name in ("hash", "count", "random", "name"))
