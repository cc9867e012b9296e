"""One file per person, beside the signatures alone that this many files take."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import NamedTuple

import numpy as np
import pandas as pd
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP, PSS
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

import digime_pandas as digime

from .contenders import Keys
from .tables import show

FORMATS = ("csv", "ndjson", "json", "parquet")
ROWS_EACH = 20
DELAY_SECONDS = 0.05
_WORKERS, _WORKERS_OF_SLOW = 8, 64
_FAR_FUTURE = 4_000_000_000
_CLAIMS = b"x" * 1_600  # about as long as what is signed for a file


def one_file_each(base_url: str, slow_url: str, keys: Keys, persons: int, runs: int) -> None:
    """Show how fast files are written, beside signatures alone in two threads, and with answers after 50 ms.

    Args:
        base_url: Of a sink that answers at once.
        slow_url: Of one that answers after 50 ms.
        keys: The contract's and the postbox's.
        persons: How many files of 20 rows there are.
        runs: Of which the best counts, each beside its own signatures.
    """
    frame = visits_of(persons, ROWS_EACH)
    fast, slow = (client_for(url, keys, frame) for url in (base_url, slow_url))

    def rows() -> Iterator[tuple[str, ...]]:
        for suffix in FORMATS:
            ratios, of_processor, seconds, rates = [], [], [], []
            for _ in range(runs):
                signatures = _cost(partial(_sign, keys, persons))
                ours = _cost(partial(_write, frame, suffix, fast, _WORKERS))
                seconds.append(ours.seconds)
                ratios.append(signatures.seconds / ours.seconds)
                of_processor.append(signatures.processor_seconds / ours.processor_seconds)
                rates.append(persons / _cost(partial(_write, frame, suffix, slow, _WORKERS_OF_SLOW)).seconds)
            ideal = _WORKERS_OF_SLOW / DELAY_SECONDS
            shown = max(ratios), max(of_processor), max(rates) / ideal
            yield suffix, f"{persons / min(seconds):,.0f}", *[f"{each:.2f}" for each in shown]

    show(
        f"One file per person: {persons:,} persons with {ROWS_EACH} rows each",
        [
            "format",
            "files a second",
            "signatures alone / ours",
            "the same in processor time",
            "part of the ideal rate with answers after 50 ms",
        ],
        rows(),
    )


def visits_of(persons: int, rows_each: int) -> pd.DataFrame:
    """Return the rows of some persons, in any order."""
    random = np.random.default_rng(1)
    rows = persons * rows_each
    accounts = np.repeat([f"patient-{number:06d}" for number in range(persons)], rows_each)
    return pd.DataFrame(
        {
            "who": random.permutation(accounts),
            "day": pd.Timestamp("2026-01-05") + pd.to_timedelta(random.integers(0, 90, rows), unit="D"),
            "ward": random.choice(["cardiology", "general", "surgery"], rows),
            "pulse": random.integers(50, 120, rows),
            "temperature": random.normal(36.8, 0.4, rows).round(1),
        }
    )


def client_for(base_url: str, keys: Keys, frame: pd.DataFrame) -> digime.Client:
    """Return a client that may write to each person of a frame."""
    contract = digime.Contract("application", "contract", keys.contract)
    client = digime.Client(contract, base_url=base_url, tokens=digime.MemoryTokenStore())
    token = digime.Token("0" * 160, _FAR_FUTURE)
    public_key = keys.postbox.public_bytes(Encoding.PEM, PublicFormat.PKCS1).decode()
    for account_id in frame["who"].unique():
        authorization = digime.Authorization(
            account_id=account_id,
            access="write",
            user_access_token=digime.UserAccessToken(token, token),
            postbox=digime.Postbox("postbox", public_key),
        )
        client.tokens.put(client.base_url, contract.client_id, authorization)
    return client


def _write(frame: pd.DataFrame, suffix: str, client: digime.Client, workers: int) -> None:
    result = digime.write_each(frame, "who", f"visits.{suffix}", client=client, workers=workers, progress=False)
    assert set(result["status"]) == {"delivered"}


def _sign(keys: Keys, count: int) -> None:
    pss, oaep = PSS(MGF1(hashes.SHA512()), 64), OAEP(MGF1(hashes.SHA1()), hashes.SHA1(), None)

    def sign(_: int) -> None:
        keys.contract.sign(_CLAIMS, pss, hashes.SHA512())
        keys.postbox.encrypt(os.urandom(32), oaep)

    with ThreadPoolExecutor(2) as threads:
        list(threads.map(sign, range(count)))


class _Cost(NamedTuple):
    """What something took: time, and the time of processors that this process used meanwhile."""

    seconds: float
    processor_seconds: float


def _cost(act: Callable[[], object]) -> _Cost:
    started, used = time.perf_counter(), time.process_time()
    act()
    return _Cost(time.perf_counter() - started, time.process_time() - used)
