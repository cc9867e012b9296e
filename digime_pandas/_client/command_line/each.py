"""The commands ``write-each`` and ``preview-each``: a table, of which each person gets their own rows."""

from __future__ import annotations

import argparse
from typing import Any

import pandas as pd

from digime_pandas._client.command_line.failures import DONE, FAILED, authorize_command
from digime_pandas._client.command_line.options import count, file_options
from digime_pandas._client.command_line.output import print_columns, print_json, print_notice, records_of
from digime_pandas._client.command_line.service import connected
from digime_pandas._client.command_line.sources import source_file
from digime_pandas._client.command_line.writing import shown_progress, write_arguments
from digime_pandas._client.write_each import DEFAULT_WORKERS, preview_each, write_each
from digime_pandas.errors.commands import as_options

_FAILURES = ("failed", "not sent")
_NO_CONSENT = ("NotAuthorizedError", "AuthorizationExpiredError")


def add_each_commands(commands: Any, shared: list[argparse.ArgumentParser]) -> None:
    """Add the commands.

    Args:
        commands: What `add_subparsers` returned.
        shared: Parents of every command.
    """
    table = argparse.ArgumentParser(add_help=False)
    table.add_argument("file", metavar="FILE", help="a table; - is standard input. {account_id} in --name is filled in")
    table.add_argument("--by", required=True, metavar="COLUMN", help="the column of account ids")
    table.add_argument("--drop-null", action="store_true", help="leave out rows without an account id")
    table.add_argument("--drop-key", action="store_true", help="leave the column of account ids out of the files")
    parents = [*shared, table, file_options()]

    each = commands.add_parser("write-each", parents=parents, help="split a table by person; each gets their own rows")
    each.add_argument("--missing", choices=("error", "skip"), default="error", help="accounts without consent")
    each.add_argument("--journal", metavar="PATH", help="file that records every write, so that it can be repeated")
    each.add_argument("--workers", type=count, default=DEFAULT_WORKERS, metavar="N", help="files sent at the same time")
    each.set_defaults(run=_write_each)

    preview = commands.add_parser("preview-each", parents=parents, help="show what write-each would send to whom")
    preview.set_defaults(run=_preview_each)


def _write_each(arguments: argparse.Namespace) -> int:
    file = source_file(arguments.file, arguments)
    try:
        with connected(journal=arguments.journal) as client:
            result = write_each(
                *(file.table(), arguments.by, file.name),
                missing=arguments.missing,
                drop_null=arguments.drop_null,
                keep_key=not arguments.drop_key,
                client=client,
                workers=arguments.workers,
                progress=shown_progress(),
                **write_arguments(arguments),
            )
    except BaseException as error:
        unfinished = getattr(error, "result", None)
        if isinstance(unfinished, pd.DataFrame):
            _show(unfinished, as_json=arguments.json)
        raise
    _show(result, as_json=arguments.json)
    return FAILED if result["status"].isin(_FAILURES).any() else DONE


def _preview_each(arguments: argparse.Namespace) -> int:
    file = source_file(arguments.file, arguments)
    with connected() as client:
        table = preview_each(
            *(file.table(), arguments.by, file.name),
            drop_null=arguments.drop_null,
            keep_key=not arguments.drop_key,
            client=client,
            **write_arguments(arguments),
        )
    if arguments.json:
        print_json(records_of(table))
    else:
        print_columns(table, account_id="account", consent="consent", file_name="file", rows="rows", verdict="verdict")
    return FAILED if (table["verdict"] == "impossible").any() else DONE


def _show(result: pd.DataFrame, *, as_json: bool) -> None:
    if as_json:
        print_json(records_of(result))
        return
    print_columns(result, account_id="account", status="status", file_name="file", rows="rows", size="bytes")
    failed = result[result["error"].notna()]
    for account_id, kind, error in failed[["account_id", "error_type", "error"]].itertuples(index=False):
        asked = f"there is no consent that can be used; ask for it with {authorize_command(account_id)}"
        print_notice(f"{account_id}: {asked if kind in _NO_CONSENT else as_options(error)}")
