# The stubs of pyarrow know fewer classes than it has.
# mypy: disable-error-code="misc"
from __future__ import annotations

from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

from digime_pandas._tabular.frames.arrow_input.type_facts import facts_of, is_encodable, stored_type


class Celsius(pa.ExtensionType):
    """An extension type of another package; as all of Python it has no hash."""

    def __init__(self) -> None:
        super().__init__(pa.int16(), "tests.celsius")

    def __arrow_ext_serialize__(self) -> bytes:
        return b""

    @classmethod
    def __arrow_ext_deserialize__(cls, storage_type: pa.DataType, serialized: bytes) -> Celsius:
        return cls()


def nullable(type: pa.DataType, *, name: str = "a") -> pa.DataType:
    return pa.struct([(name, type)])


@pytest.mark.parametrize(
    "type",
    [
        pa.dense_union([pa.field("a", pa.int8())]),
        pa.list_view(pa.int8()),
        pa.large_list_view(pa.int8()),
        pa.run_end_encoded(pa.int32(), pa.int8()),
        pa.month_day_nano_interval(),
        pa.decimal128(5, -2),
        pa.list_(pa.int8(), 0),
        pa.dictionary(pa.int8(), pa.null()),
        pa.dictionary(pa.int8(), pa.list_(pa.int8())),
        pa.dictionary(pa.int8(), pa.dictionary(pa.int8(), pa.string())),
    ],
    ids=str,
)
def test_what_no_file_holds_is_named_wherever_it_is(type: pa.DataType) -> None:
    for each in (type, pa.list_(type), pa.list_(nullable(type)), pa.map_(pa.string(), type)):
        facts = facts_of(each)
        assert facts.unsupported is not None
        assert (facts.unsupported.rule, facts.unsupported.seen) == ("other", str(type))


@pytest.mark.parametrize(
    ("type", "stored"),
    [
        (Celsius(), pa.int16()),
        (pa.list_(Celsius()), pa.list_(pa.int16())),
        (pa.map_(pa.string(), Celsius()), pa.map_(pa.string(), pa.int16())),
        (pa.list_(Celsius(), 2), pa.list_(pa.int16(), 2)),
        (pa.large_list(Celsius()), pa.large_list(pa.int16())),
        (pa.dictionary(pa.int8(), Celsius()), pa.dictionary(pa.int8(), pa.int16())),
        (pa.dictionary(pa.int8(), pa.uuid(), ordered=True), pa.dictionary(pa.int8(), pa.binary(16), ordered=True)),
        (pa.dictionary(pa.int8(), pa.decimal32(5, 2)), pa.dictionary(pa.int8(), pa.decimal128(5, 2))),
        (pa.struct([pa.field("a", pa.int8(), nullable=False)]), nullable(pa.int8())),
        (pa.opaque(pa.binary(), "point", "a database"), pa.binary()),
    ],
    ids=str,
)
def test_parts_that_do_not_come_back_are_stored_as_others(type: pa.DataType, stored: pa.DataType) -> None:
    facts = facts_of(type)
    assert stored_type(type) == facts.written == facts.spec.type == stored
    [finding] = facts.findings
    assert (finding.rule, finding.seen) == ("Arrow type that is not restored", f"{type} comes back as {stored}")


@pytest.mark.parametrize(
    "type",
    [
        pa.uuid(),
        pa.json_(),
        pa.bool8(),
        pa.decimal32(5, 2),
        pa.decimal256(76, 0),
        pa.string_view(),
        pa.list_(pa.uuid()),
    ],
    ids=str,
)
def test_types_that_the_schema_names_stay(type: pa.DataType) -> None:
    facts = facts_of(type)
    assert (facts.written, facts.findings, facts.unsupported) == (type, (), None)


@pytest.mark.parametrize(
    "values",
    [pd.period_range("2024-01", periods=1, freq="M"), pd.interval_range(0, 1, closed="left")],
    ids=["period", "interval"],
)
def test_types_of_pandas_are_what_they_are_in_pandas(values: pd.Index[Any]) -> None:
    facts = facts_of(pa.array(values).type)
    assert facts.spec.dtype_family == facts.rule == str(values.dtype).partition("[")[0]
    assert facts.spec.parameters in {"M", "left"}


@pytest.mark.parametrize(
    "type",
    [
        pa.struct([("a", pa.int8()), ("a", pa.int8())]),
        pa.list_(nullable(pa.int8(), name="a\0b")),
        pa.map_(pa.string(), nullable(pa.int8(), name="\0")),
    ],
    ids=str,
)
def test_names_of_members_that_json_cannot_tell_apart_are_found(type: pa.DataType) -> None:
    assert [each.rule for each in facts_of(type).findings] == ["member names that JSON lacks"]


def test_categories_are_of_what_arrow_makes_dictionaries_of() -> None:
    assert all(map(is_encodable, (pa.string(), pa.int8(), pa.decimal128(5, 2), pa.date32(), pa.binary(2))))
    others = (pa.uuid(), pa.decimal32(5, 2), pa.list_(pa.int8()), pa.dictionary(pa.int8(), pa.string()))
    assert not any(map(is_encodable, others))
