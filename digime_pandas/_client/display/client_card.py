"""What a notebook shows of a client: where it writes, under which contracts, and what to do next."""

from __future__ import annotations

from typing import Protocol
from urllib.parse import urljoin

from digime_pandas._client.display.services import OfService, describe_environment, describe_token_store
from digime_pandas._service.contract import Contract
from digime_pandas._service.display import html
from digime_pandas._service.journal.write_journal import WriteJournal

_NEXT = """\
digime.AuthorizationWidget("patient-17")  # asks a person for consent
df.digime.write("visits.parquet", account_id="patient-17")
client.files("patient-17")  # once the person lets you read, too"""


class Shown(OfService, Protocol):
    """What is shown of a client."""

    contract: Contract
    read_contract: Contract | None

    @property
    def journal(self) -> WriteJournal | None:
        """Records every write."""


def client_card(client: Shown) -> str:
    """Return HTML that shows a client."""
    facts = {
        "Writes": _contract(client.contract),
        "Reads back": _contract(client.read_contract),
        "Authorizations": f"kept in {describe_token_store(client)}",
        "Journal": "" if client.journal is None else str(client.journal.path),
    }
    if client.sandbox is not None:
        page = urljoin(client.base_url, "/")
        facts["People and files"] = html.link(page, page)
    label = "Client" if client.sandbox is None else "Sandbox"
    return html.card(
        html.head(label, "plain", f"Writes to {describe_environment(client)}"),
        html.facts(facts),
        html.line("What to do next:"),
        html.code(_NEXT),
    )


def _contract(contract: Contract | None) -> str:
    if contract is None:
        return "nothing: it has no read_contract"
    return f"contract {contract.contract_id} of application {contract.application_id}"
