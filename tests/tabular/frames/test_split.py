# The stubs of pandas and numpy know fewer inputs than the libraries take.
# mypy: disable-error-code="arg-type, call-overload, index, list-item, type-var"
"""Which rows are whose: every row in exactly one part, every part one person's, whatever the keys are."""

from __future__ import annotations

import datetime as dt
import enum
import os
import unicodedata
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from digime_pandas._service.descriptor import check_accounts
from digime_pandas._tabular.frames import split as module
from digime_pandas._tabular.frames.split import AccountSplit, check_split, split_rows
from digime_pandas.errors import DescriptorError, InputError

EXAMPLES = int(os.environ.get("DIGIME_TEST_EXAMPLES", "200"))
many = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), database=None)

Make = Callable[[list[Any]], "pd.Series[Any]"]


class Ward(enum.StrEnum):
    EAST = "east"

    def __str__(self) -> str:
        return "another text"


class Number(enum.IntEnum):
    SEVEN = 7


def _of(dtype: Any) -> Make:
    return lambda values: pd.Series(values, dtype=dtype)


def _arrow(*types: pa.DataType) -> Make:
    """Make a column of Arrow values in two chunks, which differ in their dictionaries where there are any."""

    def make(values: list[Any]) -> pd.Series[Any]:
        half = len(values) // 2
        chunks = [pa.array(piece, type=types[0]) for piece in (values[:half], values[half:])]
        if len(types) > 1:
            chunks = [chunk.dictionary_encode() for chunk in chunks]
        return pd.Series(pd.arrays.ArrowExtensionArray(pa.chunked_array(chunks)))

    return make


def _category(dtype: Any) -> Make:
    """Make a categorical with a category nobody has, in an order that is not that of appearance."""

    def make(values: list[Any]) -> pd.Series[Any]:
        distinct = list(dict.fromkeys(reversed(values)))
        unused = ["nobody", *distinct] if all(isinstance(each, str) for each in distinct) else [-(10**6), *distinct]
        codes = [distinct.index(value) + 1 for value in values]
        return pd.Series(pd.Categorical.from_codes(codes, pd.Index(unused, dtype=dtype)))

    return make


TEXT = {
    "object": _of(object),
    "str": _of("str"),
    "string[python]": _of("string[python]"),
    "string[pyarrow]": _of("string[pyarrow]"),
    "Arrow string": _arrow(pa.string()),
    "Arrow large string": _arrow(pa.large_string()),
    "Arrow string view": _arrow(pa.string_view()),
    "Arrow dictionary of text": _arrow(pa.string(), pa.dictionary),
    "category of objects": _category(object),
    "category of string": _category("string[pyarrow]"),
}
NUMBERS = {
    "object": _of(object),
    **{dtype: _of(dtype) for dtype in ("int8", "int64", "uint64", "Int64", "UInt8", "Sparse[int64]")},
    "Arrow int16": _arrow(pa.int16()),
    "Arrow uint64": _arrow(pa.uint64()),
    "Arrow dictionary of numbers": _arrow(pa.int32(), pa.dictionary),
    "category of int64": _category("int64"),
    "category of Int64": _category("Int64"),
}


def split(column: pd.Series[Any]) -> dict[str, list[int]]:
    found = split_rows(pd.DataFrame({"x": 0, "who": column}), "who", check_accounts)
    return dict(zip(found.accounts, [own.tolist() for own in found.positions], strict=True))


def items(found: dict[str, list[int]]) -> list[tuple[str, list[int]]]:
    return list(found.items())


@pytest.mark.parametrize("make", TEXT.values(), ids=TEXT)
def test_text_of_any_dtype_is_split_in_order_of_first_appearance(make: Make) -> None:
    found = split(make(["b", "a", "B", "a", "b", "01", "1"]))

    assert items(found) == [("b", [0, 4]), ("a", [1, 3]), ("B", [2]), ("01", [5]), ("1", [6])]


