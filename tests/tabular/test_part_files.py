"""Files that are made together are, byte for byte, those that are made one by one."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from digime_pandas._tabular.formats import FORMATS
from digime_pandas._tabular.frames.source import is_default_index
from digime_pandas._tabular.part_files import PartFile, part_files
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
ALONE: dict[str, Any] = {
    "categories": pd.DataFrame({"a": pd.Categorical(TEXTS), "n": range(ROWS)}),
    "a categorical index": pd.DataFrame({"n": range(ROWS)}, index=pd.CategoricalIndex(TEXTS, name="key")),
    "objects": pd.DataFrame({"a": pd.Series([b"x"] * ROWS, dtype=object), "n": range(ROWS)}),
    "lists": pa.table({"a": [[1]] * ROWS}),
    "a line feed": pd.DataFrame({"a": ["x\ny", *TEXTS[1:]], "n": range(ROWS)}),
}
# Before pandas 3 it is a column of objects, of which the values say how they come back.
DEFAULT_FRAME = pd.DataFrame({"a": pd.Series(TEXTS), "n": range(ROWS)})
if DEFAULT_FRAME["a"].dtype == object:
    ALONE["default text"] = DEFAULT_FRAME
else:
    TOGETHER["default text"] = (DEFAULT_FRAME, {})


def _cut(frame: Any, start: int, stop: int) -> Any:
    return frame.iloc[start:stop] if isinstance(frame, pd.DataFrame) else frame.slice(start, stop - start)


def _inspected(frame: Any, suffix: str, options: dict[str, Any]) -> SerializableFrame:
    known = {name: value for name, value in options.items() if name in FORMATS[suffix].options}
    return inspect_frame(frame, FORMATS[suffix], index=None, options=known, warn_of_cut=False)


def _made_alone(frame: Any, suffix: str, options: dict[str, Any]) -> list[tuple[bytes, str | None, int | None]]:
    # The index of a part of a default RangeIndex does not count from 0.
    parts = [_cut(frame, start, stop) for start, stop in pairwise(BOUNDS)]
    is_default = isinstance(frame, pd.DataFrame) and is_default_index(frame.index)
    made = [_inspected(each.reset_index(drop=True) if is_default else each, suffix, options) for each in parts]
    return [(b"".join(map(bytes, each.chunks())), each.schema, each.rows) for each in made]


def _facts(file: PartFile | None) -> tuple[bytes, str | None, int | None]:
    assert file is not None
    return file.content, file.schema, file.rows


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize(("frame", "options"), TOGETHER.values(), ids=TOGETHER)
def test_they_are_the_same(frame: Any, options: dict[str, Any], suffix: Any) -> None:
    files = part_files(_inspected(frame, suffix, options), BOUNDS)
    assert files is not None
    assert [_facts(each) for each in files] == _made_alone(frame, suffix, options)


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("frame", ALONE.values(), ids=ALONE)
def test_what_differs_from_part_to_part_is_not_made_together(frame: Any, suffix: Any) -> None:
    inspected = _inspected(frame, suffix, {"nested": "json"})
    files = None if inspected.refusal else part_files(inspected, BOUNDS)
    if files is not None:  # then it makes no difference in this format
        assert suffix != "csv"
        assert [_facts(each) for each in files] == _made_alone(frame, suffix, {})


def test_what_is_lost_is_not_made_together() -> None:
    frame = pd.DataFrame({"x": [float("inf")] * ROWS})
    assert part_files(_inspected(frame, "json", {}), BOUNDS) is None


def test_what_cannot_be_written_is_not_made_together() -> None:
    frame = pd.DataFrame({"x": pd.Series([{1}] * ROWS, dtype=object)})
    assert part_files(_inspected(frame, "json", {}), BOUNDS) is None


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_part_whose_times_have_another_form_is_made_alone(suffix: Any) -> None:
    frame = pd.DataFrame({"a": TIMES + pd.to_timedelta([0] * 4 + [7] * (ROWS - 4), unit="s"), "n": 1})
    files = part_files(_inspected(frame, suffix, {}), BOUNDS)
    assert files is not None
    made = list(files)
    assert [each is None for each in made] == [suffix != "parquet"] * 2 + [False] * 3
    alone = _made_alone(frame, suffix, {})
    assert [_facts(each) for each in made if each is not None] == alone[2 if suffix != "parquet" else 0 :]
