"""One list of arguments for every kind of write, and each signature shows all of them."""

from __future__ import annotations

import inspect
import pydoc
from collections.abc import Callable

import pandas as pd
import pytest

import digime_pandas as digime
from digime_pandas._client.accessor import DigimeAccessor
from digime_pandas._client.arguments import WriteArguments
from digime_pandas._client.preview import preview
from digime_pandas._client.read import ReadArguments
from digime_pandas._client.write_each import write_each
from digime_pandas._client.write_plan import check_write_request
from digime_pandas._tabular.formats import FORMATS
from digime_pandas.dask import DaskDigimeAccessor

WRITES = [
    digime.write,
    preview,
    write_each,
    DigimeAccessor.write,
    DigimeAccessor.preview,
    DigimeAccessor.write_each,
    DaskDigimeAccessor.write,
    DaskDigimeAccessor.write_each,
]
READS = [digime.read_file, digime.read_frame, digime.read_batches]


@pytest.mark.parametrize("function", WRITES, ids=lambda each: each.__qualname__)
def test_a_write_shows_every_argument_with_its_default(function: Callable[..., object]) -> None:
    shown = inspect.signature(function).parameters
    assert set(WriteArguments.__annotations__) <= set(shown)
    assert all(each.kind is not inspect.Parameter.VAR_KEYWORD for each in shown.values())
    assert [shown[name].default for name in ("format", "tags", "index", "typed", "compression")] == [
        None,
        (),
        None,
        True,
        "snappy",
    ]
    assert "escape_formulas: 'bool' = False" in pydoc.render_doc(function)


@pytest.mark.parametrize("function", READS, ids=lambda each: each.__qualname__)
def test_a_read_shows_every_argument_with_its_default(function: Callable[..., object]) -> None:
    shown = inspect.signature(function).parameters
    assert set(ReadArguments.__annotations__) <= set(shown)
    assert shown["timeout"].default == 60.0
    with pytest.raises(TypeError, match="unexpected keyword argument 'sha'"):
        function("a.csv", account_id="p", sha="0")


def test_a_bound_method_shows_what_it_takes_beside_the_frame() -> None:
    assert next(iter(inspect.signature(pd.DataFrame().digime.write).parameters)) == "file_name"


def test_every_option_of_a_format_is_an_argument_and_the_other_way_round() -> None:
    options = {name for each in FORMATS.values() for name in each.options}
    assert set(WriteArguments.__annotations__) - {"format", "reference", "tags", "index", "mime_type"} == options


def test_what_is_no_argument_of_its_own_is_taken_for_an_option() -> None:
    request = check_write_request("visits.csv", "ana", {"format": "csv", "tags": ["t"], "typed": False})
    assert request.options == {"typed": False}
    with pytest.raises(digime.InputError, match=r"csv has no option 'escape_formula'. It has .*escape_formulas"):
        preview(pd.DataFrame({"a": [1]}), "a.csv", "p", escape_formula=True)  # type: ignore[call-arg]  # wrong on purpose
