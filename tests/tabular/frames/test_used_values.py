# The stubs of pandas and numpy know fewer inputs than the libraries take.
# mypy: disable-error-code="arg-type, assignment, attr-defined, call-overload, list-item, operator"
"""A file holds only what its rows use: nothing of the rows that were filtered out."""

from __future__ import annotations

import base64
import io
import json
import warnings
import zlib
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from digime_pandas._client.preview import preview
from digime_pandas._tabular.codecs import parquet
from digime_pandas._tabular.formats import CSV, FORMATS, JSON, NDJSON, PARQUET, Format
from digime_pandas._tabular.parse import parse, parse_batches
from digime_pandas._tabular.serialize import SerializableFrame, inspect_frame
from digime_pandas.errors import FidelityWarning
from tests.cells import skip_what_pyarrow_lacks
from tests.file_contents import inflated, unpacked

pytestmark = pytest.mark.slow

EVERY = pytest.mark.parametrize("format", FORMATS.values(), ids=lambda each: each.name)
TEXTUAL = pytest.mark.parametrize("format", [CSV, JSON, NDJSON], ids=lambda each: each.name)
OWN, FOREIGN = "alice", ["bob-7f3a91", "carol-99c1d0", "dave-5b2e44"]
PEOPLE = [FOREIGN[0], OWN, FOREIGN[1], OWN, FOREIGN[2]]
MINE = [name == OWN for name in PEOPLE]
NUMBERS = [71_307_719_001, 2, 71_307_719_003, 4, 71_307_719_005]
NEEDLES = [
    *(name.encode() for name in FOREIGN),
    *(base64.b64encode(name.encode())[:9] for name in FOREIGN),
    *(str(number).encode() for number in NUMBERS if number > 9),
    *(number.to_bytes(8, "little") for number in NUMBERS if number > 9),
]
DICTIONARY = pa.array(PEOPLE).dictionary_encode()
ORDERED = pa.DictionaryArray.from_arrays(DICTIONARY.indices, DICTIONARY.dictionary, ordered=True)
OFFSETS = pa.array(range(len(PEOPLE) + 1), pa.int32())
HIDDEN = pa.array([not own for own in MINE])


def part(**columns: Any) -> pd.DataFrame:
    frame = pd.DataFrame({"n": range(len(PEOPLE)), **columns})
    return frame[MINE]


def typed(array: pa.Array) -> Any:
    return pd.array(array, dtype=pd.ArrowDtype(array.type))


def labelled(labels: pd.Index[Any]) -> pd.DataFrame:
    frame = pd.DataFrame([range(len(PEOPLE))] * 2).set_axis(labels, axis=1)
    return frame.loc[:, [name.endswith(OWN) if isinstance(name, str) else OWN in name for name in labels]]


def with_attrs() -> pd.DataFrame:
    frame = part()
    frame.attrs = {"people": FOREIGN}
    return frame


def null_slots(array: pa.Array, *, keep: list[bool]) -> pa.Array:
    """Return an array of which only the slots to keep are valid, over the buffers of all."""
    bits = np.packbits(keep, bitorder="little").tobytes()
    children = [pc.list_flatten(array)] if pa.types.is_list(array.type) else None
    return pa.Array.from_buffers(array.type, len(array), [pa.py_buffer(bits), *array.buffers()[1:2]], children=children)