@pytest.mark.parametrize("make", NUMBERS.values(), ids=NUMBERS)
def test_whole_numbers_of_any_dtype_are_their_decimal_text(make: Make) -> None:
    assert items(split(make([7, 101, 7, 0]))) == [("7", [0, 2]), ("101", [1]), ("0", [3])]


@pytest.mark.parametrize("name", [name for name in TEXT if "category" not in name])
def test_texts_that_differ_only_after_a_nul_are_different_people(name: str) -> None:
    found = split(TEXT[name](["a\0b", "a", "a\0c", "a", "a\0", "a\0b"]))

    assert items(found) == [("a\0b", [0, 5]), ("a", [1, 3]), ("a\0c", [2]), ("a\0", [4])]


def test_numbers_that_python_and_numpy_write_differently_are_one_key() -> None:
    values = [1, np.int64(1), np.uint8(1), "x", np.str_("x"), 2**70, 2**70, -1, -2, Number.SEVEN, 7, Ward.EAST, "east"]

    found = split(pd.Series(values, dtype=object))

    assert items(found) == [
        ("1", [0, 1, 2]),
        ("x", [3, 4]),
        (str(2**70), [5, 6]),
        ("-1", [7]),
        ("-2", [8]),
        ("7", [9, 10]),
        ("east", [11, 12]),
    ]


def test_numbers_of_all_kinds_among_objects_are_one_key_when_they_are_equal() -> None:
    values = [1, np.int64(1), np.uint8(1), np.uint64(2**63), 2**63, Number.SEVEN, 7]

    for kept, expected in ((values, ["1", str(2**63), "7"]), (values[:3], ["1"]), (values[5:], ["7"])):
        assert list(split(pd.Series(kept, dtype=object))) == expected


def test_numbers_at_the_ends_of_their_range_stay_apart() -> None:
    largest = 2**64 - 1

    assert items(split(pd.Series([largest, largest - 1, 0], dtype="uint64"))) == [
        (str(largest), [0]),
        (str(largest - 1), [1]),
        ("0", [2]),
    ]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (1, "1"),
        ("-7", -7),
        ("caf\u00e9", "cafe\u0301"),
        ("\u1e69", "s\u0307\u0323"),
        ("a", " a"),
        ("a", "a\t"),
        ("a", "\u00a0a\u3000"),
        ("a", "a\u200b"),
        ("a", "\ufeffa"),
        ("e\u200d\u0301", "\u00e9"),
        ("ab", "a\u00adb"),
        ("ab", "\u202aab\u202c"),
        (1, " 1"),
    ],
)
def test_two_keys_that_would_be_one_account_are_shown_with_their_rows(first: object, second: object) -> None:
    column = pd.Series(["z", first, first, second, second], dtype=object)

    with pytest.raises(InputError, match="'who'") as caught:
        split(column)

    for shown in (f"{first!r} ", "in row 1", f"{second!r} ", "in row 3"):
        assert shown in str(caught.value)


def test_keys_that_look_alike_are_also_shown_in_a_form_that_tells_them_apart() -> None:
    with pytest.raises(InputError, match=r"'caf\\xe9'.*'cafe\\u0301'|caf\\xe9.*cafe\\u0301"):
        split(pd.Series(["caf\u00e9", "cafe\u0301"]))


@pytest.mark.parametrize("make", [TEXT["str"], TEXT["Arrow dictionary of text"], TEXT["category of objects"]])
def test_blanks_are_found_in_every_dtype(make: Make) -> None:
    with pytest.raises(InputError, match="'a' in row 1 and 'a ' in row 2"):
        split(make(["b", "a", "a ", "a"]))


def test_a_category_of_a_number_and_one_of_its_text_are_two_keys_of_one_account() -> None:
    column = pd.Series(pd.Categorical.from_codes([1, 0], pd.Index(["1", 1], dtype=object)))

    with pytest.raises(InputError, match="1 in row 0 and '1' in row 1"):
        split(column)


