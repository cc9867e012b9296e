"""The client of a command."""

from __future__ import annotations

from digime_pandas._client.client import Client
from digime_pandas._client.connect import connect


def connected(*, journal: str | None = None) -> Client:
    """Return the client that the ``DIGIME_*`` variables lead to.

    Args:
        journal: Path of the journal that records its writes.

    Raises:
        ConfigurationError: Nothing is configured, or not so that it can be used.
        ServiceUnreachableError: The variables lead to a sandbox that has ended.
    """
    client = connect(journal=journal)
    gone = client.absence()
    if gone is not None:
        client.close()
        raise gone
    return client
