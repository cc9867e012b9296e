"""One file a person: everybody gets their own rows and nobody else's."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import digime_pandas as digime
from digime_pandas._client.write_each import write_each
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


def test_an_error_of_any_kind_is_told_beside_who_has_their_file(
    visits: pd.DataFrame,
    everybody: list[str],
    sandbox: Sandbox,
    client: digime.Client,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    upload = digime.Client.upload

    def short_of_room(client: digime.Client, file: Any, *args: Any, **options: Any) -> digime.Receipt:
        if file.descriptor.accounts == (everybody[1],):
            raise MemoryError("no room")
        return upload(client, file, *args, **options)

    monkeypatch.setattr(digime.Client, "upload", short_of_room)
    result = visits.digime.write_each("patient", "visits.csv", client=client)
    assert result["status"].tolist() == ["delivered", "failed", "delivered"]
    assert result.loc[everybody[1], "error"] == "MemoryError: no room"
    assert [len(sandbox.files(account_id)) for account_id in everybody] == [1, 0, 1]


def test_who_has_not_authorized_gets_an_error_and_keeps_nobody_back(
    visits: pd.DataFrame, sandbox: Sandbox, client: digime.Client, authorize: Authorize
) -> None:
    first, second, _ = visits["patient"].unique()
    authorize(sandbox, client, first)

    with pytest.raises(digime.NotAuthorizedError, match=r"2 of 3 accounts have no consent .*Nothing was sent"):
        visits.digime.write_each("patient", "visits.parquet", client=client)
    assert sandbox.files(first) == []
    result = visits.digime.write_each("patient", "visits.parquet", client=client, missing="skip")

    assert result.loc[first, "status"] == "delivered"
    assert pd.isna(result.loc[first, "error"])
    assert result.loc[second, "status"] == "skipped"
    assert result.loc[second, "outcome"] == "not sent"
    assert result.loc[second, "error_type"] == "NotAuthorizedError"
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


@pytest.mark.parametrize("dtype", [object, "str", "string[python]", "string[pyarrow]", pd.ArrowDtype(pa.string())])
def test_ids_that_differ_only_after_a_nul_are_different_people(
    dtype: Any, account_id: str, sandbox: Sandbox, client: digime.Client, authorize: Authorize
) -> None:
    people = [f"{account_id}\0b", account_id, f"{account_id}\0c"]
    for person in people:
        authorize(sandbox, client, person)
    frame = pd.DataFrame({"who": pd.Series([*people, *people], dtype=dtype), "pulse": range(6)})

    result = frame.digime.write_each("who", "pulse.parquet", client=client)

    assert list(result.index) == people
    assert list(result["status"]) == ["delivered"] * 3
    for place, person in enumerate(people):
        (file,) = sandbox.files(person)
        assert list(pd.read_parquet(io.BytesIO(file.content))["pulse"]) == [place, place + 3]


@pytest.mark.parametrize("ending", [" ", "\u00a0", "\u200b"])
def test_two_ids_nobody_can_tell_apart_are_an_error_and_nothing_is_sent(
    ending: str, everybody: list[str], sandbox: Sandbox, client: digime.Client, authorize: Authorize
) -> None:
    alike = everybody[0] + ending
    authorize(sandbox, client, alike)

    with pytest.raises(digime.InputError, match=r"in row 0 and .* in row 3, which are one account id"):
        pd.DataFrame({"who": [*everybody, alike]}).digime.write_each("who", "who.csv", client=client)

    assert not [file for person in (*everybody, alike) for file in sandbox.files(person)]


def test_rows_that_do_not_come_apart_as_they_should_stop_the_call(
    visits: pd.DataFrame,
    everybody: list[str],
    sandbox: Sandbox,
    client: digime.Client,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from digime_pandas._tabular.frames import split as module

    monkeypatch.setattr(module, "_factorize", lambda *_: (everybody, np.array([0, 1, 0, 2, 1, 0])))

    with pytest.raises(digime.InputError, match=r"rows 1 and 4 of one part differ. Nothing was sent"):
        visits.digime.write_each("patient", "visits.csv", client=client)

    assert not [file for account_id in everybody for file in sandbox.files(account_id)]


def test_a_frame_that_is_changed_after_it_was_split_gives_nobody_another_s_rows(
    visits: pd.DataFrame,
    everybody: list[str],
    sandbox: Sandbox,
    client: digime.Client,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from digime_pandas._tabular.frames import parts as module

    take = module._take

    def changing(frame: pd.DataFrame, positions: Any) -> Any:
        frame["patient"] = everybody[0]
        return take(frame, positions)

    monkeypatch.setattr(module, "_take", changing)
    result = visits.digime.write_each("patient", "visits.csv", client=client, workers=1)

    assert list(result["status"]) == ["failed"] * 3
    assert result["error"].str.contains("changed by another thread").all()
    assert [sandbox.files(account_id) for account_id in everybody] == [[], [], []]


def test_a_frame_that_is_changed_while_its_parts_are_sent_gives_nobody_another_s_rows(
    visits: pd.DataFrame,
    everybody: list[str],
    sandbox: Sandbox,
    client: digime.Client,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    upload = digime.Client.upload

    def changing(client: digime.Client, *args: Any, **options: Any) -> digime.Receipt:
        visits["patient"] = everybody[0]
        visits.loc[:, "pulse"] = -1
        return upload(client, *args, **options)

    monkeypatch.setattr(digime.Client, "upload", changing)
    pulses = visits.groupby("patient")["pulse"].agg(list).to_dict()
    result = visits.digime.write_each("patient", "visits.csv", client=client, workers=1)

    for account_id in everybody:
        held = [pd.read_csv(io.BytesIO(file.content)) for file in sandbox.files(account_id)]
        assert [list(each["patient"].unique()) for each in held] == [[account_id]] * len(held)
        assert all(each["pulse"].tolist() == pulses[account_id] for each in held)
        assert len(held) == int(result.loc[account_id, "status"] == "delivered")
    assert "delivered" in list(result["status"]), result["error"].tolist()


def test_rows_are_taken_when_their_turn_comes(
    visits: pd.DataFrame, everybody: list[str], client: digime.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    from digime_pandas._tabular.frames import parts

    steps: list[str] = []
    take, upload = parts._take, digime.Client.upload

    def taking(*args: Any) -> Any:
        steps.append("take")
        return take(*args)

    def writing(client: digime.Client, *args: Any, **options: Any) -> digime.Receipt:
        steps.append("write")
        return upload(client, *args, **options)

    monkeypatch.setattr(parts, "_take", taking)
    monkeypatch.setattr(parts, "BLOCK_PARTS", 1)
    monkeypatch.setattr(digime.Client, "upload", writing)
    people = pd.DataFrame({"patient": everybody * 20, "pulse": range(60)})
    # As many are taken as the threads have before them.
    pd.concat([people, visits]).digime.write_each("patient", "visits.csv", client=client, workers=1)
    assert steps.index("write") <= 3
    assert sorted(steps) == ["take"] * 3 + ["write"] * 3


@pytest.mark.parametrize(
    "dtype", ["category", "string[pyarrow]", pd.ArrowDtype(pa.dictionary(pa.int32(), pa.string()))]
)
def test_ids_of_any_dtype_come_back_as_text(
    dtype: str, visits: pd.DataFrame, everybody: list[str], sandbox: Sandbox, client: digime.Client
) -> None:
    named: Any = pd.ArrowDtype(pa.dictionary(pa.int32(), pa.string())) if dtype == "dictionary" else dtype
    ids = visits["patient"].astype(named)

    result = visits.assign(patient=ids).digime.write_each("patient", "visits.csv", client=client)

    pd.testing.assert_index_equal(result.index, pd.Index(everybody, name="patient"))
    assert list(result["rows"]) == [3, 2, 1]
    for account_id in everybody:
        (file,) = sandbox.files(account_id)
        assert set(pd.read_csv(io.BytesIO(file.content))["patient"]) == {account_id}


@pytest.mark.parametrize(
    ("frame", "by", "file_name", "named"),
    [
        (pd.DataFrame({"a": ["x"]}), "b", "x.csv", "by='b'"),
        (pd.DataFrame({"a": ["x", None]}), "a", "x.csv", "row 1"),
        (pd.DataFrame({"a": [1.5]}), "a", "x.csv", "float64"),
        (pd.DataFrame({"a": ["x"]}), "a", "x.doc", "file_name"),
        (pd.DataFrame([["x", "y"]], columns=["a", "a"]), "a", "x.csv", "by='a'"),
        (pd.DataFrame({"b": [1]}, index=pd.Index(["x"], name="a")), "a", "x.csv", r"reset_index\(\)"),
        (pd.DataFrame({"a": ["x", " "]}), "a", "x.csv", "account_id is ' '"),
        (pd.DataFrame({"a": ["x", " "]}), "a", "x.csv", "'a'.* row 1"),
        (pd.DataFrame({"a": ["x", ["x"]]}), "a", "x.csv", "a list, in row 1"),
        (pd.DataFrame({"a": ["x", b"x"]}), "a", "x.csv", "a bytes, in row 1"),
        (pd.DataFrame({"a": [1, "1"]}, dtype=object), "a", "x.csv", "1 in row 0 and '1' in row 1"),
        (pd.DataFrame({"a": ["\u00e9", "e\u0301"]}), "a", "x.csv", "in row 0 and .* in row 1"),
        (pd.DataFrame({"a": pd.Series(["x", "\ud800"], dtype=object)}), "a", "x.csv", "'a'.* row 1"),
    ],
)
def test_what_cannot_be_split_is_refused_before_anything_is_sent(
    frame: pd.DataFrame, by: str, file_name: str, named: str, client: digime.Client
) -> None:
    with pytest.raises(digime.InputError, match=named):
        frame.digime.write_each(by, file_name, client=client)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"tags": "visits"}, "tags is the bare str"),
        ({"reference": "visits"}, "reference is the bare str"),
        ({"mime_type": "table"}, "mime_type"),
        ({"escape_formula": True}, "no option 'escape_formula'"),
        ({"account_id": "patient-17"}, "no option 'account_id'"),
        ({"workers": 0}, "workers"),
        ({"workers": True}, "workers"),
        ({"missing": "ignore"}, "missing is 'ignore'; pass 'error' or 'skip'"),
        ({"errors": "ignore"}, "errors is 'ignore'; pass 'collect' or 'raise'"),
        ({"drop_null": 1}, "drop_null is 1"),
        ({"keep_key": None}, "keep_key is None"),
        ({"progress": 3}, "progress is a int"),
    ],
)
def test_what_is_wrong_for_everybody_is_an_error_and_not_a_row_for_each(
    arguments: dict[str, Any], named: str, everybody: list[str], sandbox: Sandbox, client: digime.Client
) -> None:
    frame = pd.DataFrame({"patient": [*everybody, "who has not given consent"]})
    with pytest.raises(digime.InputError, match=named):
        frame.digime.write_each("patient", "visits.csv", client=client, **arguments)

    assert not [file for account_id in everybody for file in sandbox.files(account_id)]


def test_what_is_wrong_with_one_person_s_rows_is_theirs_alone(
    visits: pd.DataFrame, everybody: list[str], client: digime.Client
) -> None:
    first, second, third = everybody
    notes = visits["patient"].map({first: "well", second: "well", third: {1, 2}})

    result = visits.assign(note=notes).digime.write_each("patient", "visits.csv", client=client)

    assert result["status"].to_dict() == {first: "delivered", second: "delivered", third: "failed"}
    assert f"Account {third!r}: Column 'note'" in result.loc[third, "error"]
    assert result.loc[third, ["outcome", "error_type"]].tolist() == ["not sent", "FidelityError"]


def test_who_is_left_over_can_be_tried_again_until_nobody_is(
    visits: pd.DataFrame, sandbox: Sandbox, client: digime.Client, authorize: Authorize
) -> None:
    people = list(visits["patient"].unique())
    authorize(sandbox, client, people[0])
    result = visits.digime.write_each("patient", "visits.csv", client=client, missing="skip")
    for account_id in people[1:]:
        authorize(sandbox, client, account_id)

    left = visits[visits["patient"].isin(result.index[result["status"] == "skipped"])]
    again = left.digime.write_each("patient", "visits.csv", client=client)
    nobody = left.iloc[:0].digime.write_each("patient", "visits.csv", client=client)

    assert list(again.index) == people[1:]
    assert set(again["status"]) == {"delivered"}
    assert nobody.empty
    pd.testing.assert_series_equal(nobody.dtypes, again.dtypes)


def test_a_series_has_nobody_to_be_split_by(client: digime.Client) -> None:
    with pytest.raises(digime.InputError, match="Series"):
        write_each(pd.Series(["x"], name="a"), "a", "x.csv", client=client)
