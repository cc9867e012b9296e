from __future__ import annotations

import polars as pl
import pytest

from digime_pandas._tabular.engines import polars_text
from digime_pandas._tabular.frames.arrow_input.polars_columns import describe_polars


@pytest.mark.parametrize(
    ("series", "seen"),
    [
        (pl.Series([2**100, None], dtype=pl.Int128), "Int128 of polars"),
        (pl.Series([2**100, None], dtype=pl.UInt128), "UInt128 of polars"),
        (pl.Series([{1}, {2, 3}], dtype=pl.Object), "Object of polars"),
        (pl.Series([[1]], dtype=pl.List(pl.Int128)), "Int128 of polars"),
        (pl.Series([[1]], dtype=pl.Array(pl.Int128, 1)), "Int128 of polars"),
        (pl.Series([{"a": [1]}], dtype=pl.Struct({"a": pl.List(pl.Int128)})), "Int128 of polars"),
        (pl.Series([{"a\0b": 1}]), "Struct({'a\\x00b': Int64}) of polars, with a NUL in a name"),
    ],
    ids=["Int128", "UInt128", "Object", "list", "array", "struct", "name with NUL"],
)
def test_what_polars_cannot_export_is_named(series: pl.Series, seen: str, capfd: pytest.CaptureFixture[str]) -> None:
    frame = pl.DataFrame(
        [pl.Series("kept", [1] * len(series)), series.alias("odd"), pl.Series("too", ["x"] * len(series))]
    )
    kept, odd, too = (each.column for each in describe_polars(frame))
    assert [(each.name, each.readable) for each in (kept, odd, too)] == [("kept", True), ("odd", False), ("too", True)]
    assert [(each.rule, each.seen) for each in odd.findings] == [("other", seen)]
    assert (kept.read(0, 1).to_pylist(), too.read(0, 1).to_pylist()) == ([1], ["x"])
    assert capfd.readouterr() == ("", "")  # a panic of polars would be on stderr


@pytest.mark.parametrize("forked", [False, True])
def test_names_are_what_they_are(forked: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(polars_text, "_loaded_before_fork", forked)
    names = ["a\0b", "", "1", "0"]
    columns = [each.column for each in describe_polars(pl.DataFrame({name: [name] for name in names}))]
    assert [(each.name, each.read(0, 1).to_pylist()) for each in columns] == [(name, [name]) for name in names]


def test_a_column_that_polars_fails_to_export_is_found_among_others(monkeypatch: pytest.MonkeyPatch) -> None:
    to_arrow = pl.DataFrame.to_arrow

    def fail(frame: pl.DataFrame) -> object:
        if pl.Boolean in frame.dtypes:
            raise ValueError("no truth")
        return to_arrow(frame)

    monkeypatch.setattr(pl.DataFrame, "to_arrow", fail)
    columns = [each.column for each in describe_polars(pl.DataFrame({"a": [1], "b": [True], "c": ["x"]}))]
    assert [each.readable for each in columns] == [True, False, True]
    assert [(each.rule, each.seen) for each in columns[1].findings] == [("unreadable", "ValueError: no truth")]
    assert isinstance(columns[1].cause, ValueError)


def test_the_chunks_of_a_frame_stay_as_they_are() -> None:
    frame = pl.concat([pl.DataFrame({"a": [1] * 1_000})] * 3, rechunk=False)
    [column] = describe_polars(frame)
    assert (frame.n_chunks(), column.chunks.num_chunks) == (3, 3)