TEXT = pa.array(PEOPLE)
HIDDEN_TEXT = pa.Array.from_buffers(
    pa.string(), 5, [pa.py_buffer(np.packbits(MINE, bitorder="little").tobytes()), *TEXT.buffers()[1:]]
)
LISTS = pa.ListArray.from_arrays(OFFSETS, TEXT)
DICTIONARY_LISTS = pa.ListArray.from_arrays(OFFSETS, DICTIONARY)
METADATA = {"people": ",".join(FOREIGN), "PARQUET:field_id": "7"}
ARRAYS: dict[str, pa.Array] = {
    "dictionary": DICTIONARY,
    "ordered dictionary": ORDERED,
    "dictionary of numbers": pa.array(NUMBERS).dictionary_encode(),
    "dictionary with hidden codes": pa.DictionaryArray.from_arrays(
        null_slots(DICTIONARY.indices, keep=MINE), DICTIONARY.dictionary
    ),
    "list of dictionary": DICTIONARY_LISTS,
    "large list of dictionary": pa.LargeListArray.from_arrays(OFFSETS.cast(pa.int64()), DICTIONARY),
    "fixed list of dictionary": pa.FixedSizeListArray.from_arrays(DICTIONARY, 1),
    "struct of dictionary": pa.StructArray.from_arrays([DICTIONARY, OFFSETS[:5]], ["who", "i"]),
    "map of dictionary": pa.MapArray.from_arrays(OFFSETS, TEXT, DICTIONARY),
    "map by dictionary": pa.MapArray.from_arrays(OFFSETS, DICTIONARY, OFFSETS[:5]),
    "list of struct of dictionary": pa.ListArray.from_arrays(OFFSETS, pa.StructArray.from_arrays([ORDERED], ["who"])),
    "dictionary in null structs": pa.StructArray.from_arrays([DICTIONARY], ["who"], mask=HIDDEN),
    "required dictionary in null structs": pa.StructArray.from_arrays(
        [DICTIONARY], fields=[pa.field("who", DICTIONARY.type, nullable=False)], mask=HIDDEN
    ),
    "dictionary in null lists": null_slots(DICTIONARY_LISTS, keep=MINE),
    "dictionary in null fixed lists": pa.FixedSizeListArray.from_arrays(DICTIONARY, 1, mask=HIDDEN),
    "only null structs": pa.StructArray.from_arrays([DICTIONARY], ["who"], mask=pa.array([True] * 5)),
    "only null lists": null_slots(DICTIONARY_LISTS, keep=[False] * 5),
    "hidden text": HIDDEN_TEXT,
    "hidden in structs": pa.StructArray.from_arrays([TEXT], ["who"], mask=HIDDEN),
    "hidden in lists": null_slots(LISTS, keep=MINE),
    "hidden in fixed lists": pa.FixedSizeListArray.from_arrays(TEXT, 1, mask=HIDDEN),
    "metadata of a member": pa.StructArray.from_arrays(
        [OFFSETS[:5], LISTS], fields=[pa.field("i", pa.int32(), metadata=METADATA), pa.field("l", LISTS.type)]
    ),
    "metadata of the members of a list": pa.ListArray.from_arrays(
        OFFSETS, OFFSETS[:5], type=pa.list_(pa.field("item", pa.int32(), metadata=METADATA))
    ),
    "metadata of a dictionary": pa.StructArray.from_arrays(
        [DICTIONARY], fields=[pa.field("who", DICTIONARY.type, metadata=METADATA)]
    ),
}


def mine_of(table: pa.Table) -> pa.Table:
    return table.filter(pa.array(MINE))


def table_of(array: pa.Array) -> pa.Table:
    return pa.table({"n": range(5), "who": array})


def polars_frame() -> pl.DataFrame:
    enum = pl.Enum(sorted(set(PEOPLE)))
    return pl.DataFrame({"n": range(5), "who": PEOPLE}).with_columns(
        pl.col("who").cast(pl.Categorical).alias("category"),
        pl.col("who").cast(enum).alias("enum"),
        pl.struct(pl.col("who").cast(enum).alias("e"), pl.col("who").cast(pl.Categorical).alias("c")).alias("struct"),
        pl.concat_list(pl.col("who").cast(enum)).alias("list"),
    )


def split_chunks(array: pa.Array) -> pa.Table:
    """A table whose chunks have dictionaries of their own."""
    chunks = [array.slice(0, 3), pa.array(PEOPLE[::-1]).dictionary_encode().cast(array.type).slice(0, 4)]
    table = pa.table({"n": range(7), "who": pa.chunked_array(chunks)})
    return table.filter(pa.array([name == OWN for name in [*PEOPLE[:3], *PEOPLE[::-1][:4]]]))