@pytest.mark.parametrize(
    ("value", "named"),
    [
        (["a"], "a list"),
        ({"a": 1}, "a dict"),
        (("a",), "a tuple"),
        (b"a", "a bytes"),
        (1.0, "a float"),
        (np.float64(1), "a float"),
        (Decimal(1), "a Decimal"),
        (1j, "a complex"),
        (True, "True, a bool"),
        (np.True_, "a bool"),
        (dt.date(2026, 1, 5), "a date"),
        (pd.Timestamp("2026-01-05"), "a Timestamp"),
        pytest.param(10**5000, "more digits", id="5001 digits"),
    ],
)
def test_what_is_neither_text_nor_a_whole_number_is_refused_with_its_row(value: object, named: str) -> None:
    column = pd.Series(["a", 1, None, "a"], dtype=object)
    column.array[2] = value

    with pytest.raises(InputError, match=rf"'who' \(object\).*{named}.*row 2|row 2.*{named}"):
        split(column)


@pytest.mark.parametrize(
    ("column", "named"),
    [
        (pd.Series([1.5]), "float64.*1.5, a float.*row 0"),
        (pd.Series([1.0, 2.0], dtype="Float64"), "Float64.*row 0"),
        (pd.Series([True]), "bool.*row 0"),
        (pd.Series([True], dtype="boolean"), "boolean.*row 0"),
        (pd.Series(pd.to_datetime(["2026-01-05"])), "datetime64.*row 0"),
        (pd.Series(pd.Categorical.from_codes([1, 1, 0], [0.5, 7.0])), "category.*7.0, a float.*row 0"),
        (pd.Series(pd.Categorical.from_codes([1, 0], pd.Index(["a", ("b",)], dtype=object))), "a tuple.*row 0"),
        (pd.Series(pd.arrays.ArrowExtensionArray(pa.array([b"a"]))), "binary.*a bytes.*row 0"),
        (pd.Series(pd.arrays.ArrowExtensionArray(pa.array([["a"]]))), "list.*row 0"),
        (pd.Series(pd.arrays.ArrowExtensionArray(pa.array([1.5]).dictionary_encode())), "double.*row 0"),
        (pd.Series(pd.arrays.ArrowExtensionArray(pa.array([Decimal(1)]))), "decimal.*row 0"),
    ],
)
def test_a_dtype_of_other_values_is_named(column: pd.Series[Any], named: str) -> None:
    with pytest.raises(InputError, match=named):
        split(column)


@pytest.mark.parametrize("missing", [None, float("nan"), pd.NA, pd.NaT])
@pytest.mark.parametrize("dtype", [object, "str", "string[python]", "string[pyarrow]", "category"])
def test_a_row_without_an_account_id_is_refused(missing: object, dtype: Any) -> None:
    column = pd.Series(["a", missing, "a"], dtype=dtype)

    with pytest.raises(InputError, match=r"'who'.*row 1"):
        split(column)


@pytest.mark.parametrize(
    "column",
    [
        pd.Series([1, None, 3], dtype="Int64"),
        pd.Series([1, None, 3]),
        pd.Series(pd.arrays.ArrowExtensionArray(pa.array(["a", None, "b"]))),
        pd.Series(
            pd.arrays.ArrowExtensionArray(
                pa.DictionaryArray.from_arrays(pa.array([0, 1, 0]), pa.array(["a", None]))  # the null is a value
            )
        ),
    ],
)
def test_a_missing_value_of_any_kind_is_found(column: pd.Series[Any]) -> None:
    with pytest.raises(InputError, match="no account id in row 1"):
        split(column)


def test_a_dictionary_that_holds_a_value_twice_is_one_person() -> None:
    values = pa.DictionaryArray.from_arrays(pa.array([2, 0, 1]), pa.array(["a", "b", "a"]))

    assert items(split(pd.Series(pd.arrays.ArrowExtensionArray(values)))) == [("a", [0, 1]), ("b", [2])]


