"""The commands ``files``, ``read`` and ``verify``: what is in a person's library."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from hashlib import file_digest, sha256
from pathlib import Path
from typing import Any, NamedTuple

from digime_pandas._client.client import Client
from digime_pandas._client.command_line.failures import DONE, FAILED, error_members, error_text
from digime_pandas._client.command_line.options import STANDARD, count
from digime_pandas._client.command_line.output import (
    in_one_line,
    is_plain_text,
    print_json,
    print_notice,
    print_table,
)
from digime_pandas._client.command_line.service import connected
from digime_pandas._client.library.file import LibraryFile
from digime_pandas._client.library.target_file import put_file
from digime_pandas._client.read import ReadArguments, ReadRequest, dataset_if_any, read_file, read_frame
from digime_pandas._service.receipt import Receipt
from digime_pandas._tabular.formats import format_of
from digime_pandas._tabular.serialize import inspect_frame
from digime_pandas.errors import DigestMismatchError, FileNotInLibraryError, InputError


def add_library_commands(commands: Any, shared: list[argparse.ArgumentParser], person: argparse.ArgumentParser) -> None:
    """Add the commands.

    Args:
        commands: What `add_subparsers` returned.
        shared: Parents of every command.
        person: Has the argument that names the account.
    """
    files = commands.add_parser("files", parents=[*shared, person], help="list the files in a library, newest first")
    files.add_argument("--name", help="only files of this name")
    files.add_argument("--since", type=_time, metavar="TIME", help="only files changed since (UTC unless it says else)")
    files.add_argument("--tag", action="append", help="only files with this tag; may be given several times")
    files.set_defaults(run=_files, access_needed="read")

    read = commands.add_parser(
        "read", parents=[*shared, person], help="fetch the newest file of a name, or a whole dataset"
    )
    read.add_argument("name", metavar="NAME", help="with one *, such as 'events-*.csv': all files of a dataset as one")
    read.add_argument(
        "-o",
        "--output",
        metavar="FILE",
        help="where to put it (default: -, standard output); another suffix than NAME's converts a table, and into a "
        "folder, a dataset goes file by file",
    )
    read.add_argument("--sha256", metavar="HEX", help="digest the file must have")
    read.add_argument(
        "--max-bytes",
        type=count,
        metavar="N",
        help="most bytes that a file may have (default: 2 GiB)",
    )
    read.set_defaults(run=_read, access_needed="read")

    verify = commands.add_parser("verify", parents=shared, help="compare what the library holds with what was written")
    verify.add_argument("files", nargs="*", metavar="FILE", help="a file that was sent as it is")
    verify.add_argument("--account", metavar="ID", help="the person's id in your own system; with FILE")
    verify.add_argument("--name", help="name in the library (default: FILE's own)")
    verify.add_argument("--receipt", metavar="FILE", help="what write --json printed; - reads it from input")
    verify.set_defaults(run=_verify, access_needed="read")


def _files(arguments: argparse.Namespace) -> int:
    with connected() as client:
        files = client.files(arguments.account, name=arguments.name, tags=arguments.tag, since=arguments.since)
    if arguments.json:
        print_json([_file_members(file) for file in files])
        return 0
    rows = [(file.name, file.mime_type, f"{file.updated:%Y-%m-%d %H:%M:%S%z}", ", ".join(file.tags)) for file in files]
    print_table([("name", "type", "updated", "tags"), *rows])
    return 0


def _file_members(file: LibraryFile) -> dict[str, object]:
    names = ("name", "file_id", "mime_type", "accounts", "reference", "tags", "contract_id", "write_id")
    return {name: getattr(file, name) for name in names} | {"updated": file.updated.isoformat()}


def _time(text: str) -> datetime:
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no time such as 2026-01-05 or 2026-01-05T14:30+01:00") from None
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def _read(arguments: argparse.Namespace) -> int:
    request = ReadRequest(arguments.name, arguments.account, sha256=arguments.sha256, max_bytes=arguments.max_bytes)
    output = None if arguments.output in {None, STANDARD} else Path(arguments.output)
    if output is None and arguments.json:
        raise InputError("With --json, name a file with -o: the file and the JSON would be mixed on standard output.")
    with connected() as client:
        request = replace(request, client=client)
        if output is None:
            _print_content(_content(request))
            return DONE
        put = _read_into(output, request) if output.is_dir() else [_read_to(output, request)]
    if arguments.json:
        print_json(put)
    return DONE


def _print_content(content: bytes) -> None:
    if sys.stdout.isatty() and not is_plain_text(content):
        raise InputError(
            f"The file is not plain text ({len(content):,} bytes), and standard output is a terminal. "
            "Name a file with -o, or send the output to a file or a program."
        )
    sys.stdout.buffer.write(content)
    sys.stdout.buffer.flush()


def _read_to(path: Path, request: ReadRequest) -> dict[str, Any]:
    """Put a file, or a dataset as one file, where it is wanted: as it is, or as another format by its suffix."""
    source, target = format_of(request.file_name, ""), format_of(path.name, "")
    if source is None or target is None or source == target:
        return _put(path, request.file_name, _content(request))
    named: ReadArguments = {"sha256": request.sha256, "client": request.client, "max_bytes": request.max_bytes}
    frame = read_frame(request.file_name, account_id=request.account_id, **named)
    inspected = inspect_frame(frame, target, index=None, options={})
    inspected.checked()
    return _put(path, request.file_name, b"".join(inspected.chunks()))


def _put(path: Path, file_name: str, content: bytes) -> dict[str, Any]:
    size = put_file(path, [content])
    return {"file_name": file_name, "path": path, "size": size, "sha256": sha256(content).hexdigest()}


def _read_into(folder: Path, request: ReadRequest) -> list[dict[str, Any]]:
    """Put each file of a name into a folder, under its own name, as it is."""
    if (dataset := dataset_if_any(request)) is not None:
        return [_put(folder / part.part.name, part.part.name, part.read()) for part in dataset.parts]
    return [_put(folder / request.file_name, request.file_name, _content(request))]


def _content(request: ReadRequest) -> bytes:
    return read_file(
        request.file_name,
        account_id=request.account_id,
        sha256=request.sha256,
        client=request.client,
        max_bytes=request.max_bytes,
    )


def _verify(arguments: argparse.Namespace) -> int:
    if bool(arguments.files) == bool(arguments.receipt) or bool(arguments.files) != bool(arguments.account):
        raise InputError("Give either FILE and --account, or --receipt with what write --json printed.")
    if len(arguments.files) > 1 and arguments.name:
        raise InputError("--name is of one file, and several are given; verify that one by itself.")
    receipts = _receipts(arguments.receipt) if arguments.receipt else []
    with connected() as client:
        checks = [_Check(each.file_name, each.account_id, partial(each.verify, client)) for each in receipts]
        checks += [_check_of(Path(path), arguments, client) for path in arguments.files]
        results = [_verified(check, arguments) for check in checks]
    if arguments.json:
        print_json(results)
    return DONE if all(result["verified"] for result in results) else FAILED


class _Check(NamedTuple):
    """One comparison: of which file, and what raises an error where it differs or is not there."""

    file_name: str
    account_id: str
    compare: Callable[[], object]


def _receipts(path: str) -> list[Receipt]:
    text = sys.stdin.read() if path == STANDARD else Path(path).read_text(encoding="utf-8")
    try:
        values = json.loads(text)
    except ValueError as error:
        raise InputError(f"{path!r} is no JSON ({error}); give what write --json printed.") from None
    return [Receipt.from_dict(each) for each in (values if isinstance(values, list) else [values])]


def _check_of(path: Path, arguments: argparse.Namespace, client: Client) -> _Check:
    with path.open("rb") as file:
        digest = file_digest(file, "sha256").hexdigest()
    name = arguments.name or path.name
    compare = partial(read_file, name, account_id=arguments.account, sha256=digest, client=client)
    return _Check(name, arguments.account, compare)


def _verified(check: _Check, arguments: argparse.Namespace) -> dict[str, Any]:
    known = {"file_name": check.file_name, "account_id": check.account_id}
    try:
        check.compare()
    except (DigestMismatchError, FileNotInLibraryError) as error:
        if not arguments.json:
            print_notice(f"{check.file_name}: {error_text(error, arguments)}")
        return known | {"verified": False, "error": error_members(error, arguments)}
    if not arguments.json:
        print(f"{in_one_line(check.file_name)}: the library holds what was written")
    return known | {"verified": True, "error": None}
