"""One file a person: everybody gets their own rows and nobody else's."""

from __future__ import annotations

import io
from collections.abc import Callable

import pandas as pd
import pytest

import digime_pandas as digime
from digime_pandas._write_each import write_each
from digime_pandas.sandbox import Sandbox

Authorize = Callable[..., digime.Authorization]


@pytest.fixture
def visits(account_id: str) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "patient": [f"{account_id}-{letter}" for letter in "abacab"],
            "pulse": [61, 72, 63, 80, 65, 71],
        }
    )


@pytest.fixture
def everybody(visits: pd.DataFrame, sandbox: Sandbox, client: digime.Client, authorize: Authorize) -> list[str]:
    accounts = list(visits["patient"].unique())
    for account_id in accounts:
        authorize(sandbox, client, account_id)
    return accounts


def test_everybody_gets_their_own_rows_in_their_own_library(
    visits: pd.DataFrame, everybody: list[str], sandbox: Sandbox, client: digime.Client
) -> None:
    result = visits.digime.write_each("patient", "visits.csv", client=client, tags=["v"])

    assert list(result.index) == everybody
    assert set(result["status"]) == {"delivered"}
    users = set()
    for account_id in everybody:
        (file,) = sandbox.files(account_id)
        assert file.accounts == (account_id,)
        assert file.tags == ("v",)
        users.add(file.user_id)
        rows = pd.read_csv(io.BytesIO(file.content))
        own = visits[visits["patient"] == account_id].reset_index(drop=True)
        pd.testing.assert_frame_equal(rows, own, check_dtype=False)
        assert result.loc[account_id, "rows"] == len(own)
        assert result.loc[account_id, "size"] == len(file.content)
    assert len(users) == len(everybody)


def test_who_has_not_authorized_gets_an_error_and_keeps_nobody_back(
    visits: pd.DataFrame, sandbox: Sandbox, client: digime.Client, authorize: Authorize
) -> None:
    first, second, _ = visits["patient"].unique()
    authorize(sandbox, client, first)

    result = visits.digime.write_each("patient", "visits.parquet", client=client)

    assert result.loc[first, "status"] == "delivered"
    assert result.loc[first, "error"] is None
    assert result.loc[second, "status"] == "failed"
    assert "digime.authorize" in result.loc[second, "error"]
    assert pd.isna(result.loc[second, "size"])


def test_an_index_that_says_something_goes_with_the_rows(
    visits: pd.DataFrame, everybody: list[str], sandbox: Sandbox, client: digime.Client
) -> None:
    named = visits.set_index(pd.Index(range(100, 106), name="visit"))

    named.digime.write_each("patient", "visits.csv", client=client)

    (file,) = sandbox.files(everybody[0])
    assert list(pd.read_csv(io.BytesIO(file.content))["visit"]) == [100, 102, 104]


def test_whole_numbers_are_account_ids_too_and_repeated_labels_do_no_harm(
    sandbox: Sandbox, client: digime.Client, authorize: Authorize
) -> None:
    frame = pd.DataFrame({"who": [901, 902, 901], "x": [1, 2, 3]}, index=[0, 0, 0])
    authorize(sandbox, client, "901")
    authorize(sandbox, client, "902")

    result = frame.digime.write_each("who", "x.ndjson", client=client)

    assert list(result.index) == ["901", "902"]
    assert list(result["rows"]) == [2, 1]


@pytest.mark.parametrize(
    ("frame", "by", "file_name", "named"),
    [
        (pd.DataFrame({"a": ["x"]}), "b", "x.csv", "by='b'"),
        (pd.DataFrame({"a": ["x", None]}), "a", "x.csv", "row 1"),
        (pd.DataFrame({"a": [1.5]}), "a", "x.csv", "float64"),
        (pd.DataFrame({"a": ["x"]}), "a", "x.doc", "file_name"),
        (pd.DataFrame([["x", "y"]], columns=["a", "a"]), "a", "x.csv", "by='a'"),
    ],
)
def test_what_cannot_be_split_is_refused_before_anything_is_sent(
    frame: pd.DataFrame, by: str, file_name: str, named: str, client: digime.Client
) -> None:
    with pytest.raises(digime.InputError, match=named):
        frame.digime.write_each(by, file_name, client=client)


def test_a_series_has_nobody_to_be_split_by(client: digime.Client) -> None:
    with pytest.raises(digime.InputError, match="Series"):
        write_each(pd.Series(["x"], name="a"), "a", "x.csv", client=client)