@pytest.mark.parametrize("make", [TEXT["object"], TEXT["string[python]"], TEXT["category of objects"]])
@pytest.mark.parametrize("bad", ["", " ", "\t\n", "\u3000", "\ud800", "a\udfff"])
def test_an_id_that_no_descriptor_can_carry_is_refused_with_its_row(make: Make, bad: str) -> None:
    with pytest.raises(DescriptorError, match=r"'who'.*row 2"):
        split(make(["a", "a", bad, "b", bad]))


def test_a_lone_surrogate_among_numbers_is_refused_with_its_row() -> None:
    with pytest.raises(DescriptorError, match=r"row 1.*surrogate"):
        split(pd.Series([7, "a\ud800", "b"], dtype=object))


def test_no_rows_are_no_accounts() -> None:
    for column in (pd.Series([], dtype=object), pd.Series([], dtype="float64"), pd.Series([], dtype="category")):
        assert split(column) == {}


@pytest.mark.parametrize(
    ("by", "named"),
    [
        ("x", "by='x'.*'who'"),
        ("twice", "by='twice'.*columns 1 and 2"),
        (["who"], r"by=\['who'\] is a list"),
        ({"who"}, "is a set"),
        (pd.Series(["a"]), "is a Series"),
        (slice(0, 1), "by="),
        (None, "by=None"),
        ("visit", r"by='visit'.*reset_index\(\)"),
    ],
)
def test_a_column_that_is_not_there_once_is_refused(by: Any, named: str) -> None:
    frame = pd.DataFrame([["a", 1, 2, 3]], columns=pd.Index(["who", "twice", "twice", pd.NA], dtype=object))
    frame.index.name = "visit"

    with pytest.raises(InputError, match=named):
        split_rows(frame, by, check_accounts)


def test_a_label_that_is_a_tuple_is_one_column() -> None:
    frame = pd.DataFrame([["a", 1], ["b", 2]], columns=pd.MultiIndex.from_tuples([("p", "who"), ("p", "x")]))

    assert split_rows(frame, ("p", "who"), check_accounts).accounts == ("a", "b")
    with pytest.raises(InputError, match="by='p'"):
        split_rows(frame, "p", check_accounts)


@pytest.mark.parametrize(
    ("accounts", "positions", "named"),
    [
        (("a", "b"), ([0, 2], [1, 3]), None),
        (("a", "b"), ([0, 2, 1], [3]), "rows 0 and 1"),
        (("a", "b"), ([0, 1], [2, 3]), "rows 0 and 1"),
        (("a", "b"), ([0, 2], [1]), "exactly one"),
        (("a", "b"), ([0, 2], [1, 3, 3]), "exactly one"),
        (("a", "b"), ([0, 2], [1, 1]), "exactly one"),
        (("a", "b"), ([0, 2], [1, 4]), "exactly one"),
        (("a", "b"), ([0, 2], [1, -1]), "exactly one"),
        (("b", "a"), ([0, 2], [1, 3]), "'a' in row 0, which is not 'b'"),
        (("a", "a"), ([0, 2], [1, 3]), "do not match"),
        (("a",), ([0, 2], [1, 3]), "do not match"),
        (("a", "b", "c"), ([0, 2], [1, 3], []), "do not match"),
        ((), (), "exactly one"),
    ],
)
@pytest.mark.parametrize("make", TEXT.values(), ids=TEXT)
def test_a_split_that_is_wrong_is_noticed(
    make: Make, accounts: tuple[str, ...], positions: Sequence[list[int]], named: str | None
) -> None:
    frame = pd.DataFrame({"who": make(["a", "b", "a", "b"])})
    wrong = AccountSplit(accounts, tuple(np.array(own, np.intp) for own in positions))

    if named is None:
        check_split(module.key_column(frame, "who"), wrong, "who")
        return
    with pytest.raises(InputError, match=named):
        check_split(module.key_column(frame, "who"), wrong, "who")


@pytest.mark.parametrize("make", NUMBERS.values(), ids=NUMBERS)
def test_a_wrong_split_of_numbers_is_noticed_too(make: Make) -> None:
    wrong = AccountSplit(("7", "8"), (np.array([0, 1]), np.array([2])))

    with pytest.raises(InputError, match="rows 0 and 1"):
        check_split(module.key_column(pd.DataFrame({"who": make([7, 8, 8])}), "who"), wrong, "who")


