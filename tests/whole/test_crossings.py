"""A write passes through few files, few times."""

from __future__ import annotations

from digime_pandas._client.client import Client
from digime_pandas._service.authorization import Authorization

from .crossings import count_crossings

MOST_CALLS = 70
TRIES = 50


def test_a_small_write_calls_seldom_from_one_file_into_another(client: Client, person: Authorization) -> None:
    # The answer to a write may come in two pieces, the second of which takes more calls: often on a busy machine.
    for _ in range(TRIES):
        counted = count_crossings(client, person.account_id)
        if counted.total() <= MOST_CALLS:
            break
    assert ("_client/write.py", "_client/write_plan.py") in counted
    assert counted.total() <= MOST_CALLS, counted.most_common()
