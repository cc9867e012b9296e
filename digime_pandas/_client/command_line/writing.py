"""The commands ``write`` and ``preview``: any files, as they are or as tables in another format."""

from __future__ import annotations

import argparse
import sys
from contextlib import ExitStack
from dataclasses import replace
from typing import Any, cast

from digime_pandas._client.arguments import OPTION_DEFAULTS, WriteArguments
from digime_pandas._client.client import Client
from digime_pandas._client.command_line.failures import DONE, FAILED
from digime_pandas._client.command_line.options import file_options
from digime_pandas._client.command_line.output import in_one_line, print_json, records_of
from digime_pandas._client.command_line.service import connected
from digime_pandas._client.command_line.sources import SourceFile, check_names, source_file
from digime_pandas._client.preview import preview
from digime_pandas._client.progress.show import show_progress
from digime_pandas._client.write import write
from digime_pandas._client.write_plan import default_reference
from digime_pandas._service.authorization import Authorization
from digime_pandas._service.descriptor import FileDescriptor
from digime_pandas._service.receipt import Receipt
from digime_pandas._service.streams import Progress
from digime_pandas._service.upload import as_upload
from digime_pandas.errors import InputError
from digime_pandas.errors.names import did_you_mean

_TRUTH = {"true": True, "false": False}


def add_writing_commands(commands: Any, shared: list[argparse.ArgumentParser], person: argparse.ArgumentParser) -> None:
    """Add the commands.

    Args:
        commands: What `add_subparsers` returned.
        shared: Parents of every command.
        person: Has the argument that names the account.
    """
    parents = [*shared, person, file_options()]
    sending = commands.add_parser("write", parents=parents, help="send files as they are, or as another format")
    sending.add_argument("files", nargs="+", metavar="FILE", help="any file; - is standard input")
    sending.add_argument("--journal", metavar="PATH", help="file that records every write")
    sending.set_defaults(run=_write, access_needed="write")

    showing = commands.add_parser("preview", parents=parents, help="show what a write would send; nothing is sent")
    showing.add_argument("files", nargs="+", metavar="FILE", help="any file; - is standard input")
    showing.set_defaults(run=_preview, access_needed="write")


def shown_progress() -> bool | None:
    """Return for `progress=`: a bar on a terminal, and nothing elsewhere."""
    return None if sys.stderr.isatty() else False


def write_arguments(arguments: argparse.Namespace) -> WriteArguments:
    """Return the arguments of a write of a table."""
    named: WriteArguments = {"format": arguments.format, "tags": arguments.tag}
    if arguments.mime_type is not None:
        named["mime_type"] = arguments.mime_type
    options = cast("WriteArguments", dict(map(_option, arguments.option)))
    return {**named, **options}


def _option(text: str) -> tuple[str, Any]:
    """Return name and value of an option of a format; `write` refuses values that it has not."""
    name, _, value = text.partition("=")
    if name not in OPTION_DEFAULTS:
        near = did_you_mean(name, OPTION_DEFAULTS, "{}")
        remedy = f"{near} Give one of {', '.join(OPTION_DEFAULTS)}.".lstrip()
        raise InputError(f"--option names {name!r}, which is no option of a format.", remedy=remedy)
    return name, _TRUTH.get(value.lower(), value)


def _write(arguments: argparse.Namespace) -> int:
    files = _files(arguments)
    receipts: list[Receipt] = []
    with connected(journal=arguments.journal) as client:
        authorization = client.authorization(arguments.account)
        try:
            for file in files:
                receipt = _written(file, client, authorization, arguments)
                authorization = receipt.authorization or authorization
                receipts.append(receipt)
                if not arguments.json:
                    print(_sentence(receipt), flush=True)
        except BaseException as error:
            _add_note(error, files, len(receipts))
            raise
        finally:
            if arguments.json and receipts:
                print_json([receipt.to_dict() for receipt in receipts])
    return DONE


