"""The types of options are those that the formats have, no more and no less."""

from __future__ import annotations

from typing import get_args, get_type_hints

import pytest

from digime_pandas import typing as public
from digime_pandas._client.arguments import REQUEST_DEFAULTS
from digime_pandas._client.options import CsvOptions, FileArguments, JsonOptions, ParquetOptions
from digime_pandas._tabular.formats import FORMATS, FormatName

OPTIONS = {"csv": CsvOptions, "json": JsonOptions, "ndjson": JsonOptions, "parquet": ParquetOptions}


@pytest.mark.parametrize("name", FORMATS)
def test_each_format_has_the_options_and_values_of_its_type(name: str) -> None:
    allowed = {
        option: {True, False} if hint is bool else set(get_args(hint))
        for option, hint in get_type_hints(OPTIONS[name]).items()
    }
    assert allowed == {option: set(values) for option, values in FORMATS[name].options.items()}


def test_the_formats_are_those_that_there_are() -> None:
    assert list(get_args(FormatName)) == list(FORMATS)
    named, nothing = get_args(get_type_hints(FileArguments)["format"])
    assert (named, nothing) == (FormatName, type(None))
    assert list(FileArguments.__annotations__) == list(REQUEST_DEFAULTS)


def test_users_find_them_in_one_module() -> None:
    assert {getattr(public, name) for name in public.__all__} >= {*OPTIONS.values(), FormatName}
