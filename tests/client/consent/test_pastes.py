from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from digime_pandas._client.client import Client
from digime_pandas._client.consent.pastes import explain_paste
from digime_pandas._service.masking.secret import Secret
from digime_pandas._service.oauth.flow import AuthorizationFlow
from digime_pandas.errors import RedirectError
from digime_pandas.sandbox import Sandbox

Explain = Callable[[str], str]


@pytest.fixture
def flow(client: Client, account_id: str) -> Iterator[AuthorizationFlow]:
    with client.begin_authorization(account_id) as begun:
        yield begun


@pytest.fixture
def explain(client: Client, flow: AuthorizationFlow) -> Explain:
    """Says why an address is not the one of the flow."""

    def explained(address: str) -> str:
        with pytest.raises(RedirectError) as caught:
            flow.complete(address)
        words = explain_paste(client, flow, Secret(address), caught.value)
        assert not address.strip() or address not in words
        return words

    return explained


@pytest.mark.parametrize("surroundings", ["{}", '  "{}" ', "The link is {} .", "<{}>"])
def test_the_consent_link_itself_is_known(explain: Explain, flow: AuthorizationFlow, surroundings: str) -> None:
    words = explain(surroundings.format(flow.url))
    assert "address of the consent page itself" in words
    assert "decide there" in words


def test_another_accounts_address_is_named_with_the_account(
    explain: Explain, client: Client, sandbox: Sandbox, account_id: str
) -> None:
    for access in ("write", "read"):
        with client.begin_authorization(f"{account_id}-b", access=access) as other:
            address = sandbox.approve(other.url)
            words = explain(address)
            assert f"account '{account_id}-b', to {access}" in words
            assert other.state not in words


def test_an_old_address_is_told_from_others(
    explain: Explain, client: Client, sandbox: Sandbox, account_id: str
) -> None:
    with client.begin_authorization(account_id) as older:
        address = sandbox.approve(older.url)
        assert "of this account: to an older link" in explain(address)
    assert "older link, which was replaced or used" in explain(address)


@pytest.mark.parametrize(
    ("address", "words"), [("nonsense", "neither success"), (" ", "empty"), ("?code=1", "code only")]
)
def test_what_is_no_such_address_is_explained_as_before(explain: Explain, address: str, words: str) -> None:
    assert words in explain(address)
