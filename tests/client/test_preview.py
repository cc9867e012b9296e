"""A preview says what a write then does, and does nothing itself."""

from __future__ import annotations

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import digime_pandas as digime
from digime_pandas._client.preview import preview
from digime_pandas.sandbox import Sandbox


@pytest.fixture
def frame() -> pd.DataFrame:
    return pd.DataFrame({"day": pd.to_datetime(["2026-01-05", ""]), "pulse": [61, 62], "note": ["a<b", None]})


@pytest.mark.parametrize("suffix", ["csv", "json", "ndjson", "parquet"])
def test_it_shows_the_descriptor_rows_and_size_of_the_write_that_follows(
    frame: pd.DataFrame, suffix: str, person: digime.Authorization, client: digime.Client, sandbox: Sandbox
) -> None:
    name = f"visits.{suffix}"

    shown = frame.digime.preview(name, account_id=person.account_id, tags=["t"])

    assert sandbox.files(person.account_id) == []
    receipt = frame.digime.write(name, account_id=person.account_id, tags=["t"], client=client)
    assert shown.format == suffix
    assert shown.rows == receipt.rows
    assert shown.estimated_size == receipt.size
    assert shown.descriptor.mime_type == receipt.mime_type == shown.mime_type
    assert shown.descriptor.tags == receipt.descriptor.tags
    # The write id is new each time; all else is the same.
    assert shown.descriptor.reference[0] == receipt.descriptor.reference[0]
    assert shown.descriptor.reference[2:] == receipt.descriptor.reference[2:]
    assert [column.name for column in shown.columns] == ["day", "pulse", "note"]


def test_a_large_frame_is_projected_from_its_first_rows() -> None:
    frame = pd.DataFrame({"n": range(1_000_000, 1_040_000)})

    shown = frame.digime.preview("n.csv", account_id="a")

    assert shown.rows == 40_000
    assert shown.estimated_size == pytest.approx(40_000 * len("1000000\r\n"), rel=0.01)


def test_a_stream_is_not_read_ahead() -> None:
    table = pa.table({"a": [1, 2, 3]})
    reader = pa.RecordBatchReader.from_batches(table.schema, table.to_batches())

    shown = preview(reader, "a.csv", account_id="a")

    assert shown.rows is None
    assert shown.estimated_size is None
    assert reader.read_all().num_rows == 3


def test_it_shows_itself_as_text_and_as_html_without_markup_from_the_data(frame: pd.DataFrame) -> None:
    shown = frame.digime.preview("visits.json", account_id="<script>")

    assert "a<b" in repr(shown)
    assert "pulse" in repr(shown)
    page = shown._repr_html_()
    assert "<script>" not in page
    assert "a&lt;b" in page
    assert "nothing has been sent" in page


def test_verdicts_come_as_a_frame_too(frame: pd.DataFrame) -> None:
    table = frame.digime.preview("visits.csv", account_id="a").to_frame()

    assert list(table.index) == ["day", "pulse", "note"]
    assert set(table["verdict"]) <= {"kept", "changed", "lost", "impossible"}


def test_other_frames_are_previewed_by_the_same_rules() -> None:
    shown = preview(pl.DataFrame({"a": [1, 2]}), "a.ndjson", account_id="a")

    assert shown.sample.splitlines() == ['{"a":1}', '{"a":2}']


@pytest.mark.parametrize("length", [1, 12 << 20], ids=["one slice", "several slices"])
def test_rows_of_a_json_array_are_shown_on_lines_of_their_own(length: int) -> None:
    shown = preview(pd.DataFrame({"a": ["x" * length, "},{", "y"]}), "a.json", account_id="a")

    first, *others = shown.sample.splitlines()
    assert first.startswith('[{"a":"x')
    assert others == ['{"a":"},{"},', '{"a":"y"}]']


def test_what_is_impossible_is_shown_and_not_raised_and_the_write_then_refuses_it(
    person: digime.Authorization, client: digime.Client, sandbox: Sandbox
) -> None:
    frame = pd.DataFrame({"good": [1, 2], "bad": [1 + 2j, 3j]})

    shown = frame.digime.preview("x.csv", account_id=person.account_id)

    assert {column.name: column.verdict for column in shown.columns} == {"good": "kept", "bad": "impossible"}
    assert shown.rows == 2
    assert shown.estimated_size is None
    assert "real" in repr(shown)
    with pytest.raises(digime.FidelityError, match="'bad'"):
        frame.digime.write("x.csv", account_id=person.account_id, client=client)
    assert sandbox.files(person.account_id) == []