# What the rows of one person still carry of the others'.
CARRIERS: dict[str, Callable[[], Any]] = {
    "category": lambda: part(who=pd.Categorical(PEOPLE)),
    "ordered category": lambda: part(who=pd.Categorical(PEOPLE, [*FOREIGN, OWN], ordered=True)),
    "category of objects": lambda: part(who=pd.Categorical(PEOPLE, pd.Index([*FOREIGN, OWN], dtype=object))),
    "category of numbers": lambda: part(who=pd.Categorical(NUMBERS)),
    "category of intervals": lambda: part(who=pd.Categorical(pd.IntervalIndex.from_arrays(NUMBERS, NUMBERS, "both"))),
    "category without a value": lambda: part(who=pd.Categorical([None] * 5, categories=FOREIGN)),
    "index": lambda: part().set_axis(pd.CategoricalIndex(PEOPLE, name="who")[MINE]),
    "categorical level": lambda: part(who=pd.Categorical(PEOPLE), k=range(5)).set_index(["who", "k"]),
    "level of text": lambda: pd.DataFrame(
        {"n": range(5)}, index=pd.MultiIndex.from_arrays([PEOPLE, NUMBERS, range(5)], names=["who", None, "k"])
    )[MINE],
    "labels": lambda: labelled(pd.CategoricalIndex([f"{i}{name}" for i, name in enumerate(PEOPLE)])),
    "levels of labels": lambda: labelled(pd.MultiIndex.from_arrays([PEOPLE, range(5)])),
    "categorical levels of labels": lambda: labelled(pd.MultiIndex.from_arrays([range(5), pd.Categorical(PEOPLE)])),
    "sparse numbers": lambda: part(who=pd.arrays.SparseArray(NUMBERS, fill_value=NUMBERS[0])),
    "sparse floats": lambda: part(who=pd.arrays.SparseArray([float(n) for n in NUMBERS], fill_value=71_307_719_001.0)),
    "masked": lambda: part(who=pd.arrays.IntegerArray(np.array(NUMBERS), np.array([True] * 5))),
    "attrs": with_attrs,
    "no rows": lambda: part(who=pd.Categorical(PEOPLE), sparse=pd.arrays.SparseArray(NUMBERS, fill_value=NUMBERS[0]))[
        :0
    ],
    "polars": lambda: polars_frame().filter(pl.col("who") == OWN),
    "polars series": polars_frame().filter(pl.col("who") == OWN)["enum"].to_frame,
    "polars stream": lambda: pa.RecordBatchReader.from_stream(
        polars_frame().filter(pl.col("who") == OWN).drop("who", "list")  # which older versions cannot stream
    ),
    "chunks": lambda: split_chunks(DICTIONARY),
    "batch": lambda: mine_of(table_of(DICTIONARY)).combine_chunks().to_batches()[0],
    **{f"pandas {name}": partial(part, who=typed(array)) for name, array in ARRAYS.items()},
    **{f"arrow {name}": partial(mine_of, table_of(array)) for name, array in ARRAYS.items()},
    **{f"sliced {name}": partial(table_of(array).slice, 1, 1) for name, array in ARRAYS.items()},
    **{f"stream of {name}": mine_of(table_of(array)).to_reader for name, array in ARRAYS.items()},
}


def written(frame: object, format: Format, **options: object) -> tuple[SerializableFrame, bytes]:
    if format is CSV:
        options = {"nested": "json", **options}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FidelityWarning)
        prepared = inspect_frame(frame, format, options=options).checked()
        return prepared, b"".join(prepared.chunks())


def held(prepared: SerializableFrame, data: bytes) -> bytes:
    parts = [data, inflated(prepared.schema) if prepared.schema else b""]
    return b"\n".join([*parts, *unpacked(data)] if prepared.format is PARQUET else parts)


@EVERY
@pytest.mark.parametrize("make", CARRIERS.values(), ids=CARRIERS)
def test_nothing_of_other_rows_is_in_a_file(format: Format, make: Callable[[], Any]) -> None:
    settings: list[dict[str, object]] = [{"compression": "none"}, {}] if format is PARQUET else [{}]
    for options in settings:
        everything = held(*written(make(), format, **options))
        assert not [needle for needle in NEEDLES if needle in everything]


def test_the_search_finds_what_is_there() -> None:
    for each in FORMATS.values():
        frame = pd.DataFrame({"who": pd.Categorical(PEOPLE), "n": NUMBERS})
        everything = held(*written(frame, each))
        assert {needle for needle in NEEDLES if needle in everything} > {name.encode() for name in FOREIGN}


SPLITS = {
    "unordered": pd.Categorical(PEOPLE),
    "ordered": pd.Categorical(PEOPLE, [*FOREIGN, OWN], ordered=True),
}


