"""The demonstration and the table it is made with."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha1
from importlib.resources import files

import pandas as pd
import pytest

from digime_pandas._client.client import Client
from digime_pandas._client.demo import ACCOUNT, RoundTrip, _authorize, _difference, deliver_all, summary
from digime_pandas._client.write import write
from digime_pandas.data import penguins
from digime_pandas.sandbox import Sandbox

pytestmark = pytest.mark.slow

EQUAL = RoundTrip(
    format="csv",
    protocol="postbox",
    status="delivered",
    size=58385,
    rows=344,
    write_ms=12.3,
    read_ms=4.5,
    difference=None,
)


@pytest.fixture
def client(sandbox: Sandbox, connected: Callable[..., Client]) -> Client:
    made = connected(sandbox)
    made.sandbox = sandbox
    return made


def test_the_table_is_the_published_one_byte_for_byte() -> None:
    content = (files("digime_pandas.data") / "penguins.csv").read_bytes()
    # The id by which git knows inst/extdata/penguins_raw.csv of the palmerpenguins repository.
    blob = f"blob {len(content)}\0".encode() + content
    assert sha1(blob).hexdigest() == "ba99fbd527f0bb983b3d9615ef5c81a5917ab7d9"


def test_source_and_licence_are_named_beside_the_table() -> None:
    text = (files("digime_pandas.data") / "SOURCE.md").read_text(encoding="utf-8")
    assert "CC0 1.0" in text
    assert "Kristen Gorman" in text
    assert "https://doi.org/10.1371/journal.pone.0090081" in text


def test_the_table_has_typed_columns_and_missing_values_in_each_kind() -> None:
    frame = penguins()
    assert frame.shape == (344, 17)
    kinds = Counter(str(dtype).partition("[")[0] for dtype in frame.dtypes)
    assert kinds == {"category": 6, "string": 3, "Int64": 3, "Float64": 4, "datetime64": 1}
    assert {str(frame[name].dtype) for name in frame.columns[frame.isna().any()]} == {
        "category",
        "string",
        "Int64",
        "Float64",
    }


def test_every_format_comes_back_equal_over_both_protocols(client: Client) -> None:
    deliveries = list(deliver_all(client))
    assert [each.difference for each in deliveries] == [None] * 8
    stored = {(file.mime_type, file.protocol) for file in client.sandbox.files(ACCOUNT)}
    assert stored == {
        (mime_type, protocol)
        for mime_type in ("text/csv", "application/json", "application/x-ndjson", "application/vnd.apache.parquet")
        for protocol in ("postbox", "import")
    }
    sizes = {(each.format, each.protocol): each.size for each in deliveries}
    assert all(sizes[name, "postbox"] == sizes[name, "import"] for name, _ in sizes)


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param(lambda frame: frame.assign(**{"Body Mass (g)": frame["Body Mass (g)"] + 1}), id="value"),
        pytest.param(lambda frame: frame.astype({"Sample Number": "int64"}), id="dtype"),
        pytest.param(lambda frame: frame.set_index(frame.index + 1), id="index"),
        pytest.param(lambda frame: frame.assign(Sex=frame["Sex"].fillna("MALE")), id="missing value"),
    ],
)
def test_the_comparison_notices_a_difference(client: Client, changed: object) -> None:
    assert callable(changed)
    _authorize(client, "write")
    _authorize(client, "read")
    receipt = write(penguins(), "changed.csv", account_id=ACCOUNT, client=client)
    assert _difference(client, penguins(), receipt) is None
    assert _difference(client, changed(penguins()), receipt) is not None


def test_the_comparison_notices_damaged_bytes(client: Client) -> None:
    _authorize(client, "write")
    _authorize(client, "read")
    receipt = write(pd.DataFrame({"a": [1]}), "damaged.csv", account_id=ACCOUNT, client=client)
    (stored,) = [file for file in client.sandbox.files(ACCOUNT) if "damaged.csv" in file.reference]
    stored.path.write_bytes(stored.content.replace(b"1", b"2"))
    assert "SHA-256" in (_difference(client, pd.DataFrame({"a": [2]}), receipt) or "")


def test_the_summary_has_a_row_a_delivery_and_says_that_all_are_equal() -> None:
    head, row, empty, last = summary([EQUAL]).splitlines()
    assert head.split() == [
        "format",
        "protocol",
        "status",
        "bytes",
        "rows",
        "write",
        "ms",
        "read",
        "ms",
        "read",
        "back",
    ]
    assert row.split() == ["csv", "postbox", "delivered", "58,385", "344", "12", "4", "equal"]
    assert (empty, last.partition(":")[0]) == ("", "All 1 files came back equal")


def test_the_summary_says_what_is_different() -> None:
    text = summary([EQUAL, replace(EQUAL, protocol="import", difference="dtype: int64, not Int64")])
    assert "DIFFERENT" in text
    assert "csv by import: dtype: int64, not Int64\n1 of 2 files came back different." in text


def test_the_command_prints_the_table_and_exits_with_0() -> None:
    ended = subprocess.run(
        [sys.executable, "-W", "error", "-m", "digime_pandas", "demo"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.count("  equal\n") == 8
    assert "All 8 files came back equal" in ended.stdout


def test_the_command_prints_json_for_machines() -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "digime_pandas", "demo", "--json"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    rows = json.loads(ended.stdout)
    assert len(rows) == 8
    assert {row["difference"] for row in rows} == {None}


def test_the_command_fails_when_something_is_different() -> None:
    program = (
        "import sys; from digime_pandas._client import demo as _demo; from digime_pandas import __main__;"
        "read = _demo.read_frame;"
        "_demo.read_frame = lambda *a, **k: read(*a, **k).iloc[::-1];"
        "sys.exit(__main__.main(['demo']))"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 1
    assert "8 of 8 files came back different." in ended.stdout


def test_without_the_sandbox_installed_the_install_command_is_named() -> None:
    program = (
        "import sys; sys.modules['starlette'] = None; from digime_pandas.__main__ import main; sys.exit(main(['demo']))"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 1
    assert ended.stderr.count("\n") == 1
    assert "pip install 'digime-pandas[sandbox]'" in ended.stderr
