from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest

import digime_pandas  # noqa: F401 - registers the accessor
from digime_pandas._client.accessor import DigimeAccessor
from digime_pandas._client.arguments import OPTION_DEFAULTS
from digime_pandas._client.client import Client
from digime_pandas._client.preview import preview
from digime_pandas._client.read import read_frame
from digime_pandas._client.write import write
from digime_pandas._client.write_each import write_each
from digime_pandas._service.authorization import Authorization

FRAME = pd.DataFrame({"day": ["2026-01-05"], "pulse": [61]}, index=pd.Index(["x"], name="key"))


@pytest.mark.parametrize("suffix", ["csv", "json", "ndjson", "parquet"])
def test_a_frame_is_written_and_stays_as_it_was(client: Client, reader: Authorization, suffix: str) -> None:
    frame, before = FRAME.copy(), FRAME.copy()
    frame.attrs["source"] = before.attrs["source"] = "ward 3"
    receipt = frame.digime.write(f"visits.{suffix}", account_id=reader.account_id, client=client, attrs=True)
    assert (receipt.status, receipt.rows) == ("delivered", 1)
    pd.testing.assert_frame_equal(frame, before)
    assert frame.attrs == before.attrs
    found = read_frame(f"visits.{suffix}", account_id=reader.account_id, client=client)
    pd.testing.assert_frame_equal(found, before)


@pytest.mark.parametrize("name", ["pulse", None])
def test_a_series_is_written_as_a_frame_of_one_column(client: Client, reader: Authorization, name: str | None) -> None:
    series: Any = pd.Series([61, 58], name=name)  # the stubs take an attribute of an int series for an int
    receipt = series.digime.write("pulse.csv", account_id=reader.account_id, client=client)
    assert receipt.rows == 2
    assert read_frame("pulse.csv", account_id=reader.account_id, client=client).iloc[:, 0].tolist() == [61, 58]


def test_the_accessor_keeps_nothing_but_the_frame() -> None:
    assert vars(FRAME.digime) == {"_frame": FRAME} or list(vars(FRAME.digime)) == ["_frame"]
    assert FRAME.digime._frame is FRAME


@pytest.mark.parametrize(
    ("method", "function"),
    [(DigimeAccessor.write, write), (DigimeAccessor.preview, preview), (DigimeAccessor.write_each, write_each)],
    ids=lambda each: each.__qualname__,
)
def test_accessor_and_function_take_the_same_arguments(
    method: Callable[..., object], function: Callable[..., object]
) -> None:
    _, *ours = inspect.signature(method).parameters.values()
    _, *theirs = inspect.signature(function).parameters.values()
    assert ours == theirs
    assert inspect.signature(method).return_annotation == inspect.signature(function).return_annotation


def test_a_preview_says_what_the_write_then_does(client: Client, person: Authorization) -> None:
    shown = FRAME.digime.preview("visits.csv", account_id=person.account_id)
    receipt = FRAME.digime.write("visits.csv", account_id=person.account_id, client=client)
    assert shown.descriptor.mime_type == receipt.mime_type
    assert shown.rows == receipt.rows


def test_every_method_has_its_manual() -> None:
    methods = [each for name, each in inspect.getmembers(DigimeAccessor, inspect.isfunction) if name[0] != "_"]
    assert len(methods) >= 3
    assert all(method.__doc__ for method in methods)


@pytest.mark.parametrize("frame", [FRAME, FRAME["pulse"]], ids=["frame", "series"])
def test_the_manual_of_write_has_every_argument_and_option_that_its_signature_shows(frame: Any) -> None:
    shown = list(inspect.signature(frame.digime.write).parameters)
    manual = inspect.getdoc(frame.digime.write) or ""
    assert re.findall(r"^    (\w+): ", manual.split("Args:")[1].split("Returns:")[0], re.MULTILINE) == shown
    assert {"tags", "nested", "compression"} < set(shown)


@pytest.mark.parametrize("name", ["preview", "write_each", "preview_each"])
def test_the_other_manuals_have_every_argument_or_name_it(name: str) -> None:
    method = getattr(FRAME.digime, name)
    shown = set(inspect.signature(method).parameters)
    manual = inspect.getdoc(method) or ""
    named = re.findall(r"^    (\w+): ", manual.split("Args:")[1].split("Returns:")[0], re.MULTILINE)
    others = re.findall(r"`(\w+)`", manual.split("arguments: As for `write`: ")[1].split(", and options")[0])
    assert shown - {*OPTION_DEFAULTS} == {*named, *others} - {"arguments"}
