"""Any frame that `write` takes is split, and what the arguments ask for is in the files."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Callable
from typing import Any

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import digime_pandas as digime
import digime_pandas.polars  # the accessor
from digime_pandas._client.each.table import COLUMNS, EachResult
from digime_pandas._tabular.frames import parts
from digime_pandas.errors import DigimeWarning, FidelityWarning
from digime_pandas.sandbox import Sandbox

ROWS = ["a", "b", "a", "c", "b", "a"]


@pytest.fixture
def three(people: list[str]) -> dict[str, str]:
    return dict(zip("abc", people, strict=False))


def _reader(frame: pd.DataFrame) -> Any:
    table = pa.Table.from_pandas(frame)
    return pa.RecordBatchReader.from_batches(table.schema, table.to_batches(max_chunksize=2))


def _views(frame: pd.DataFrame) -> Any:
    return pa.table({"who": pa.array(frame["who"], pa.string_view()), "pulse": frame["pulse"]})


def _dictionaries(frame: pd.DataFrame) -> Any:
    halves = [pa.array(frame["who"][half]).dictionary_encode() for half in (slice(0, 3), slice(3, 6))]
    return pa.table({"who": pa.chunked_array(halves), "pulse": frame["pulse"]})


def _relation(frame: pd.DataFrame) -> Any:
    connection = duckdb.connect()
    connection.register("rows", pa.Table.from_pandas(frame))
    return connection.sql("select * from rows")


MAKERS: dict[str, Callable[[pd.DataFrame], Any]] = {
    "pandas": lambda frame: frame,
    "polars": pl.from_pandas,
    "polars categorical": lambda frame: pl.from_pandas(frame).cast({"who": pl.Categorical}),
    "polars enum": lambda frame: pl.from_pandas(frame).cast({"who": pl.Enum(sorted(set(frame["who"])))}),
    "pyarrow table": pa.Table.from_pandas,
    "pyarrow batch": pa.RecordBatch.from_pandas,
    "reader": _reader,
    "views": _views,
    "dictionaries": _dictionaries,
    "duckdb": _relation,
}


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
@pytest.mark.parametrize("suffix", ["csv", "parquet"])
@pytest.mark.slow
def test_every_kind_of_frame(
    make: Callable[[pd.DataFrame], Any], suffix: str, three: dict[str, str], sandbox: Sandbox, client: digime.Client
) -> None:
    visits = pd.DataFrame({"who": [three[each] for each in ROWS], "pulse": [61, 72, 63, 80, 65, 71]})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FidelityWarning)
        result = digime.write_each(make(visits), "who", f"v.{suffix}", client=client)
    assert list(result["account_id"]) == list(three.values())
    assert set(result["status"]) == {"delivered"}
    for account_id in three.values():
        (file,) = sandbox.files(account_id)
        held = (pd.read_csv if suffix == "csv" else pd.read_parquet)(io.BytesIO(file.content))
        own = visits[visits["who"] == account_id]
        assert held["pulse"].tolist() == own["pulse"].tolist()
        assert set(held["who"]) == {account_id}
        others = [other for other in three.values() if other != account_id]
        assert not [other for other in others if other.encode() in file.content]


def test_rows_that_arrow_cannot_take_are_an_error_of_this_package(
    three: dict[str, str], client: digime.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> Any:
        raise pa.ArrowNotImplementedError("no kernel")

    monkeypatch.setattr(parts, "_take", refuse)
    result = digime.write_each(pa.table({"who": list(three.values())}), "who", "v.csv", client=client)
    assert result["status"].tolist() == ["failed"] * 3
    assert result["error"].str.startswith("The frame cannot be split by account").all()


def test_the_accessor_of_polars_splits_too(three: dict[str, str], client: digime.Client) -> None:
    frame: Any = pl.DataFrame({"who": list(three.values()), "pulse": [1, 2, 3]})
    assert set(frame.digime.write_each("who", "v.csv", client=client)["status"]) == {"delivered"}
    assert frame.digime.preview_each("who", "v.csv", client=client)["rows"].tolist() == [1, 1, 1]


@pytest.mark.parametrize(
    ("frame", "named"),
    [
        (pa.table({"a": [1]}), r"by='who' names no single column.*\['a'\]"),
        (pa.Table.from_arrays([pa.array(["x"])] * 2, names=["who", "who"]), "columns 0 and 1"),
        (pl.DataFrame({"who": [1.5]}), "a float, in row 0"),
        (pa.table({"who": ["x", None]}), r"no account id in row 1.*drop_null=True"),
        ([1, 2], "frame is a list"),
        (pl.LazyFrame({"who": [1.5]}), "a float, in row 0"),
        (pl.LazyFrame({"who": ["x"], "n": pl.Series([1], dtype=pl.Int128)}), "Column 'n' is Int128"),
    ],
)
def test_what_cannot_be_split_says_why(frame: Any, named: str, client: digime.Client) -> None:
    with pytest.raises(digime.InputError, match=named):
        digime.write_each(frame, "who", "v.csv", client=client)


@pytest.mark.parametrize("dtype", ["object", "string", "category"])
@pytest.mark.parametrize("make", [lambda frame: frame, pa.Table.from_pandas], ids=["pandas", "arrow"])
@pytest.mark.slow
def test_rows_without_an_account_id_are_left_out_where_that_is_asked_for(
    make: Callable[[pd.DataFrame], Any], dtype: Any, three: dict[str, str], sandbox: Sandbox, client: digime.Client
) -> None:
    keys = [None, three["a"], None, three["b"], three["a"], None]
    frame = make(pd.DataFrame({"who": pd.Series(keys, dtype=dtype), "pulse": range(6)}))
    with pytest.warns(DigimeWarning, match=r"^3 rows have no account id in column 'who' and are left out"):
        result = digime.write_each(frame, "who", "v.csv", client=client, drop_null=True)
    assert result["rows"].tolist() == [2, 1]
    held = [pd.read_csv(io.BytesIO(sandbox.files(three[each])[0].content))["pulse"].tolist() for each in "ab"]
    assert held == [[1, 4], [3]]


@pytest.mark.parametrize("make", [lambda frame: frame, pa.Table.from_pandas, pl.from_pandas])
def test_the_key_column_may_be_left_out(
    make: Callable[[pd.DataFrame], Any], three: dict[str, str], sandbox: Sandbox, client: digime.Client
) -> None:
    frame = make(pd.DataFrame({"x": range(3), "who": list(three.values()), "y": range(3)}))
    digime.write_each(frame, "who", "v.csv", client=client, keep_key=False)
    for place, account_id in enumerate(three.values()):
        (file,) = sandbox.files(account_id)
        assert file.content.decode().splitlines()[1] == f"{place},{place}"


def test_the_account_id_is_filled_into_the_name(three: dict[str, str], sandbox: Sandbox, client: digime.Client) -> None:
    frame = pd.DataFrame({"who": list(three.values())})
    result = frame.digime.write_each("who", "v-{account_id}.csv", client=client)
    assert result["file_name"].tolist() == [f"v-{account_id}.csv" for account_id in three.values()]
    assert [sandbox.files(each)[0].reference[0] for each in three.values()] == result["file_name"].tolist()


@pytest.mark.parametrize(
    ("file_name", "key", "named"),
    [
        ("v-{who}.csv", "x", r"of braces, only {account_id}"),
        ("v-{.csv", "x", r"of braces, only {account_id}"),
        ("v-{account_id}}.csv", "x", r"of braces, only {account_id}"),
        (
            "{account_id}.csv",
            "ward/7",
            r"for account 'ward/7': file_name 'ward/7.csv' holds '/'\. Leave {account_id} out",
        ),
        ("{account_id}.csv", "x" * 300, r"cannot be filled in .* at most 255"),
        ("{account_id}", "x", "suffix|format"),
    ],
)
def test_a_name_that_cannot_be_is_refused(file_name: str, key: str, named: str, client: digime.Client) -> None:
    with pytest.raises(digime.InputError, match=named):
        pd.DataFrame({"who": [key]}).digime.write_each("who", file_name, client=client)


def test_what_is_lost_is_said_once_and_told_of_each(people: list[str], client: digime.Client) -> None:
    values = [float("inf") if number < 2 else 1.0 for number in range(12)]
    frame = pd.DataFrame({"who": people, "x": values})
    frame.attrs["source"] = "ward 3"
    with pytest.warns(FidelityWarning) as warned:
        result = frame.digime.write_each("who", "v.json", client=client)
    assert len(warned) == 1
    text = str(warned[0].message)
    assert re.search(r"column 'x': 2 .*\(for 2 of 12 accounts, such as 'patient-\d+-00'\)", text)
    assert "attrs" in text
    assert (result["lost"] != "").tolist() == [True] * 2 + [False] * 10
    page = result._repr_html_()
    assert page.index("Losses") < page.index(f"{people[0]}: Not everything") < page.index("12 of 12 delivered")
    assert "column 'x': 1" in result["lost"].iloc[0]
    assert frame.attrs == {"source": "ward 3"}


def test_expired_consents_are_found_before_anything_is_sent(
    people: list[str], sandbox: Sandbox, client: digime.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_over, expired = digime.UserAccessToken.is_over, client.authorization(people[1]).user_access_token

    def ended(pair: digime.UserAccessToken, now: float) -> bool:
        assert not is_over(pair, now)
        return pair == expired

    monkeypatch.setattr(digime.UserAccessToken, "is_over", ended)
    frame = pd.DataFrame({"who": [*people, *[f"{people[0]}-{letter}" for letter in "efghi"]]})
    with pytest.raises(digime.NotAuthorizedError, match=r"6 of 17 .*: .*-01' \(expired\), .* and 1 more\. Nothing"):
        frame.digime.write_each("who", "v.csv", client=client)
    result = frame.digime.write_each("who", "v.csv", client=client, missing="skip")
    assert result["error_type"].dropna().tolist() == ["AuthorizationExpiredError"] + ["NotAuthorizedError"] * 5
    shown = frame.digime.preview_each("who", "v.csv", client=client)
    assert shown["consent"].tolist() == ["given", "expired"] + ["given"] * 10 + ["none"] * 5
    assert len(sandbox.files(people[1])) == 0


class TestResult:
    @pytest.fixture
    def result(self, people: list[str], client: digime.Client) -> pd.DataFrame:
        frame = pd.DataFrame({"account_id": [*people[:3], f"{people[0]}-nobody"], "x": 1})
        return frame.digime.write_each("account_id", "v.csv", client=client, missing="skip")  # type: ignore[no-any-return]

    def test_it_has_one_row_per_account(self, result: pd.DataFrame, people: list[str]) -> None:
        assert list(result.columns) == list(COLUMNS)
        assert {name: str(dtype) for name, dtype in result.dtypes.items()} == dict(COLUMNS)
        assert result["account_id"].tolist() == list(result.index) == [*people[:3], f"{people[0]}-nobody"]
        assert result.index.name is None  # a column is called so
        first: Any = result.loc[people[0]]
        assert first["write_id"].startswith("urn:uuid:")
        assert first[["rows", "attempts", "lost"]].tolist() == [1, 1, ""]
        assert first["delivered_at"].tzinfo is not None
        assert result["delivered_at"].isna().tolist() == [False] * 3 + [True]

    def test_it_shows_how_many_were_delivered(self, result: pd.DataFrame) -> None:
        assert repr(result).startswith("3 of 4 delivered (1 skipped)\n")
        shown: Any = result
        assert ">3 of 4 delivered (1 skipped)</span></p><div" in shown._repr_html_()
        assert 'class="digime-notice' not in shown._repr_html_()

    def test_what_is_made_of_it_is_a_plain_frame(self, result: pd.DataFrame) -> None:
        assert type(result) is EachResult
        assert {type(each) for each in (result.head(1), result.copy(), result[["rows"]])} == {pd.DataFrame}
        del result["status"]
        assert "delivered" not in repr(result)

    def test_an_empty_one_has_the_same_types(self, result: pd.DataFrame, client: digime.Client) -> None:
        frame = pd.DataFrame({"who": pd.Series([], dtype="str"), "x": []})
        empty = frame.digime.write_each("who", "v.csv", client=client)
        pd.testing.assert_series_equal(empty.dtypes, result.dtypes)
        assert repr(empty).startswith("0 of 0 delivered\n")


def test_progress_counts_people(people: list[str], client: digime.Client, capsys: pytest.CaptureFixture[str]) -> None:
    frame = pd.DataFrame({"who": [*people, f"{people[0]}-nobody"]})
    seen: list[tuple[int, int | None]] = []
    frame.digime.write_each("who", "v.csv", client=client, missing="skip", progress=lambda *each: seen.append(each))
    assert seen[-1] == (13, 13)
    assert seen == sorted(seen)
    frame.digime.write_each("who", "v.csv", client=client, missing="skip", progress=True)
    assert "(13 of 13 persons) done" in capsys.readouterr().err


def test_a_preview_says_of_each_what_a_write_then_does(
    people: list[str], client: digime.Client, sandbox: Sandbox
) -> None:
    notes: list[Any] = ["well"] * 10 + [{1, 2}, float("nan")]
    frame = pd.DataFrame({"who": people, "note": notes, "x": [1.0, float("inf")] * 6})
    shown = frame.digime.preview_each("who", "v-{account_id}.json", client=client)
    assert all(sandbox.files(account_id) == [] for account_id in people)
    with pytest.warns(FidelityWarning):
        result = frame.digime.write_each("who", "v-{account_id}.json", client=client).reset_index(drop=True)
    for name in ("account_id", "file_name", "rows"):
        pd.testing.assert_series_equal(shown[name], result[name])
    written = result["status"] == "delivered"
    assert written.sum() == 11
    pd.testing.assert_series_equal(shown["estimated_size"][written], result["size"][written], check_names=False)
    pd.testing.assert_series_equal(shown["lost"][written], result["lost"][written])
    assert shown["error"][~written].tolist() == result["error"][~written].tolist()
    assert shown["verdict"].tolist() == ["kept", "lost"] * 5 + ["impossible", "lost"]
