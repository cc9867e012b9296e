from __future__ import annotations

import pandas as pd
import pytest

from digime_pandas._client.authorizations.tables import CONSENTS, INVITATIONS, consents_table, table, time
from digime_pandas._service.oauth.consent_status import ConsentStatus

FULL = ConsentStatus("p", "write", "given", 1_700_000_000.5, "user-1")


@pytest.mark.parametrize("statuses", [[], [FULL], [ConsentStatus("p", "read", "refused", None), FULL]])
def test_columns_and_dtypes_are_the_same_whatever_is_known(statuses: list[ConsentStatus]) -> None:
    found = consents_table(statuses)
    assert {name: str(dtype) for name, dtype in found.dtypes.items()} == dict(CONSENTS)
    assert len(found) == len(statuses)


def test_values_are_as_they_were_and_missing_where_nothing_is_known() -> None:
    found = consents_table([FULL, ConsentStatus("q", "read", "refused", None)])
    assert found.loc[0].to_dict() == {
        "account_id": "p",
        "access": "write",
        "status": "given",
        "until": pd.Timestamp("2023-11-14 22:13:20.5", tz="UTC"),
        "user_id": "user-1",
    }
    assert found.loc[1].isna().to_dict() == {
        "account_id": False,
        "access": False,
        "status": False,
        "until": True,
        "user_id": True,
    }


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-1.0, "1970-01-01"), (0.0, "1970-01-01"), (1e300, "9999-12-31"), (float("inf"), "9999-12-31")],
)
def test_a_time_out_of_range_is_the_nearest(seconds: float, text: str) -> None:
    assert f"{time(seconds):%Y-%m-%d}" == text
    assert time(None) is None


def test_a_table_without_rows_has_the_dtypes_of_one_with_rows() -> None:
    full = table(INVITATIONS, [("p", "https://x.test/", time(1.0), None), ("q", None, None, "No.")])
    assert list(table(INVITATIONS, []).dtypes) == list(full.dtypes)
    assert {name: str(dtype) for name, dtype in full.dtypes.items()} == dict(INVITATIONS)
