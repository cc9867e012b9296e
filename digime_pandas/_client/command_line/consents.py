"""The commands about people's consent: ``authorize``, ``invite``, ``consents`` and ``forget``."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from digime_pandas._client.client import Client
from digime_pandas._client.command_line.failures import DONE, FAILED
from digime_pandas._client.command_line.options import seconds
from digime_pandas._client.command_line.output import in_one_line, print_columns, print_json, print_notice, records_of
from digime_pandas._client.command_line.pasting import authorize_here
from digime_pandas._client.command_line.service import connected
from digime_pandas._service.authorization import ACCESSES, Authorization
from digime_pandas.errors.commands import as_options


def add_consent_commands(commands: Any, shared: list[argparse.ArgumentParser], person: argparse.ArgumentParser) -> None:
    """Add the commands.

    Args:
        commands: What `add_subparsers` returned.
        shared: Parents of every command.
        person: Has the argument that names the account.
    """
    consent = commands.add_parser("authorize", parents=shared, help="ask a person for consent, in the browser")
    whose = consent.add_mutually_exclusive_group(required=True)
    whose.add_argument("--account", metavar="ID", help="the person's id in your own system")
    whose.add_argument(
        "--address", help="complete what was begun elsewhere, with the address that came back (- reads it from input)"
    )
    consent.add_argument("--access", choices=ACCESSES, default="write", help="default: write")
    consent.add_argument(
        "--no-browser",
        dest="browser",
        action="store_false",
        help="only print the link; the address that another computer's browser ends at is read from standard input",
    )
    consent.add_argument(
        "--timeout", type=seconds, default=300.0, metavar="SECONDS", help="longest wait (default: 300)"
    )
    consent.set_defaults(run=_authorize, access_needed="write")

    invite = commands.add_parser("invite", parents=shared, help="make consent links for people who are elsewhere")
    invite.add_argument("accounts", nargs="+", metavar="ID", help="the people's ids in your own system")
    invite.add_argument("--access", choices=ACCESSES, default="write", help="default: write")
    invite.add_argument("--callback", metavar="ADDRESS", help="where people come back to (default: the contract's)")
    invite.set_defaults(run=_invite)

    consents = commands.add_parser(
        "consents", parents=shared, help="list who gave consent, was asked or refused, and until when"
    )
    consents.set_defaults(run=_consents)

    forget = commands.add_parser("forget", parents=[*shared, person], help="forget stored authorizations")
    forget.add_argument("--access", choices=ACCESSES, help="default: both")
    forget.set_defaults(run=_forget, access_needed="write")


def _authorize(arguments: argparse.Namespace) -> int:
    with connected() as client:
        if arguments.address is None:
            authorization = authorize_here(
                *(client, arguments.account, arguments.access),
                timeout=arguments.timeout,
                open_browser=arguments.browser,
            )
        else:
            authorization = client.complete_authorization(_address(arguments.address))
    if arguments.json:
        print_json(_members(authorization))
        return DONE
    protocol = "" if authorization.access == "read" else f" by {_protocol(authorization)}"
    print(f"Account {authorization.account_id!r} is authorized to {authorization.access}{protocol}.")
    return DONE


def _members(authorization: Authorization) -> dict[str, object]:
    """Return what is known of an authorization, without its tokens."""
    names = ("account_id", "access", "user_id", "consent_id")
    protocol = None if authorization.access == "read" else _protocol(authorization)
    return {name: getattr(authorization, name) for name in names} | {"protocol": protocol}


def _protocol(authorization: Authorization) -> str:
    return "postbox" if authorization.postbox else "import"


def _address(argument: str) -> str:
    """Return the address that was given, or the one on standard input, where no list of processes shows it."""
    return sys.stdin.read() if argument == "-" else argument


def _invite(arguments: argparse.Namespace) -> int:
    with connected() as client:
        invited = client.invite(arguments.accounts, access=arguments.access, callback=arguments.callback)
    if arguments.json:
        print_json(records_of(invited))
    else:
        for account_id, url in invited.dropna(subset="url")[["account_id", "url"]].itertuples(index=False):
            print(f"{in_one_line(account_id)}  {url}")
        for account_id, error in invited.dropna(subset="error")[["account_id", "error"]].itertuples(index=False):
            print_notice(f"{account_id}: {as_options(error)}")
    return FAILED if invited["error"].notna().any() else DONE


def _consents(arguments: argparse.Namespace) -> int:
    with connected() as client:
        consents = client.consents()
    if arguments.json:
        print_json(records_of(consents))
        return DONE
    until = consents["until"].dt.strftime("%Y-%m-%d %H:%M:%S%z")
    print_columns(consents.assign(until=until), account_id="account", access="access", status="status", until="until")
    return DONE


def _forget(arguments: argparse.Namespace) -> int:
    with connected() as client:
        wanted = [arguments.access] if arguments.access else _accesses(client)
        known = {access: client.forget(arguments.account, access=access) for access in wanted}
    if arguments.json:
        print_json([{"account_id": arguments.account, "access": each, "forgotten": known[each]} for each in wanted])
        return DONE
    for access, was_known in known.items():
        what = "forgotten here; a consent that was given stays given" if was_known else "nothing was stored"
        print(f"{access}: {what}")
    return DONE


def _accesses(client: Client) -> list[Any]:
    contracts = dict(zip(ACCESSES, (client.contract, client.read_contract), strict=True))
    return [access for access in ACCESSES if contracts[access]]
