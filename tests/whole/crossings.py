"""Count how often one write of a small frame calls from one file of the package into another.

Run ``python -m tests.whole.crossings`` from the root of the project to see every pair of files.
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import pandas as pd

import digime_pandas as digime

_PACKAGE = Path(digime.__file__).parent
_PREFIX = f"{_PACKAGE}/"
_SANDBOX = f"{_PACKAGE}/sandbox/"

Crossings = Counter[tuple[str, str]]


def count_crossings(client: digime.Client, account_id: str) -> Crossings:
    """Write a frame of two rows as Parquet, twice, and count the calls of the second write.

    Returns:
        How often the first file of each pair called into the second, in the calling thread. A generator counts once,
        however often it is resumed.
    """
    frame = pd.DataFrame({"day": pd.to_datetime(["2026-01-05", "2026-02-11"]), "pulse": [61, 64]})
    frame.digime.write("visits.parquet", account_id=account_id, client=client)
    counted: Crossings = Counter()
    entered: set[FrameType] = set()

    def trace(called: FrameType, event: str, _: Any) -> None:
        caller = called.f_back
        if event != "call" or caller is None or not _is_own(called.f_code) or not _is_own(caller.f_code):
            return
        pair = _file(caller.f_code), _file(called.f_code)
        if pair[0] != pair[1] and called not in entered:
            entered.add(called)
            counted[pair] += 1

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        frame.digime.write("visits.parquet", account_id=account_id, client=client)
    finally:
        sys.settrace(before)
    return counted


def _is_own(code: CodeType) -> bool:
    return code.co_filename.startswith(_PREFIX) and not code.co_filename.startswith(_SANDBOX)


def _file(code: CodeType) -> str:
    return code.co_filename.removeprefix(_PREFIX)


def main() -> None:
    """Print every pair of files, the most frequent first, and the sum."""
    with digime.connect("sandbox", tokens=digime.MemoryTokenStore()) as client:
        sandbox = client.sandbox
        assert sandbox is not None
        with client.begin_authorization("patient-17") as flow:
            flow.complete(sandbox.approve(flow.url))
        counted = count_crossings(client, "patient-17")
    for (caller, called), times in counted.most_common():
        print(f"{times:4}  {caller} -> {called}")
    print(f"{counted.total():4}  in all")


if __name__ == "__main__":
    main()