def test_what_a_write_would_warn_of_is_in_the_verdicts_and_not_warned_of() -> None:
    shown = pd.DataFrame({"x": [1.0, float("inf")]}).digime.preview("x.json", account_id="a")

    (column,) = shown.columns
    assert column.verdict == "lost"
    assert column.row == 1


def test_what_pandas_cannot_show_is_said_in_place_of_the_rows() -> None:
    frame = pd.DataFrame({"a": pd.array(pa.array(["x", None]), dtype=pd.ArrowDtype(pa.string_view()))})

    shown = frame.digime.preview("x.parquet", account_id="a")

    assert [column.verdict for column in shown.columns] == ["kept"]
    assert shown.sample.startswith("not shown: pandas has no text for them (NotImplementedError")
    assert '"a":"x"' in frame.digime.preview("x.ndjson", account_id="a").sample


def test_the_query_of_a_preview_is_closed_and_a_given_reader_is_not() -> None:
    database = pytest.importorskip("duckdb").connect()

    assert preview(database.sql("select 1 as n"), "x.csv", "a").rows == 1
    assert database.sql("select 1").fetchall() == [(1,)]
    assert preview(database.sql("select interval 3 months as n"), "x.csv", "a").columns[0].verdict == "impossible"
    assert database.sql("select 1").fetchall() == [(1,)]

    reader = database.sql("select 1 as n").to_arrow_reader()
    preview(reader, "x.csv", "a")
    assert reader.read_all().to_pydict() == {"n": [1]}


def test_a_damaged_column_is_shown_as_impossible() -> None:
    damaged = pa.DictionaryArray.from_arrays([0, 7], ["x"], safe=False)

    shown = preview(pa.table({"good": [1, 2], "bad": damaged}), "x.json", "a")

    assert [(column.name, column.verdict, column.row) for column in shown.columns] == [
        ("good", "kept", None),
        ("bad", "impossible", 1),
    ]


PROBLEMS = pd.DataFrame({"ok": [1], "bad": [1 + 2j], "inf": [float("inf")], "cat": pd.Categorical(["a"])})


def test_problems_come_first_and_each_column_says_whether_it_comes_back() -> None:
    shown = PROBLEMS.digime.preview("x.json", account_id="a")

    assert [column.name for column in shown.columns] == ["ok", "bad", "inf", "cat"]
    assert shown.comes_back == (True, False, False, True)
    assert shown.to_frame()["comes_back"].to_dict() == {"ok": True, "bad": False, "inf": False, "cat": True}
    for text in (repr(shown), shown._repr_html_()):
        titles = ("cannot be written as JSON; a write would be refused", "Not everything will be in the file", "x.json")
        order = [text.index(each) for each in titles]
        assert order == sorted(order)
    table = repr(shown).partition("columns:\n")[2].splitlines()
    assert [row.split()[0] for row in table[1:5]] == ["bad", "inf", "cat", "ok"]


@pytest.mark.parametrize(
    ("name", "options", "expected"),
    [
        ("x.csv", {}, True),
        ("x.csv", {"typed": False}, False),
        ("x.csv", {"reference": ["x.csv"]}, False),
        ("x.parquet", {}, True),
        ("x.parquet", {"reference": ["x.parquet"]}, True),
    ],
)
def test_what_comes_back_is_what_read_frame_returns(
    name: str, options: dict[str, object], expected: bool, reader: digime.Authorization, client: digime.Client
) -> None:
    frame = pd.DataFrame({"day": pd.Categorical(["a", "b"]), "small": pd.array([1, None], dtype="Int8")})
    account_id = reader.account_id

    shown = frame.digime.preview(name, account_id=account_id, **options)

    assert shown.comes_back == (expected, expected)
    frame.digime.write(name, account_id=account_id, client=client, **options)
    back = digime.read_frame(name, account_id=account_id, client=client)
    assert back.dtypes.equals(frame.dtypes) is expected


def test_a_frame_without_problems_shows_none() -> None:
    shown = pd.DataFrame({"a": [1]}).digime.preview("a.csv", account_id="a")

    assert repr(shown).startswith("file: a.csv")
    assert 'class="digime-notice' not in shown._repr_html_()
