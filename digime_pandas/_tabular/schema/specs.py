"""Specifications of columns as JSON and back. JSON that is read is not trusted."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, cast

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from digime_pandas._tabular.arrow import type_from_json, type_to_json
from digime_pandas._tabular.columns import (
    DTYPE_FAMILIES,
    TICKS_PER_SECOND,
    CategoryParameters,
    ColumnSpec,
    DtypeFamily,
    RangeParameters,
    StringParameters,
)
from digime_pandas._tabular.frames.restore import NULLS, restore, stored_type
from digime_pandas._tabular.schema.json_values import sayable, value_from_json, value_to_json
from digime_pandas._tabular.text_values import to_text

_DEEPEST_SPEC = 4
# A day within the years 1 to 9999, whose ends differ by zone.
_FIRST_SECOND, _END_SECOND = -62_135_510_400, 253_402_214_400
_WITH_INNER = frozenset(("category", "interval", "sparse"))
_Stored = str | list[Any]


def spec_to_json(spec: ColumnSpec) -> _Stored:
    """Return the type of a plain NumPy column, or else a list: family, type, parameters, inner spec.

    Args:
        spec: The specification.

    Raises:
        ValueError: A value in it, or its type, has no JSON form.
    """
    if spec.dtype_family == "numpy":
        stored = _plain_type_to_json(spec.type)
        if isinstance(stored, str):
            return stored
    type_json = type_to_json(spec.type)
    parts = [
        spec.dtype_family,
        type_json,
        _parameters_to_json(spec),
        spec_to_json(spec.inner) if spec.inner else None,
    ]
    while parts[-1] is None:
        parts.pop()
    return parts


@lru_cache(maxsize=256)
def _plain_type_to_json(type: pa.DataType) -> Any:
    # Cached here: types that have other types inside can be equal and have different forms.
    return type_to_json(type)


def spec_from_json(value: Any, depth: int = 0) -> ColumnSpec:
    """Return the specification that `spec_to_json` returned this form of.

    Args:
        value: The form, not trusted.
        depth: How many specifications it is inside of.

    Raises:
        ValueError: It is not the form of a specification (`pyarrow.ArrowInvalid` is one).
    """
    if isinstance(value, str):
        return _checked(ColumnSpec("numpy", type_from_json(value)))
    if not isinstance(value, list) or len(value) < 2:  # noqa: PLR2004 - a family and a type
        raise ValueError("not a column")
    family, type_json, parameters, inner_value = (*value, None, None)[:4]
    if not isinstance(family, str) or family not in DTYPE_FAMILIES or depth > _DEEPEST_SPEC:
        raise ValueError("not a column")
    inner = None if inner_value is None else spec_from_json(inner_value, depth + 1)
    if (family in _WITH_INNER) != (inner is not None):
        raise ValueError("not a column")
    known = cast("DtypeFamily", family)
    made = _parameters_from_json(known, parameters, inner)
    return _checked(ColumnSpec(known, type_from_json(type_json), made, inner))


def texts_of(array: pa.Array) -> list[str | None]:
    """Return values as a text format holds them.

    Args:
        array: The values, not lists or structs.
    """
    texts: list[str | None] = to_text(array).cast(pa.string()).to_pylist()
    return texts


def array_of(spec: ColumnSpec, texts: Any) -> pa.Array:
    """Return the values that `texts_of` was called with, as `restore` takes them from a text format.

    Args:
        spec: Their specification.
        texts: The texts, not trusted.

    Raises:
        ValueError: They are not texts of such values.
    """
    if not isinstance(texts, list):
        raise ValueError("not a list of values")
    stored = stored_type(spec)
    # Arrow casts no text to nothing, not even none at all.
    return pa.nulls(len(texts)) if pa.types.is_null(stored) else pa.array(texts, pa.string()).cast(stored)


def check_texts(array: pa.Array) -> None:
    """Check that values have texts: all have but times of years with more or fewer than four digits.

    Args:
        array: The values.

    Raises:
        ValueError: One has none.
    """
    if not pa.types.is_timestamp(array.type) or array.null_count == len(array):
        return
    bounds = pc.min_max(array.view(pa.int64()))
    per_second = TICKS_PER_SECOND[array.type.unit]
    if bounds["min"].as_py() < _FIRST_SECOND * per_second or bounds["max"].as_py() >= _END_SECOND * per_second:
        raise ValueError("times before the year 1 or after 9999 have no text")


def is_certain(spec: ColumnSpec) -> bool:
    """Return whether any values of a spec that have texts come back of them, so that it need not be tried.

    Args:
        spec: The specification.
    """
    return spec.dtype_family in {"numpy", "masked", "range", "string"}


def without_categories(spec: ColumnSpec) -> ColumnSpec:
    """Return the spec of a category without its categories.

    Args:
        spec: The specification of any column.

    Raises:
        ValueError: The schema cannot hold the categories.
    """
    if spec.dtype_family != "category" or not isinstance(spec.parameters, CategoryParameters):
        return spec
    _check_categories(spec, spec.parameters)
    return ColumnSpec("category", spec.type, spec.parameters._replace(categories=None), spec.inner)


@lru_cache(maxsize=1024)
def dtype_by_schema(spec: ColumnSpec) -> str:
    """Return the dtype (or Arrow type) that a spec comes back as from a schema, of a sparse one without its fill value.

    Args:
        spec: The specification, without categories.

    Raises:
        ValueError: The schema cannot hold the spec.
    """
    back = spec_from_json(spec_to_json(spec))
    made = restore(pa.nulls(0, back.type), back)
    if spec.dtype_family == "arrow":
        return str(spec.type if back.type == spec.type else back.type)
    if spec.dtype_family == "sparse":
        return f"Sparse[{made.dtype.subtype}, "
    return "RangeIndex" if spec.dtype_family == "range" else str(made.dtype)


def changed_name(spec: ColumnSpec) -> str | None:
    """Return in words that the name of the categories comes back as text; None where it does not, or there is none.

    Args:
        spec: The specification of any column.
    """
    parameters = spec.parameters
    name = parameters.name if isinstance(parameters, CategoryParameters) else None
    return None if sayable(name) is name else f"the name of its categories, a {type(name).__name__}, comes back as text"


def _check_categories(spec: ColumnSpec, parameters: CategoryParameters) -> None:
    if parameters.categories is None or spec.inner is None:
        return
    check_texts(parameters.categories)
    if is_certain(spec.inner):
        return
    if pa.types.is_string(parameters.categories.type):
        return
    stored = array_of(spec.inner, texts_of(parameters.categories))
    by_text = pd.Index(restore(stored, spec.inner, as_text=True))
    if not by_text.equals(pd.Index(restore(parameters.categories, spec.inner))):
        raise ValueError("its categories have no text that they can be made of again")


def _parameters_to_json(spec: ColumnSpec) -> Any:
    parameters = spec.parameters
    if isinstance(parameters, CategoryParameters):
        ordered, categories, freq, name = parameters
        parts = [ordered, None if categories is None else texts_of(categories), freq, value_to_json(sayable(name))]
        return parts if name is not None else parts[:3] if freq is not None else parts[:2]
    return value_to_json(parameters) if spec.dtype_family == "sparse" else parameters


def _parameters_from_json(  # noqa: PLR0911 - one case per family
    family: DtypeFamily, value: Any, inner: ColumnSpec | None
) -> Any:
    match family, value:
        case "category", [ordered, categories, *rest] if inner:
            known = None if categories is None else array_of(inner, categories)
            freq, name = (*rest, None, None)[:2]
            return CategoryParameters(bool(ordered), known, None if freq is None else str(freq), value_from_json(name))
        case "range", [int(start), int(stop), int(step)]:
            return RangeParameters(start, stop, step)
        case "string", ["python" | "pyarrow" as storage, "NA" | "nan" as na_value]:
            return StringParameters(storage, na_value)
        case "object", str(null) if null in NULLS:
            return null
        case "period" | "interval", str():
            return value
        case "sparse", _:
            return value_from_json(value)
        case "numpy" | "masked" | "arrow" | "extension", None:
            return None
    raise ValueError("not the parameters of a column")


def _checked(spec: ColumnSpec) -> ColumnSpec:
    """Return a spec whose type its family can have."""
    types, arrow = pa.types, spec.type
    is_number = types.is_boolean(arrow) or types.is_integer(arrow) or types.is_floating(arrow)
    fits = {
        "numpy": is_number or types.is_timestamp(arrow) or types.is_duration(arrow),
        "masked": is_number,
        "range": types.is_int64(arrow),
    }
    if not fits.get(spec.dtype_family, True):
        raise ValueError(f"{arrow} is no type of such columns")
    return spec
