"""Files that are made together are, byte for byte, those that are made one by one."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from digime_pandas._tabular.codecs.writing import parquet_settings
from digime_pandas._tabular.formats import FORMATS
from digime_pandas._tabular.frames.source import is_default_index
from digime_pandas._tabular.parts import part_files as module
from digime_pandas._tabular.parts.part_files import PartFile, part_files, part_inspector
from digime_pandas._tabular.serialize import SerializableFrame, inspect_frame

BOUNDS = [0, 1, 4, 5, 9, 12]
ROWS = BOUNDS[-1]
TIMES = pd.Timestamp("2026-01-05") + pd.to_timedelta(range(ROWS), unit="D")
TEXTS = ["a", "", "12", "true", 'q"u', "c,d", "\u00e9", "-3", "4", "5", "6", "1e5"]

COLUMNS: dict[str, Any] = {
    "int": np.arange(ROWS) * 10**15,
    "float": np.arange(ROWS) / 3,
    "bool": np.arange(ROWS) % 2 == 0,
    "small": np.arange(ROWS, dtype="uint8"),
    "Int": pd.array([None, *range(ROWS - 1)], dtype="Int32"),
    "text": pd.array(TEXTS, dtype="string"),
    "day": TIMES,
    "zoned": TIMES.tz_localize("Europe/Berlin"),
    "Arrow text": pd.arrays.ArrowExtensionArray(pa.array(TEXTS)),
    "Arrow number": pd.arrays.ArrowExtensionArray(pa.array([1, None] * 6, pa.int16())),
    "duration": pd.to_timedelta(range(ROWS), unit="D"),
}


def uniform(names: list[str]) -> pd.DataFrame:
    return pd.DataFrame({name: COLUMNS[name] for name in names})


TOGETHER: dict[str, tuple[Any, dict[str, Any]]] = {
    **{f"int and {name}": (uniform(["int", name]), {}) for name in COLUMNS if name != "int"},
    "all": (uniform(list(COLUMNS)), {}),
    "untyped": (uniform(list(COLUMNS)), {"typed": False}),
    "names": (pd.DataFrame(np.arange(2 * ROWS).reshape(ROWS, 2), columns=["\ufeffa", "b,\u00e9"]), {}),
    "an index": (uniform(["int", "text", "day"]).set_index(["text", "day"]), {}),
    "an index without a name": (uniform(["int", "text"]).set_index(np.arange(ROWS) ** 2), {}),
    "times of day": (pd.DataFrame({"a": TIMES + pd.to_timedelta(range(1, ROWS + 1), unit="s"), "n": 1}), {}),
    "Arrow": (pa.table({"a": TEXTS, "n": range(ROWS)}), {}),
    "polars": (pl.DataFrame({"a": TEXTS, "n": range(ROWS)}), {}),
}
DIFFERING: dict[str, Any] = {
    "categories": pd.DataFrame({"a": pd.Categorical(TEXTS), "n": range(ROWS)}),
    "categories in an order": pd.DataFrame({"a": pd.Categorical(TEXTS, TEXTS[::-1], ordered=True), "n": range(ROWS)}),
    "times as categories": pd.DataFrame({"a": pd.Categorical([*TIMES[:-1], None]), "n": range(ROWS)}),
    "a categorical index": pd.DataFrame({"n": range(ROWS)}, index=pd.CategoricalIndex(TEXTS, name="key")),
    "texts as objects": pd.DataFrame({"a": pd.Series([*TEXTS[:-2], None, None], dtype=object), "n": range(ROWS)}),
    "objects of one kind per part": pd.DataFrame(
        {"a": pd.Series(["x", 1, 2, 3, None, 1.5, 2.5, float("nan"), None, b"x", b"y", None], dtype=object)}
    ),
    "floats as objects": pd.DataFrame({"a": pd.Series([1.5, *[float("nan"), None] * 5, 2.5], dtype=object), "n": 1}),
    "dicts": pd.DataFrame({"a": [{"k": 1}] * 4 + [{"k": 1, "m": "x"}] * 4 + [None] * 3 + [{"k": None}], "n": 1}),
    "an index of objects": pd.DataFrame(
        {"n": range(ROWS)}, index=pd.MultiIndex.from_arrays([pd.Series(TEXTS, dtype=object), range(ROWS)])
    ),
    "sparse": pd.DataFrame({"a": pd.arrays.SparseArray([0, 0, 1.5] * 4, fill_value=0), "n": 1}),
    "periods": pd.DataFrame({"a": pd.period_range("2026-01", periods=ROWS, freq="M"), "n": range(ROWS)}),
    "intervals": pd.DataFrame({"a": pd.interval_range(0, ROWS), "n": range(ROWS)}),
    "a RangeIndex that is kept": pd.DataFrame({"n": range(ROWS)}, index=pd.RangeIndex(5, 5 + 2 * ROWS, 2, name="key")),
    "infinities": pd.DataFrame({"a": [float("inf"), float("nan"), 1.0] * 4, "n": range(ROWS)}),
    "a type that some parts cannot have": pd.DataFrame({"a": pd.Series([1] * 4 + [{1}, *"abcdefg"], dtype=object)}),
    "duplicate names": pd.DataFrame([[each, "x"] for each in TEXTS], columns=["a", "a"], dtype=object),
    "lists": pa.table({"a": [[1]] * ROWS}),
    "structs": pa.table({"a": [{"k": number, "f": number / 3} for number in range(ROWS)], "n": range(ROWS)}),
    "dictionaries": pa.table({"a": pa.array(TEXTS).dictionary_encode(), "n": range(ROWS)}),
    "dictionaries in lists": pa.table({"a": pa.array([TEXTS] * ROWS).cast(pa.list_(pa.dictionary(pa.int8(), "str")))}),
    "a polars enum": pl.DataFrame({"a": pl.Series(TEXTS, dtype=pl.Enum(TEXTS[::-1])), "n": range(ROWS)}),
    "a polars categorical": pl.DataFrame({"a": pl.Series(TEXTS, dtype=pl.Categorical), "n": range(ROWS)}),
    "polars lists": pl.DataFrame({"a": [[number] for number in range(ROWS)], "n": range(ROWS)}),
    "a line feed": pd.DataFrame({"a": ["x\ny", 'q"\n"', *TEXTS[2:]], "n": range(ROWS)}),
}
# Before pandas 3 it is a column of objects, of which the values say how they come back.
DEFAULT_FRAME = pd.DataFrame({"a": pd.Series(TEXTS), "n": range(ROWS)})
if DEFAULT_FRAME["a"].dtype == object:
    DIFFERING["default text"] = DEFAULT_FRAME
else:
    TOGETHER["default text"] = (DEFAULT_FRAME, {})


def _cut(frame: Any, start: int, stop: int) -> Any:
    return frame.iloc[start:stop] if isinstance(frame, pd.DataFrame) else frame.slice(start, stop - start)


def _inspected(frame: Any, suffix: str, options: dict[str, Any]) -> SerializableFrame:
    known = {name: value for name, value in options.items() if name in FORMATS[suffix].options}
    return inspect_frame(frame, FORMATS[suffix], index=None, options=known, warn_of_cut=False)


def _made_alone(frame: Any, suffix: str, options: dict[str, Any], bounds: Sequence[int]) -> list[PartFile | None]:
    # The index of a part of a default RangeIndex does not count from 0.
    parts = [_cut(frame, start, stop) for start, stop in pairwise(bounds)]
    is_default = isinstance(frame, pd.DataFrame) and is_default_index(frame.index)
    made = [_inspected(each.reset_index(drop=True) if is_default else each, suffix, options) for each in parts]
    return [_file_of(each) for each in made]


def _file_of(part: SerializableFrame) -> PartFile | None:
    if part.refusal is not None:
        return None
    return PartFile(b"".join(map(bytes, part.chunks())), part.schema, part.rows or 0, part.warnings)


def _made_together(frame: Any, suffix: str, options: dict[str, Any], bounds: Sequence[int]) -> list[PartFile | None]:
    return list(part_files(_inspected(frame, suffix, options), frame, bounds))


def _is_made_of_all_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let it fail to encode a part alone."""

    def refuse(_: object) -> bytes:
        raise AssertionError("a part was encoded alone")

    monkeypatch.setattr(module, "_content_of", refuse)


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize(("frame", "options"), TOGETHER.values(), ids=TOGETHER)
def test_they_are_the_same(frame: Any, options: dict[str, Any], suffix: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    alone = _made_alone(frame, suffix, options, BOUNDS)
    _is_made_of_all_rows(monkeypatch)
    assert _made_together(frame, suffix, options, BOUNDS) == alone


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("frame", DIFFERING.values(), ids=DIFFERING)
@pytest.mark.parametrize("keep", [False, True], ids=["what is used", "all categories"])
@pytest.mark.slow
def test_what_differs_from_part_to_part_is_that_of_each(frame: Any, keep: bool, suffix: Any) -> None:
    options = {"nested": "json", "keep_unused_categories": keep}
    assert _made_together(frame, suffix, options, BOUNDS) == _made_alone(frame, suffix, options, BOUNDS)


@pytest.mark.parametrize("suffix", ["csv", "json", "ndjson"])
@pytest.mark.parametrize(
    "name",
    [
        "categories",
        "categories in an order",
        "a categorical index",
        "periods",
        "intervals",
        "infinities",
        "lists",
        "structs",
        "dictionaries",
        "a polars enum",
        "a polars categorical",
        "polars lists",
        "a line feed",
    ],
)
def test_its_text_is_that_of_all_rows_where_only_the_schema_differs(
    name: str, suffix: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    _is_made_of_all_rows(monkeypatch)
    assert None not in _made_together(DIFFERING[name], suffix, {"nested": "json"}, BOUNDS)


def test_who_loses_what_is_said_of_each() -> None:
    frame = pd.DataFrame({"x": [1.0, float("inf"), *[2.0] * (ROWS - 2)]})
    losses = [file.losses for file in _made_together(frame, "json", {}, BOUNDS) if file is not None]
    assert [bool(each) for each in losses] == [False, True, False, False, False]
    assert "column 'x': 1 " in losses[1][0]


def test_what_cannot_be_written_of_one_part_is_written_of_others() -> None:
    frame = pd.DataFrame({"x": pd.Series([{1}, *range(1, ROWS)], dtype=object)})
    files = _made_together(frame, "json", {}, BOUNDS)
    assert [each is None for each in files] == [True, False, False, False, False]


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_part_whose_times_have_another_form_keeps_it(suffix: Any) -> None:
    frame = pd.DataFrame({"a": TIMES + pd.to_timedelta([0] * 4 + [7] * (ROWS - 4), unit="s"), "n": 1})
    made = _made_together(frame, suffix, {}, BOUNDS)
    assert made == _made_alone(frame, suffix, {}, BOUNDS)
    if suffix != "parquet":
        assert [each is not None and b":07" in each.content for each in made] == [False, False, True, True, True]


@pytest.mark.parametrize("name", ["categories", "infinities", "texts as objects", "duplicate names"])
def test_the_inspection_of_a_part_is_that_of_a_frame_of_its_own(name: str) -> None:
    frame = DIFFERING[name]
    inspect = part_inspector(_inspected(frame, "json", {}), frame)
    for start, stop in pairwise(BOUNDS):
        part = inspect(start, stop)
        own = _inspected(frame.iloc[start:stop].reset_index(drop=True), "json", {})
        assert (part.columns, part.warnings, part.schema, str(part.refusal)) == (
            own.columns,
            own.warnings,
            own.schema,
            str(own.refusal),
        )


def test_a_file_of_many_rows_has_the_row_groups_that_it_has_alone() -> None:
    frame = pd.DataFrame({"a": range(2_000), "b": ["x" * 20_000] * 2_000})
    bounds = [0, 10, 1_000, 2_000]
    assert _made_together(frame, "parquet", {}, bounds) == _made_alone(frame, "parquet", {}, bounds)


REPEATED = [1, 1, 1, 2, 4, 5, 5, 5, 5, 6, None, 6]
IS_REPEATED = [False, True, False, True, False]  # in each part: a null is counted among the values that differ
REPEATED_KINDS: dict[str, Any] = {
    "whole numbers": pa.array(REPEATED, pa.int16()),
    "NaN and zeros": pa.array([-0.0, 0.0, 0.0, 1.0, 2.0, *[float("nan")] * 4, -0.0, None, -0.0]),
    "texts": pa.array(REPEATED).cast(pa.string()),
    "bytes": pa.array(REPEATED).cast(pa.string()).cast(pa.large_binary()),
    "times": pa.array(REPEATED).cast(pa.timestamp("us", "UTC")),
    "durations": pa.array(REPEATED).cast(pa.duration("ms")),
    "decimals": pa.array(REPEATED).cast(pa.decimal128(21, 2)),
    "truth values": pa.array(REPEATED).cast(pa.bool_()),
    "nulls": pa.nulls(ROWS),
}


@pytest.mark.parametrize("values", REPEATED_KINDS.values(), ids=REPEATED_KINDS)
def test_what_comes_again_in_each_part_is_found_out_for_all_of_them(
    values: pa.Array, monkeypatch: pytest.MonkeyPatch
) -> None:
    frame = pa.table({"n": range(ROWS), "a": values})
    alone = _made_alone(frame, "parquet", {}, BOUNDS)

    def refuse(_: object) -> bool:
        raise AssertionError("the values of one part were counted")

    monkeypatch.setattr(parquet_settings, "is_repetitive", refuse)
    _is_made_of_all_rows(monkeypatch)
    assert _made_together(frame, "parquet", {}, BOUNDS) == alone
    has_dictionary = [_column(each, 1).has_dictionary_page for each in alone]
    assert has_dictionary == ([False] * 5 if values.type in {pa.bool_(), pa.null()} else IS_REPEATED)
    assert not any(_column(each, 0).has_dictionary_page for each in alone)


def _column(file: PartFile | None, place: int) -> pq.ColumnChunkMetaData:
    assert file is not None
    return pq.read_metadata(BytesIO(file.content)).row_group(0).column(place)


def test_values_that_arrow_does_not_count_are_written_as_they_are_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    frame = pa.table({"a": pa.array([bytes([each] * 16) for each in range(ROWS)], pa.uuid()), "n": [1] * ROWS})
    alone = _made_alone(frame, "parquet", {}, BOUNDS)
    _is_made_of_all_rows(monkeypatch)
    assert _made_together(frame, "parquet", {}, BOUNDS) == alone


def test_what_comes_again_in_large_columns_is_found_out_part_by_part(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = 1_000
    frame = pa.table({"n": range(rows), "a": [str(number // 2).zfill(10_000) for number in range(rows)]})
    bounds = [0, 400, 401, rows]
    alone = _made_alone(frame, "parquet", {}, bounds)
    counted: list[tuple[pa.DataType, int]] = []
    count = parquet_settings.is_repetitive

    def counting(column: pa.Array) -> bool:
        counted.append((column.type, len(column)))
        return count(column)

    monkeypatch.setattr(parquet_settings, "is_repetitive", counting)
    assert _made_together(frame, "parquet", {}, bounds) == alone
    assert counted == [(pa.string(), 400), (pa.string(), 1), (pa.string(), 599)]
    assert [_column(each, 1).has_dictionary_page for each in alone] == [True, False, True]


@pytest.mark.parametrize("first", [range(9_000), [0] * 9_000], ids=["different at first", "equal at first"])
def test_of_a_long_part_the_first_rows_say_what_comes_again(first: Sequence[int]) -> None:
    values = [*first[:8_192], *([0] * 30_000 if first[1] else range(30_000)), *range(5), *[7] * 5]
    frame = pd.DataFrame({"a": values})
    bounds = [0, 38_192, 38_197, 38_202]
    made = _made_together(frame, "parquet", {}, bounds)
    assert made == _made_alone(frame, "parquet", {}, bounds)
    assert [_column(each, 0).has_dictionary_page for each in made] == [not first[1], False, True]


def _random_column(random: np.random.Generator, rows: int) -> Any:
    """Return one of many kinds of columns, some with missing values."""
    numbers = random.integers(-5, 5, rows)
    texts = np.array(["", "a", "b c", "1", "true", "x,y", '"', "\n", "\u00e9"], dtype=object)[numbers % 9]
    times = pd.Timestamp("2026-01-05") + pd.to_timedelta(numbers * random.choice([86_400, 1, 3_600]), unit="s")
    missing = random.random(rows) < random.choice([0, 0.3, 1])
    none: Any = None
    kinds: list[Any] = [
        numbers,
        np.where(missing, np.nan, numbers / 3),
        numbers > 0,
        pd.array(np.where(missing, none, numbers), dtype="Int16"),
        pd.array(np.where(missing, none, texts), dtype="string"),
        pd.Series(texts),
        np.where(missing, none, texts),
        np.where(missing, np.nan, texts),
        np.where(missing, none, numbers).astype(object),
        np.where(numbers > 3, numbers.astype(object), texts),
        pd.Categorical(texts),
        pd.Categorical(numbers, ordered=True),
        pd.Series(times).where(~missing),
        pd.Series(times.tz_localize("UTC")),
        pd.Series([[each, None] for each in numbers.tolist()], dtype=object),
        pd.Series([{"k": each} if each > 0 else {"k": each, "m": "x"} for each in numbers.tolist()], dtype=object),
        pd.arrays.ArrowExtensionArray(pa.array(np.where(missing, none, texts), pa.large_string()).dictionary_encode()),
        pd.arrays.ArrowExtensionArray(pa.array([[each] for each in numbers.tolist()])),
        np.where(missing, np.inf, numbers),
        pd.period_range("2026-01", periods=rows, freq="D"),
        pd.arrays.SparseArray(np.where(missing, 0, numbers), fill_value=0),
    ]
    return kinds[random.integers(len(kinds))]


def _random_frame(random: np.random.Generator, rows: int) -> Any:
    columns = {f"c{number}": _random_column(random, rows) for number in range(random.integers(1, 5))}
    frame = pd.DataFrame(columns)
    if random.random() < 0.3:
        frame.index = pd.Index(_random_column(random, rows), name="key")
    return frame


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("seed", range(40))
@pytest.mark.slow
def test_random_frames_give_the_files_that_their_parts_give(seed: int, suffix: Any) -> None:
    random = np.random.default_rng(seed)
    rows = int(random.integers(2, 40))
    frame = _random_frame(random, rows)
    inner = np.sort(random.choice(np.arange(1, rows), min(rows - 1, int(random.integers(1, 9))), replace=False))
    bounds = [0, *inner.tolist(), rows]
    options = {"nested": "json", "typed": bool(random.random() < 0.8)}
    assert _made_together(frame, suffix, options, bounds) == _made_alone(frame, suffix, options, bounds)