def _files(arguments: argparse.Namespace) -> list[SourceFile]:
    """Check all before anything is sent: names, formats, and whether they can be read."""
    if len(arguments.files) > 1 and arguments.name:
        raise InputError("--name is of one file, and several are given; write that one by itself.")
    files = [source_file(each, arguments) for each in arguments.files]
    check_names(files)
    for file in files:
        FileDescriptor(file.mime_type, arguments.account, default_reference(file.name), arguments.tag)
        file.check_readable()
        if arguments.option and not file.is_converted:
            raise InputError(f"--option is of tables that are converted, and {file.name!r} is sent as it is.")
    return files


def _written(file: SourceFile, client: Client, authorization: Authorization, arguments: argparse.Namespace) -> Receipt:
    if file.is_converted:
        return write(
            *(file.table(), file.name, arguments.account),
            client=client,
            authorization=authorization,
            progress=shown_progress(),
            **write_arguments(arguments),
        )
    descriptor = FileDescriptor(file.mime_type, arguments.account, default_reference(file.name), arguments.tag)
    with ExitStack() as resources:
        content = resources.enter_context(file.open())
        upload = resources.enter_context(as_upload(content, file.name, descriptor))
        report = resources.enter_context(show_progress(shown_progress(), file.name))
        upload = replace(upload, progress=_of_size(report, file.size), renews_write_id=True)
        return client.upload(upload, authorization, journal=None)


def _of_size(report: Progress | None, size: int | None) -> Progress | None:
    """Let a report know how many bytes there are in all, which a stream does not say."""
    if report is None or size is None:
        return report
    return lambda sent, total: report(sent, total or max(sent, size))


def _add_note(error: BaseException, files: list[SourceFile], done: int) -> None:
    if len(files) > 1:
        left = ", ".join(repr(file.name) for file in files[done + 1 :])
        error.add_note(
            f"It is about {files[done].name!r}; {done} of {len(files)} files were delivered before"
            f"{f', and not sent were {left}' if left else ''}."
        )


def _sentence(receipt: Receipt) -> str:
    rows = "" if receipt.rows is None else f"{receipt.rows:,} rows, "
    name = in_one_line(receipt.file_name)
    return f"{receipt.status}: {name}, {receipt.mime_type}, {rows}{receipt.size:,} bytes, SHA-256 {receipt.sha256}"


def _preview(arguments: argparse.Namespace) -> int:
    shown = [_previewed(file, arguments) for file in _files(arguments)]
    if arguments.json:
        print_json([members for members, _ in shown])
    else:
        print("\n\n".join(text for _, text in shown))
    return FAILED if any(each["verdict"] == "impossible" for members, _ in shown for each in members["columns"]) else 0


def _previewed(file: SourceFile, arguments: argparse.Namespace) -> tuple[dict[str, Any], str]:
    """Return a preview as values for JSON, and as text."""
    if not file.is_converted:
        descriptor = FileDescriptor(file.mime_type, arguments.account, default_reference(file.name), arguments.tag)
        members = _members(file.name, descriptor, None, None, file.size) | {"columns": []}
        size = "not known" if file.size is None else f"{file.size:,} bytes"
        return members, in_one_line(f"{file.name}: sent as it is, {file.mime_type}, {size}")
    made = preview(file.table(), file.name, arguments.account, **write_arguments(arguments))
    members = _members(made.file_name, made.descriptor, made.format, made.rows, made.estimated_size)
    return members | {"columns": records_of(made.to_frame().reset_index())}, repr(made)


def _members(
    name: str, descriptor: FileDescriptor, format: str | None, rows: int | None, size: int | None
) -> dict[str, Any]:
    return {
        "file_name": name,
        "mime_type": descriptor.mime_type,
        "as_it_is": format is None,
        "format": format,
        "rows": rows,
        "estimated_size": size,
        "descriptor": descriptor.to_dict(),
    }
