"""Every warning points at the line of the user's own code, from any depth of calls and from threads."""

from __future__ import annotations

import linecache
import re
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dask
import dask.dataframe as dd
import httpx
import pandas as pd
import pyarrow as pa
import pytest

import digime_pandas as digime
import digime_pandas.dask
from digime_pandas._client.preview import preview
from digime_pandas._client.write_each import write_each
from digime_pandas._service.descriptor import SCHEMA_PREFIX
from digime_pandas.errors import DigimeWarning, FidelityWarning, warn
from digime_pandas.sandbox import Sandbox

Authorize = Callable[..., digime.Authorization]
LOSSY = pd.DataFrame({"x": [1.0, float("inf")]})  # JSON has no infinity


def assert_here(warned: pytest.WarningsRecorder, count: int = 1) -> None:
    """Every warning was given for a line of this file that ends in the word "here"."""
    lines = {
        (warning.filename, linecache.getline(warning.filename, warning.lineno).rstrip()[-6:]) for warning in warned
    }
    assert lines == {(__file__, "# here")}
    assert len(warned) == count


def nested(depth: int, call: Callable[[], object]) -> object:
    return call() if depth == 0 else nested(depth - 1, call)


@pytest.mark.parametrize("depth", [0, 5])
@pytest.mark.parametrize("frame", [LOSSY, LOSSY["x"], pa.Table.from_pandas(LOSSY)], ids=["frame", "series", "table"])
def test_write(client: digime.Client, person: digime.Authorization, frame: object, depth: int) -> None:
    options: dict[str, Any] = {"account_id": person.account_id, "client": client}
    with pytest.warns(FidelityWarning) as warned:
        nested(depth, lambda: digime.write(frame, "x.json", **options))  # here
    assert_here(warned)


@pytest.mark.parametrize("frame", [LOSSY, LOSSY["x"]], ids=["frame", "series"])
def test_the_accessor_s_write(client: digime.Client, person: digime.Authorization, frame: Any) -> None:
    with pytest.warns(FidelityWarning) as warned:
        frame.digime.write("x.json", person.account_id, client=client)  # here
    assert_here(warned)


@pytest.mark.parametrize("rows", [2, 300_000], ids=["small", "large"])
def test_a_stream_whose_last_value_is_lost(client: digime.Client, person: digime.Authorization, rows: int) -> None:
    table = pa.table({"x": [1.0] * (rows - 1) + [float("inf")]})
    reader = pa.RecordBatchReader.from_batches(table.schema, iter(table.to_batches(max_chunksize=10_000)))
    with pytest.warns(FidelityWarning) as warned:
        digime.write(reader, "x.json", person.account_id, client=client)  # here
    assert_here(warned)


@pytest.fixture
def everybody(sandbox: Sandbox, client: digime.Client, authorize: Authorize, account_id: str) -> list[str]:
    accounts = [f"{account_id}-{letter}" for letter in "abc"]
    for each in accounts:
        authorize(sandbox, client, each)
    return accounts


@pytest.mark.parametrize("workers", [1, 3])
def test_write_each(client: digime.Client, everybody: list[str], workers: int) -> None:
    frame = pd.DataFrame({"who": everybody, "x": float("inf")})
    with pytest.warns(FidelityWarning) as warned:
        frame.digime.write_each("who", "x.json", client=client, workers=workers)  # here
    assert_here(warned)
    with pytest.warns(FidelityWarning, match=r"^'x\.json': Not .*for 3 of 3 accounts") as warned:
        write_each(frame, "who", "x.json", client=client, workers=workers)  # here
    assert_here(warned)


def test_a_warning_that_is_made_an_error_keeps_everything_from_being_sent(
    client: digime.Client, everybody: list[str], sandbox: Sandbox
) -> None:
    frame = pd.DataFrame({"who": everybody, "x": [1.0, float("inf"), 3.0]})
    with warnings.catch_warnings():
        warnings.simplefilter("error", FidelityWarning)
        with pytest.raises(FidelityWarning, match=rf"for 1 of 3 accounts, {everybody[1]!r}"):
            frame.digime.write_each("who", "x.json", client=client)
    assert [sandbox.files(each) for each in everybody] == [[], [], []]