@EVERY
@pytest.mark.parametrize("values", SPLITS.values(), ids=SPLITS)
def test_a_file_comes_back_with_the_categories_its_rows_use(format: Format, values: pd.Categorical) -> None:
    expected = part(who=values.copy(), k=values)
    prepared, data = written(expected.set_index(["n", "k"]), format)
    found = parse(data, format, prepared.schema)
    for name in ("who", "k"):
        expected[name] = expected[name].cat.remove_unused_categories()
    pd.testing.assert_frame_equal(found, expected.set_index(["n", "k"]))


ORDER = ["z", "never", "a", "m", "b"]  # neither sorted nor in the order of the rows


def ordered_rows() -> pd.DataFrame:
    rng = np.random.default_rng(4)
    texts = rng.permutation(["m"] * 2_000 + ["a"] * 2_000 + ["z"] * 2_000)
    texts = np.concatenate([["b"] * 2_000, texts, ["z"] * 2_000])
    return pd.DataFrame({"n": range(len(texts)), "k": pd.Categorical(texts, ORDER, ordered=True)})


def test_order_holds_over_several_row_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet, "ROW_GROUP_BYTES", 10_000)
    frame = ordered_rows()
    prepared, data = written(frame, PARQUET)
    assert pq.read_metadata(io.BytesIO(data)).num_row_groups > 5
    expected = frame.assign(k=frame["k"].cat.remove_unused_categories())
    pd.testing.assert_frame_equal(parse(data, PARQUET), expected)
    pd.testing.assert_frame_equal(pd.concat(parse_batches(data, PARQUET, batch_rows=999), ignore_index=True), expected)
    pd.testing.assert_frame_equal(pd.read_parquet(io.BytesIO(data)), expected)
    column = pq.read_table(io.BytesIO(data))["k"]
    assert column.type.ordered
    assert column.unify_dictionaries().chunk(0).dictionary.to_pylist() == ["z", "a", "m", "b"]
    assert prepared.columns[1].verdict == "changed"


@pytest.mark.parametrize("kind", ["table", "pandas"])
def test_an_arrow_dictionary_is_cut_once_for_all_row_groups(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet, "ROW_GROUP_BYTES", 10_000)
    rows = ordered_rows()
    codes = pa.array(rows["k"].cat.codes, pa.int32())
    array = pa.DictionaryArray.from_arrays(codes, ORDER, ordered=True)
    chunked = pa.chunked_array([array.slice(0, 100), array.slice(100)])
    frame: Any = pa.table({"n": range(len(rows)), "k": chunked})
    if kind == "pandas":
        frame = frame.to_pandas(types_mapper=pd.ArrowDtype)
    _, data = written(frame, PARQUET)
    assert pq.read_metadata(io.BytesIO(data)).num_row_groups > 5
    column = pq.read_table(io.BytesIO(data))["k"]
    assert {tuple(chunk.dictionary.to_pylist()) for chunk in column.chunks} == {("z", "a", "m", "b")}
    assert column.type == array.type
    assert column.to_pylist() == array.to_pylist()
    assert parse(data, PARQUET)["k"].tolist() == array.to_pylist()


def test_a_stream_is_cut_batch_by_batch_and_says_that_an_order_may_be_lost() -> None:
    batches = [pa.DictionaryArray.from_arrays([code], ["c", "b", "a"], ordered=True) for code in (1, 0, 1)]
    table = pa.table({"k": pa.chunked_array(batches)})
    with pytest.warns(FidelityWarning, match=r"'k': is an ordered Arrow dictionary of a stream"):
        prepared = inspect_frame(table.to_reader(), PARQUET).checked()
    data = b"".join(prepared.chunks())
    assert prepared.columns[0].verdict == "changed"
    assert pq.read_table(io.BytesIO(data))["k"].to_pylist() == ["b", "c", "b"]


def test_indices_too_small_for_one_dictionary_are_cut_chunk_by_chunk() -> None:
    chunks = [
        pa.DictionaryArray.from_arrays(pa.array([start], pa.uint8()), [f"{start}-{i}" for i in range(200)])
        for start in (3, 4)
    ]
    table = pa.table({"k": pa.chunked_array(chunks)})
    prepared, data = written(table, PARQUET)
    assert pq.read_table(io.BytesIO(data))["k"].to_pylist() == ["3-3", "4-4"]
    assert b"3-7" not in held(prepared, data)
    assert "398 dictionary values" in prepared.columns[0].note


