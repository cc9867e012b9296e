"""A write passes through few files, few times."""

from __future__ import annotations

from digime_pandas._client.client import Client
from digime_pandas._service.authorization import Authorization

from .crossings import count_crossings

MOST_CALLS = 70


def test_a_small_write_calls_seldom_from_one_file_into_another(client: Client, person: Authorization) -> None:
    counted = count_crossings(client, person.account_id)
    assert ("_client/write.py", "_client/write_plan.py") in counted
    assert counted.total() <= MOST_CALLS, counted.most_common()
