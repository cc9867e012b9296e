from __future__ import annotations

import pyarrow as pa
import pytest

from digime_pandas._tabular.columns import ColumnSpec
from digime_pandas._tabular.schema.fitting import IndexLevel, fit
from digime_pandas._tabular.schema.stored import Schema

SPECS = tuple(ColumnSpec("numpy", each) for each in (pa.int8(), pa.int16(), pa.int32(), pa.int64()))
NAMED = Schema(SPECS, index_names=(None, 7), index_freqs=(None, "D"), index_is_multi=True, names=("i", "j", "a", "b"))


def test_columns_are_found_by_their_names_in_any_order() -> None:
    fitted = fit(NAMED, ["b", "new", "j", "a", "i"])
    assert list(fitted.specs.items()) == [
        ("b", SPECS[3]),
        ("new", None),
        ("j", SPECS[1]),
        ("a", SPECS[2]),
        ("i", SPECS[0]),
    ]
    assert fitted.index == {"i": IndexLevel(None, None), "j": IndexLevel(7, "D")}
    assert fitted.labels == {"b": 1, "a": 0}
    assert fitted.unfit == ()


def test_what_is_gone_is_named() -> None:
    fitted = fit(NAMED, ["j"])
    assert fitted.index == {"j": IndexLevel(7, "D")}
    assert fitted.unfit == ("index level 'i': not in the file", "columns 'a', 'b': not in the file")


def test_only_some_of_many_names_are_listed() -> None:
    schema = Schema((SPECS[0],) * 9, names=tuple("abcdefghi"))
    assert fit(schema, ["a"]).unfit == ("columns 'b', 'c', 'd', 'e', 'f' and 3 more: not in the file",)


def test_without_names_columns_are_found_by_their_order() -> None:
    assert fit(Schema(SPECS), ["w", "x", "y", "z"]).specs == dict(zip("wxyz", SPECS, strict=True))
    with pytest.raises(ValueError, match="other columns"):
        fit(Schema(SPECS), ["w", "x", "y"])