@pytest.mark.parametrize("kind", ARRAYS)
def test_values_of_all_kinds_stay_what_they_are_when_dictionaries_are_cut(kind: str) -> None:
    whole = table_of(ARRAYS[kind])
    skip_what_pyarrow_lacks(ARRAYS[kind].type, PARQUET)
    for table in (whole, whole.slice(1), whole.slice(2, 2), mine_of(whole)):
        for source in (table, table.to_reader(max_chunksize=2)):
            _, data = written(source, PARQUET)
            assert pq.read_table(io.BytesIO(data)).to_pylist() == table.to_pylist()


CUT: dict[str, tuple[Callable[[], Any], str, str]] = {
    "column": (lambda: part(who=pd.Categorical(PEOPLE)), "who", "3 categories that no row has: left out"),
    "one": (lambda: part(who=pd.Categorical([OWN] * 5, [OWN, "x"])), "who", "1 category that no row has: left out"),
    "index": (lambda: part().set_axis(pd.CategoricalIndex(PEOPLE)[MINE]), "index", "3 categories that no row has"),
    "level": (
        lambda: part(who=pd.Categorical(PEOPLE), k=range(5)).set_index(["who", "k"]),
        "who",
        "3 categories that no row has",
    ),
    "sparse": (
        lambda: part(who=pd.arrays.SparseArray(NUMBERS, fill_value=NUMBERS[0])),
        "who",
        "Sparse with a fill value that no row has: left out; the dtype comes back with NaN, 0 or False",
    ),
}
CUT_IN_PARQUET: dict[str, tuple[Callable[[], Any], str, str]] = {
    "pandas": (lambda: part(who=typed(DICTIONARY)), "who", "3 dictionary values that no row has: left out"),
    "nested": (lambda: part(who=typed(DICTIONARY_LISTS)), "who", "3 dictionary values that no row has: left out"),
    "arrow": (lambda: mine_of(table_of(DICTIONARY)), "who", "3 dictionary values that no row has: left out"),
    "polars": (lambda: polars_frame().filter(pl.col("who") == OWN), "enum", "3 dictionary values that no row has"),
}
CUTS = [
    pytest.param(each, *cut, id=f"{each.name}-{name}")
    for each in FORMATS.values()
    for name, cut in (CUT | CUT_IN_PARQUET if each is PARQUET else CUT).items()
]


@pytest.mark.parametrize(("format", "make", "column", "note"), CUTS)
def test_a_cut_is_in_the_verdict_and_warned_of_unless_the_frame_is_a_part(
    format: Format, make: Callable[[], Any], column: str, note: str
) -> None:
    with pytest.warns(FidelityWarning, match=f"column '{column}': ") as caught:
        prepared = inspect_frame(make(), format).checked()
    assert len(caught) == 1
    assert note in str(caught[0].message)
    for columns in (
        prepared.columns,
        inspect_frame(make(), format).columns,
        inspect_frame(make(), format, warn_of_cut=False).checked().columns,
        preview(make(), f"x{format.suffixes[0]}", account_id="a").columns,
    ):
        (verdict,) = [each for each in columns if each.name == column]
        assert verdict.verdict == "changed"
        assert note in verdict.note


@EVERY
def test_categories_of_labels_are_cut_with_a_warning(format: Format) -> None:
    labels = pd.CategoricalIndex(["a", "b"], categories=["c", "b", "a"])
    frame = pd.DataFrame([[1, 2]], columns=labels)
    with pytest.warns(FidelityWarning, match="column labels: 1 category that no row has: left out"):
        prepared = inspect_frame(frame, format).checked()
    found = parse(b"".join(prepared.chunks()), format, prepared.schema)
    pd.testing.assert_index_equal(found.columns, labels.remove_unused_categories())
    assert inspect_frame(frame, format, warn_of_cut=False).checked().rows == 1


SENT: dict[str, Callable[[], pd.DataFrame]] = {
    "column": lambda: part(who=pd.Categorical(PEOPLE, [*FOREIGN, OWN], ordered=True)),
    "index": lambda: part().set_axis(pd.CategoricalIndex(PEOPLE)[MINE]),
    "level": lambda: part(who=pd.Categorical(PEOPLE), k=range(5)).set_index(["who", "k"]),
    "labels": lambda: pd.DataFrame([[1]], columns=pd.CategoricalIndex([OWN], categories=[*FOREIGN, OWN])),
    "levels of labels": lambda: pd.DataFrame(
        [[1]], columns=pd.MultiIndex.from_arrays([[1], pd.Categorical([OWN], [*FOREIGN, OWN])])
    ),
}