def test_keys_that_the_split_takes_for_one_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_factorize", lambda column, *_: (["a"], np.zeros(len(column), np.intp)))

    with pytest.raises(InputError, match="Nothing was sent"):
        split(pd.Series(["a", "a\0b", "a"], dtype=object))


def test_a_part_must_be_one_person_s() -> None:
    keys = pd.Series(["a", "a", "b"])

    def check(rows: int, account_id: str) -> None:
        check_split(keys[:rows], AccountSplit((account_id,), (np.arange(rows, dtype=np.intp),)), "who")

    check(2, "a")
    with pytest.raises(InputError, match="rows 0 and 2"):
        check(3, "a")
    with pytest.raises(InputError, match="not 'b'"):
        check(2, "b")


@pytest.mark.parametrize("dtype", [object, "str", "string", "category", pd.ArrowDtype(pa.string())])
def test_rows_without_a_key_are_left_out_where_that_is_asked_for(dtype: Any) -> None:
    keys = pd.Series([None, "b", None, "a", "b", None], dtype=dtype)
    found = split_rows(pd.DataFrame({"who": keys}), "who", check_accounts, drop_null=True)
    assert (found.accounts, found.left_out) == (("b", "a"), 3)
    assert [list(own) for own in found.positions] == [[1, 4], [3]]
    nobody = split_rows(pd.DataFrame({"who": keys[keys.isna()]}), "who", check_accounts, drop_null=True)
    assert (nobody.accounts, nobody.positions, nobody.left_out) == ((), (), 3)


def test_an_error_names_the_row_in_the_frame_where_others_are_left_out() -> None:
    frame = pd.DataFrame({"who": pd.Series([None, "a", None, 1.5, "a"], dtype=object)})
    with pytest.raises(InputError, match="a float, in row 3"):
        split_rows(frame, "who", check_accounts, drop_null=True)


def test_a_row_with_a_key_is_not_left_out() -> None:
    keys = pd.Series(["a", None, "a"])
    check_split(keys, AccountSplit(("a",), (np.array([0, 2], np.intp),), 1), "who")
    for own, left_out in (([0], 2), ([0, 2], 0), ([0, 1], 1)):
        with pytest.raises(InputError, match="exactly one"):
            check_split(keys, AccountSplit(("a",), (np.array(own, np.intp),), left_out), "who")


def test_rows_are_compared_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_COMPARED_ROWS", 2)
    keys = pd.Series(["a", "b", "a", "b", "b", "a"])
    parts = (np.array([0, 2, 5], np.intp), np.array([1, 3, 4], np.intp))
    check_split(keys, AccountSplit(("a", "b"), parts), "who")
    keys[4] = "c"
    with pytest.raises(InputError, match="rows 1 and 4 of one part differ"):
        check_split(keys, AccountSplit(("a", "b"), parts), "who")


