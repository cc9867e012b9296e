"""What the client does with each kind of failure, found out at a sandbox: the table of `.github/RETRIES.md`.

Run ``python -m tests.whole.documents.retries`` from the root of the project to see it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from itertools import count
from typing import Any

import pandas as pd

import digime_pandas as digime
from digime_pandas import Client, FileDescriptor, MemoryTokenStore
from digime_pandas._service.http.request import Request
from digime_pandas.errors import DigimeError
from digime_pandas.sandbox import Sandbox, faults
from tests.clients import client_of

MAX_ATTEMPTS = 3
_ACCOUNTS = count(1)
_PAGE = {"body": "<!doctype html>", "content_type": "text/html"}
_PATHS: dict[faults.Call, str] = {
    "upload": "/permission-access/(postbox|import)",
    "session": "/trigger$",
    "list": "/query/[^/]+$",
    "download": "^GET .*/query/[^/]+/[^/]+$",
    "refresh": "/oauth/token$",
}
_INVALID = {"status": 401, "code": "InvalidToken"}


@dataclass(frozen=True)
class Instruction:
    """What the service is told to do with the requests of a call: as `Sandbox.fail` takes it."""

    words: str
    times: int | None
    what: dict[str, Any]


def _each(words: str, what: dict[str, Any]) -> list[Instruction]:
    return [Instruction(f"{words}, {often}", times, what) for often, times in (("once", 1), ("always", None))]


INSTRUCTIONS = [
    *_each("503", {"status": 503}),
    *_each("500 with a code", {"status": 500, "code": "ServerError"}),
    *_each("503 after it was done", {"status": 503, "stored": True}),
    *_each("429", {"status": 429}),
    Instruction("429, Retry-After: 0, once", 1, {"status": 429, "retry_after": "0"}),
    Instruction("429, Retry-After: 86400, once", 1, {"status": 429, "retry_after": "86400"}),
    *_each("408", {"status": 408}),
    Instruction("400, always", None, {"status": 400, "code": "InvalidRequest"}),
    Instruction("403, always", None, {"status": 403}),
    Instruction("413, always", None, {"status": 413}),
    Instruction("302, always", None, {"status": 302}),
    *_each("401 InvalidToken", _INVALID),
    *_each("no answer, done", {"cut": "answer"}),
    Instruction("answer breaks off, done, once", 1, {"reset": "head"}),
    Instruction("connection reset within the request, once", 1, {"reset": "request"}),
    Instruction("200 with a web page, always", None, {"status": 200, **_PAGE}),
    *_each("pending", {"pending": True}),
]


@dataclass(frozen=True)
class Call:
    """A call of the client, and of what request of it the instruction is."""

    words: str
    at: faults.Call
    run: Callable[[Client, str], str]
    is_imported: bool = False


def _write(client: Client, account_id: str) -> str:
    frame = pd.DataFrame({"pulse": [61]})
    return digime.write(frame, "visits.csv", account_id, client=client, progress=False).status


def _write_bare(client: Client, account_id: str) -> str:
    descriptor = FileDescriptor("text/plain", account_id)
    return client.write(b"x", "note.txt", descriptor, client.authorization(account_id)).status


def _read(client: Client, account_id: str) -> str:
    digime.read_file("visits.csv", account_id, client=client)
    return "read"


def _refresh(client: Client, account_id: str) -> str:
    client.refresh(client.authorization(account_id))
    return "refreshed"


CALLS = [
    Call("write, postbox", "upload", _write),
    Call("write, direct import", "upload", _write, is_imported=True),
    Call("write without a write id, postbox", "upload", _write_bare),
    Call("read: session", "session", _read),
    Call("read: list", "list", _read),
    Call("read: file", "download", _read),
    Call("refresh", "refresh", _refresh),
]


def render(sandbox: Sandbox, import_sandbox: Sandbox) -> str:
    """Return the table: a row per instruction, a column per call, and in each cell the attempts and what came of it."""
    head = ["The service answers", *(call.words for call in CALLS)]
    rows = [
        [each.words, *(_cell(import_sandbox if call.is_imported else sandbox, each, call) for call in CALLS)]
        for each in INSTRUCTIONS
    ]
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _cell(sandbox: Sandbox, instruction: Instruction, call: Call) -> str:
    if "pending" in instruction.what and (call.at != "upload" or call.is_imported):
        return ""
    account_id, tokens = f"retry-{next(_ACCOUNTS)}", MemoryTokenStore()
    with closing(client_of(sandbox, tokens=tokens, max_attempts=MAX_ATTEMPTS)) as client:
        for access in ("write", "read"):
            sandbox.approve_all([account_id], access=access, tokens=tokens)
        if call.run is _read:
            _write(client, account_id)
        with sandbox.fail(call.at, times=instruction.times, **instruction.what) as fault:
            sent = _counted(client)
            try:
                result = call.run(client, account_id)
            except DigimeError as error:
                result = error.outcome or f"`{type(error).__name__}`"
            assert fault.hits
        requests = sum(bool(re.search(_PATHS[call.at], path)) for path in sent)
        return f"{result} ({requests})"


def _counted(client: Client) -> list[str]:
    """Return a list to which the address of each request is added, whether it arrives or not."""
    exchanger = client._http._exchanger.get()
    sent, opened = [], exchanger.line.open

    def open_and_count(request: Request, *rest: Any) -> Any:
        sent.append(f"{request.method} {request.in_clear()[0]}")
        return opened(request, *rest)

    exchanger.line.open = open_and_count  # type: ignore[method-assign,assignment] # to count
    return sent


def main() -> None:
    """Print the table."""
    with Sandbox() as sandbox, Sandbox(postbox=False) as import_sandbox:
        print(render(sandbox, import_sandbox), end="")


if __name__ == "__main__":
    main()