@EVERY
@pytest.mark.parametrize("make", SENT.values(), ids=SENT)
def test_unused_categories_are_sent_on_request_and_counted(format: Format, make: Callable[[], pd.DataFrame]) -> None:
    with pytest.warns(FidelityWarning, match="3 categories that no row has: in the ") as caught:
        prepared = inspect_frame(make(), format, options={"keep_unused_categories": True}, warn_of_cut=False).checked()
    assert len(caught) == 1
    found = parse(b"".join(prepared.chunks()), format, prepared.schema)
    pd.testing.assert_frame_equal(found, make())
    verdicts = [each for each in prepared.columns if "3 categories that no row has" in each.note]
    assert {each.verdict for each in verdicts} <= {"changed"}
    assert len(verdicts) == ("labels" not in str(caught[0].message))
    shown = preview(make(), f"x{format.suffixes[0]}", account_id="a", keep_unused_categories=True)
    assert shown.columns == prepared.columns


@pytest.mark.parametrize("name", ["dictionary", "list of dictionary", "struct of dictionary"])
def test_unused_dictionary_values_are_sent_on_request_and_counted(name: str) -> None:
    for frame in (part(who=typed(ARRAYS[name])), mine_of(table_of(ARRAYS[name]))):
        with pytest.warns(FidelityWarning, match="3 dictionary values that no row has: in the file"):
            prepared = inspect_frame(frame, PARQUET, options={"keep_unused_categories": True}).checked()
        assert prepared.columns[-1].verdict == "changed"
        data = b"".join(prepared.chunks())
        assert name != "dictionary" or FOREIGN[0].encode() in held(prepared, data)
    stream = mine_of(table_of(ARRAYS[name])).to_reader()
    with pytest.warns(FidelityWarning, match="values of an Arrow dictionary that no row has"):
        prepared = inspect_frame(stream, PARQUET, options={"keep_unused_categories": True}).checked()
    data = b"".join(prepared.chunks())
    assert name != "dictionary" or FOREIGN[0].encode() in held(prepared, data)


@TEXTUAL
def test_without_a_schema_there_are_no_categories_to_speak_of(format: Format) -> None:
    frame = part(who=pd.Categorical(PEOPLE))
    for keep in (False, True):
        prepared = inspect_frame(frame, format, options={"typed": False, "keep_unused_categories": keep}).checked()
        assert "no row has" not in prepared.columns[1].note


@EVERY
def test_attrs_travel_on_request_only(format: Format) -> None:
    frame = pd.DataFrame({"a": [1, 2], "b": ["x", "y"]})
    frame.attrs = {"unit": "kg"}
    with pytest.warns(FidelityWarning, match="attrs: left out, .*; attrs=True sends them") as caught:
        prepared = inspect_frame(frame, format).checked()
    assert len(caught) == 1
    data = b"".join(prepared.chunks())
    assert parse(data, format, prepared.schema).attrs == {}
    assert b"kg" not in held(prepared, data)
    assert prepared.schema is None
    prepared = inspect_frame(frame, format, options={"attrs": True}).checked()
    assert parse(b"".join(prepared.chunks()), format, prepared.schema).attrs == {"unit": "kg"}
    assert frame.attrs == {"unit": "kg"}


@TEXTUAL
def test_attrs_that_have_no_schema_to_travel_in_are_warned_of(format: Format) -> None:
    frame = pd.DataFrame({"a": [1, 2]})
    frame.attrs = {"unit": "kg"}
    with pytest.warns(FidelityWarning, match="attrs: they are in the schema, which typed=False leaves out"):
        inspect_frame(frame, format, options={"attrs": True, "typed": False}).checked()


def test_a_sparse_column_with_a_fill_value_of_its_own_is_read_by_pandas() -> None:
    frame = pd.DataFrame({"s": pd.arrays.SparseArray([7, 7, 8], fill_value=7)})
    _, data = written(frame, PARQUET)
    assert pd.read_parquet(io.BytesIO(data))["s"].tolist() == [7, 7, 8]
    assert parse(data, PARQUET).dtypes.tolist() == [pd.SparseDtype("int64", 7)]