@pytest.mark.parametrize("size", [1, 2, 3, 7])
@pytest.mark.parametrize("make", [_of(object), _of("string"), _of("category"), _arrow(pa.string()), _of("str")])
def test_rows_are_split_in_pieces(make: Make, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = ["c", "a", "c", "b", "a", "d", "a", "c", "e", "d"]
    frame = pd.DataFrame({"who": make(keys)})
    monkeypatch.setattr(module, "_COMPARED_ROWS", size)
    split = split_rows(frame, "who", check_accounts)
    assert split.accounts == ("c", "a", "b", "d", "e")
    assert [own.tolist() for own in split.positions] == [[0, 2, 7], [1, 4, 6], [3], [5, 9], [8]]


def test_the_frame_is_not_changed_and_its_labels_do_not_matter() -> None:
    frame = pd.DataFrame({"who": ["a", "b", "a"]}, index=[0, 0, 0])
    before = frame.copy(deep=True)

    found = split_rows(frame, "who", check_accounts)

    pd.testing.assert_frame_equal(frame, before)
    assert [own.tolist() for own in found.positions] == [[0, 2], [1]]


@pytest.mark.slow
def test_many_people_stay_apart_and_in_order() -> None:
    numbers = np.random.default_rng(17).integers(0, 70_000, 200_000)
    texts = pd.Series([f"patient-{number}" for number in numbers])

    found = split_rows(pd.DataFrame({"who": texts}), "who", check_accounts)

    assert list(found.accounts) == list(dict.fromkeys(texts))
    assert all((np.diff(own) > 0).all() for own in found.positions)
    assert sum(map(len, found.positions)) == len(texts)


# Everything below: texts and numbers that a hash table, a C string or an eye could take for one another.
PREFIX = "x" * 3000
LETTERS = ["a", "A", "b", "\0", "1", "0", "\U0001f600", "\ufffd"]
ODD = ["e", "\u00e9", "\u0301", " ", "\u200b", "\ufeff", "\ud800", "\udc00", "-"]
_CLEAN = st.text(LETTERS, min_size=1, max_size=4)
KEYS = st.one_of(_CLEAN, _CLEAN.map(lambda text: PREFIX + text), st.just("nobody"), st.just("None"), st.just("nan"))
ANY_KEYS = KEYS | st.text(LETTERS + ODD, max_size=4)
# Of equal hash in Python: -1 and -2, and those that differ by a multiple of 2**61 - 1.
WHOLE = st.sampled_from([0, 1, 10, -1, -2, 2**61 - 1, 2**61, 2**62 - 2, -(2**61), 2**63 - 1])
SMALL = st.sampled_from([0, 1, 2, 17, 127])


def _columns(values: st.SearchStrategy[Any], makers: Sequence[Make]) -> st.SearchStrategy[tuple[list[Any], Make]]:
    return st.tuples(st.lists(values, max_size=24), st.sampled_from(makers))


COLUMNS = st.one_of(
    _columns(KEYS, list(TEXT.values())),
    _columns(ANY_KEYS, list(TEXT.values())),
    _columns(SMALL, list(NUMBERS.values())),
    _columns(WHOLE, [_of("int64"), _of("Int64"), _arrow(pa.int64()), _category("int64"), _of(object)]),
    _columns(KEYS | WHOLE, [_of(object), _category(object)]),
    _columns(ANY_KEYS | WHOLE | st.integers(), [_of(object), _category(object)]),
)


def reference(values: list[Any]) -> dict[str, list[int]] | None:
    """Split in plain Python, or return None where the keys must be refused."""
    parts: dict[tuple[bool, str], list[int]] = {}
    for row, value in enumerate(values):
        parts.setdefault((isinstance(value, str), str(value)), []).append(row)
    texts = [text for _, text in parts]
    if any(not text.strip() or any(unicodedata.category(letter) == "Cs" for letter in text) for text in texts):
        return None
    shown = ["".join(letter for letter in text if unicodedata.category(letter) != "Cf") for text in texts]
    if len({unicodedata.normalize("NFC", text).strip() for text in shown}) < len(texts):
        return None
    return {text: rows for (_, text), rows in parts.items()}


@many
@given(COLUMNS)
@example((["a\0b", "a", "a\0c"], TEXT["object"]))
@example(([1, "1"], _of(object)))
@example(([0, 2**61 - 1], _of("int64")))
def test_any_keys_are_split_as_plain_python_splits_them_or_refused(made: tuple[list[Any], Make]) -> None:
    values, make = made
    try:
        column = make(values)
    except (ValueError, pa.ArrowException):
        return  # pandas or Arrow cannot hold them in this dtype
    if list(column) != values:
        return  # pandas took keys for one another when it made the categories
    expected = reference(values)

    if expected is None:
        with pytest.raises(InputError, match=r"'who'.*row \d"):
            split(column)
        return
    found = split(column)
    assert items(found) == items(expected)
    assert sorted(row for own in found.values() for row in own) == list(range(len(values)))
    assert all(len({(type(values[row]), values[row]) for row in own}) == 1 for own in found.values())