@pytest.mark.parametrize("scheduler", ["threads", "sync"])
def test_dask(client: digime.Client, person: digime.Authorization, scheduler: str) -> None:
    frame = dd.from_pandas(pd.DataFrame({"x": [1.0, float("inf"), float("inf")]}), npartitions=3)
    with dask.config.set(scheduler=scheduler), pytest.warns(FidelityWarning) as warned:
        frame.digime.write("x-*.json", person.account_id, client=client)  # here
    assert_here(warned, 2)
    assert all(re.match(rf"'x-0000\d-of-00003\.json' for '{person.account_id}': N", str(e.message)) for e in warned)


RUN_AGAIN = """
import pandas as pd
import digime_pandas as digime

client = digime.connect("sandbox")
client.sandbox.approve_all(["patient-17"], tokens=client.tokens)
lossy = pd.DataFrame({"x": [1.0, float("inf")]})
for _ in range(3):
    lossy.digime.write("x.json", account_id="patient-17")
cell = compile('lossy.digime.write("y.json", account_id="patient-17")', "cell", "exec")
for _ in range(2):
    exec(cell)
"""


@pytest.mark.slow
def test_a_line_that_is_run_again_warns_again_and_names_file_and_account() -> None:
    root = Path(digime.__file__).parent.parent
    done = subprocess.run([sys.executable, "-c", RUN_AGAIN], cwd=root, capture_output=True, text=True, check=True)
    for file, times in (("x.json", 3), ("y.json", 2)):
        said = f"FidelityWarning: '{file}' for account 'patient-17': Not everything is in the file: column 'x'"
        assert done.stderr.count(said) == times


def test_the_filters_of_the_user_are_obeyed() -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("once", DigimeWarning)
        warnings.simplefilter("ignore", FidelityWarning)
        for _ in range(2):
            warn("not shown", FidelityWarning)
            warn("shown once, as is wanted", DigimeWarning)
    assert [str(each.message) for each in caught] == ["shown once, as is wanted"]


def test_several_accounts_of_a_file_are_named(client: digime.Client, person: digime.Authorization) -> None:
    accounts = [person.account_id, "of-another"]
    with pytest.warns(FidelityWarning, match=rf"^'x\.json' for accounts '{person.account_id}', 'of-another': Not"):
        digime.write(LOSSY, "x.json", accounts, client=client)


def test_preview_warns_of_nothing(recwarn: pytest.WarningsRecorder) -> None:
    preview(LOSSY, "x.json", "p")
    LOSSY.digime.preview("x.json", "p")
    assert list(recwarn) == []


def test_reading_a_file_whose_schema_is_damaged(client: digime.Client, reader: digime.Authorization) -> None:
    account_id = reader.account_id
    frame = pd.DataFrame({"a": [1]})
    digime.write(frame, "a.csv", account_id, reference=["a.csv", f"{SCHEMA_PREFIX}{{"], client=client)
    with pytest.warns(FidelityWarning) as warned:
        digime.read_frame("a.csv", account_id=account_id, client=client)  # here
    assert_here(warned)
    (file,) = client.files(account_id)
    with pytest.warns(FidelityWarning) as warned:
        file.to_frame()  # here
    assert_here(warned)
    with pytest.warns(FidelityWarning) as warned:
        list(digime.read_batches("a.csv", account_id=account_id, client=client))  # here
    assert_here(warned)


def test_connecting_another_contract(sandbox: Sandbox, client: digime.Client, other_contract: digime.Contract) -> None:
    options: dict[str, Any] = {"base_url": sandbox.base_url, "tokens": client.tokens}
    with digime.connect(sandbox.contract, **options), pytest.warns(DigimeWarning) as warned:
        nested(3, lambda: digime.connect(other_contract, **options).close())  # here
    assert_here(warned)


def test_a_file_that_is_left_out_of_a_list(
    sandbox: Sandbox,
    client: digime.Client,
    reader: digime.Authorization,
    connected: Callable[..., digime.Client],
) -> None:
    digime.write(pd.DataFrame({"a": [1]}), "a.csv", reader.account_id, client=client)

    class Garbling(httpx.HTTPTransport):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            reply = super().handle_request(request)
            return httpx.Response(200, headers={"X-Metadata": "???"}) if request.method == "HEAD" else reply

    other = connected(sandbox, transport=Garbling(), tokens=client.tokens)
    with pytest.warns(DigimeWarning) as warned:
        other.files(reader)  # here
    assert_here(warned)