def test_metadata_of_pandas_counts_the_categories_of_the_part() -> None:
    labels = pd.CategoricalIndex([OWN], categories=[*FOREIGN, OWN])
    _, data = written(pd.DataFrame([[1]], columns=labels), PARQUET)
    metadata = json.loads(pq.read_metadata(io.BytesIO(data)).metadata[b"pandas"])
    assert metadata["column_indexes"][0]["metadata"]["num_categories"] == 1


# Written by the first version, which sent all categories, fill values and attrs.
OLD_SCHEMA = (
    "d1.eNqVkMEOgyAQRP9lzp5a04O_QkizRUo3WjArpjHGf-9CYg-9eWCHZd-EgQ0OnTFwlH1IsqIx6NllTpFKB475elEdSYK_z1k4BjRPGmdvG1NV"
    "LQ8lSJeD1VMc2J_LYFpJJH10Eikqa-sFt7bMTkbIspQERdQwJgXe3Gt98ekQCk8ks8cvTnvsakT9Igx-hS2v7DYskTM6DAH7_gX4QmiI"
)
OLD_FILES = {
    CSV: b"key,n,k,s\r\nb,1,lo,5\r\na,2,hi,6\r\n",
    JSON: b'[{"key":"b","n":1,"k":"lo","s":5},{"key":"a","n":2,"k":"hi","s":6}]\n',
    NDJSON: b'{"key":"b","n":1,"k":"lo","s":5}\n{"key":"a","n":2,"k":"hi","s":6}\n',
    PARQUET: zlib.decompress(
        base64.b85decode(
            "c-p;JOK&3C6)rICFrCh%JL*D^SP?3vQD@|C^Dv&l=}0NSKq0^e+Z2>zS@i<S+$tEVFks745@j)(Y-cgjj7C{R`5luivP!m5H0#-o"
            "G|Ob0b8hjp@hH7X$*!t<9^d`W<K9~w@wFK1V}Hv2ti*1z%#Rr6C+{-M??3!9{?F`tfBfjZ>Q?C&EW<u$f4mK5Pr+t$Yma&9QGy=%"
            "*)s;r-(eWvw<rGRjQ1bk1IsWQLCeR~GU)d*?iKWVrf&h}<r=Ar^+Ukg`&()2=Hz4l^S}7MDtiDb!oHqy`~Ew>L08h-fV*jEIOrG~"
            "l;GA1K`-eAy&Z$X{=rARd>-$HpV^=sUoLapoU?hf#PPm#!SRjuA0b^XKKm{A>96c>7}gj1b&?5g+G<BPW!BHIPhNO~8(n?!f+=l*"
            "6YGPq$8zPK?uyiA0>02zs1#wg*e9VRv-vbcU0Hv?7x>5%_{0+_MEuK14<UJm^)hgK3XeAcuo;RlKEOm2U+Bf=;}Fb8A-?bg{^W^#"
            "?s@Z8#RzQy_+teB`7-p3pr=c*KcUzkZ$!TIt|t9HMgLlg_Kf16J&~_B-n>;U)=&)m%NOuP{DI#+VnU_h4>Y4~nEFLuwlvue{?&WK"
            "soehA8K=sQ-tG-1-1Zr#8LDISEEz|fVL6F7Jc&GL>ld~&FswGW-I9r|pKqVhC%7nJA;Z7Qor9E{nceX^<N6bMFzAgyW62iSp3@2T"
            "c2W116r8~j8Q=pPNDmC4{o&p*-kJm$_vL}Db8|Yovo}f+Qp7?3apxH2{tY*@42Rq2x^3?E7MgsT&3`|-0Vho#U#LAYG%cIk56}F<"
            "oGZJa20B&U!2G5TZ`P0yuxJ@N(JoeHF7$;n>7x)QR(l%o40G1d>`&$jhz^CO?#P<#0LkzTr(0l)F@yf}B=_nAV7p+lN`cb6%V8$G"
            "Lt<JeLzT&WBGY2sp#nA+GdCLiG`!wG(+9c+0@_Kpx7*<bCF?#RYYm-g#nupU#Y;qR)|Dx`YhwO?MU0)h8nAtzjs3p|d`w&TjB2;T"
            "yXWg-r{y2$veO$-mc&p7xX8eLzAD1pl|Hax^`SJr_d5DI#@#MhEGZMOW2j?-PmcIXmOsAWPflvb!FOj1BurNbsQFs$P~3OVg5cku"
            "?%;LJ=Xst#<(IBZn?L0FCZDeI0?+qcVYSL1Ec9i3rumsZTTQ!TxKNc=`4P__xsK?uyK}U&Q<#qtpXc>SF{YR#DqQy3g6UX-6$R-C"
            "{j1f}<UzGwX;tgB(^EpH<KI8J-q{&dv+zo(q}nij!8T+u*_9fdRx_TmH8D0+C&HeP19`lj6iCz-GQ~?JK8`73vNg3Ou8s4)U?w|?"
            "cxoIP>7gc$?NWv}B$E&&Uu!95&XJD6E}x7k`4Qrbn&97TR9aerjHoU{V*vab5sVSU0k(~FvXQ7I)jZ<zhMK5NTwRQ4`5gGyIv6v="
            "PZYCqCFRLbnoz8I{h;X_W{Rm+eTDZm+KUO>m~+Y$2U4SJtmV6;Q}el@l+Rr+^J&I&QAyOURN&ndN7PQS>W*3<%W?G;t9o5F1mxjJ"
            "z!`9&P1Hfo(Y_I{bhLckQWC|!)F`jy5M+?&B9StfKdGY>Dx}qbm<lT~4Bfm)eMua58}V5!z~7yBUA~c5ypo}Mm@hWc>#3;TNE5e@"
            "$WY5RqwDewoNc9WkHg?04)Wwd4wryQq<Cr~i<OS@om|Qf)gJ9zOSN!&a?xubs}a?#chO!e6k}2&mMUe^OFawqbvc@{ShuBIYS<KG"
            "?%Y=S!TQ4*h*mDE57qqyd?sqVu1xK0AzRZP&Sy+RoMxg(Kz^kf)Bea4Lp5^~-NhW~B4C=S1jVr=qFR-{65pkK%9qVyIkP*4^}m{L"
            "vkpASm4cWV;ktBrFf1PzQ?T@L&*EpX@pK;=P4}ZV-9K=fq5IK+01wO=^e1r?!JPMOQZU9auJxOV8gNN=R14S4Qs0~7j%sS8k*GwW"
            "KDb70$;{c18?BUc%%(WLmW~laK)(*eW;7>7t${LY;j<1$oUG&o`*A3c82FAB^?^NX-XF*f#;{jhYI(?sn_GLS#~|mqi4?E5aK8Zz"
            "3*w8aR-GUp+CP-*_=?(!q>E2E-!&Sr*8rbuu<0wNim}+uM$wY$sf7&YhCYED6|XcJ6ZD_~u}*#6o;jW6kFL*3W)Tb831$~+u(U6m"
            "2gadg8=9ExYq(F)Ga!cbtzhXOR!fF{ZY0tj#jJJI(d_)ls`zH{^yuMd=Rq6Jm>smK3RIX|oHzXZwLs63HXeOcMo+%<XgW^k(rA>X"
            "c!hQTc^l8aCiYu~n)GH`*J*xAPOm~1kUyY$0q^-s99OYLGqjIYK07^3=bqoiKfjCT>1dTdXwvOvJc>WZt5r|uNa@iXlJvaB^8)>a"
            "#ktPAykI?L=~zYm^g3uSC{xs5GQlu>_k1|iomXnV|B8OYgs0yqVfX7Lgg-6kf6Qm_YyJp+<Np`qn|^5"
        )
    ),
}


@EVERY
@pytest.mark.skipif(int(pd.__version__.partition(".")[0]) < 3, reason="the file has text of the dtype str")
def test_files_of_the_first_version_come_back_with_all_their_categories(format: Format) -> None:
    frame = pd.DataFrame(
        {
            "n": [1, 2],
            "k": pd.Categorical(["lo", "hi"], ["lo", "mid", "hi"], ordered=True),
            "s": pd.arrays.SparseArray([5, 6], fill_value=4),
        },
        index=pd.CategoricalIndex(["b", "a"], categories=["b", "a", "c"], name="key"),
    )
    found = parse(OLD_FILES[format], format, None if format is PARQUET else OLD_SCHEMA)
    pd.testing.assert_frame_equal(found, frame)
    assert found.attrs == {"unit": "kg"}
