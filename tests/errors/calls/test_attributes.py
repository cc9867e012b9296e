from __future__ import annotations

import copy
import pickle

import pandas as pd
import pytest

import digime_pandas as digime
from digime_pandas.errors import DigimeError, UnknownNameError
from digime_pandas.errors.calls.attributes import NearNames
from digime_pandas.errors.calls.foreign_names import FOREIGN_METHODS


class Made(NearNames):
    def __init__(self) -> None:
        self.written = 1

    def files(self) -> None:
        """Do nothing."""


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("fils", r"'Made' object has no attribute 'fils'\. Did you mean files\?"),
        ("writen", r"Did you mean written\?"),
        ("to_csv", r"df\.digime\.write\("),
        ("zzz", r"It has files, written\."),
    ],
)
def test_an_unknown_attribute_says_what_was_meant(name: str, said: str) -> None:
    with pytest.raises(UnknownNameError, match=said) as caught:
        getattr(Made(), name)
    assert isinstance(caught.value, AttributeError)
    assert isinstance(caught.value, DigimeError)
    assert pickle.loads(pickle.dumps(caught.value)).remedy == caught.value.remedy


def test_what_programs_ask_for_is_answered_as_by_any_object() -> None:
    made = Made()
    assert not hasattr(made, "_repr_html_")
    assert getattr(made, "nothing", None) is None
    assert copy.copy(made).written == 1
    with pytest.raises(AttributeError) as caught:
        _ = made._zzz  # type: ignore[attr-defined]
    assert not isinstance(caught.value, DigimeError)


@pytest.mark.parametrize("name", FOREIGN_METHODS)
def test_every_foreign_method_is_answered_by_accessor_and_package(name: str) -> None:
    for owner in (pd.DataFrame().digime, digime):
        if not hasattr(owner, name):
            with pytest.raises(UnknownNameError, match=r"digime|client\.files|Nothing|Did you mean"):
                getattr(owner, name)


def test_importing_an_unknown_name_is_an_error_of_import() -> None:
    with pytest.raises(ImportError, match="wirte"):
        exec("from digime_pandas import wirte")
