from __future__ import annotations

import re
import threading
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pandas as pd
import pytest

from digime_pandas._client.authorizations.invitations import check_invited, invitation_address, invite_all
from digime_pandas._client.client import Client
from digime_pandas._service.authorization import Authorization
from digime_pandas._service.contract import Contract
from digime_pandas._service.oauth.flow import AuthorizationFlow
from digime_pandas.errors import APIError, ConfigurationError, DescriptorError, ServiceUnreachableError
from digime_pandas.sandbox import Sandbox

Connected = Callable[..., Client]
CALLBACK = "http://127.0.0.1:65000/callback"
PEOPLE = [f"patient-{number}" for number in range(12)]


class Refusing(httpx.HTTPTransport):
    """A network behind which some of the links are refused."""

    def __init__(self, *numbers: int) -> None:
        super().__init__()
        self.numbers = numbers
        self.count = 0
        self.lock = threading.Lock()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("oauth/authorize"):
            with self.lock:
                self.count += 1
                refused = self.count - 1 in self.numbers
            if refused:
                return httpx.Response(400, json={"error": {"code": "Odd", "message": "not today"}})
        return super().handle_request(request)


def test_each_person_gets_a_link_of_their_own_that_completes_their_authorization(
    sandbox: Sandbox, client: Client
) -> None:
    before = set(threading.enumerate())
    invited = client.invite(PEOPLE, callback=CALLBACK)
    assert not [each for each in set(threading.enumerate()) - before if each.name.startswith("digime")]
    assert list(invited.columns) == ["account_id", "url", "expires", "error"]
    assert list(invited["account_id"]) == PEOPLE
    assert invited["url"].nunique() == len(PEOPLE)
    assert invited["error"].isna().all()
    in_six_days = pd.Timestamp.now("UTC") + pd.Timedelta(days=6)
    assert (invited["expires"] > in_six_days).all()
    for account_id, url in reversed(list(zip(invited["account_id"], invited["url"], strict=True))):
        assert parse_qs(urlsplit(url).query)["callback"] == [CALLBACK]
        assert client.complete_authorization(sandbox.approve(url)).account_id == account_id
    assert list(client.consents()["status"]) == ["given"] * len(PEOPLE)


def test_the_contracts_own_address_is_used(sandbox: Sandbox, connected: Connected) -> None:
    given = sandbox.contract
    contract = Contract(given.application_id, given.contract_id, given.private_key, redirect_uri=CALLBACK)
    (url,) = connected(sandbox, contract=contract).invite(["patient-17"])["url"]
    assert sandbox.approve(url).startswith(f"{CALLBACK}?")


def test_reading_is_linked_to_the_library_that_is_written_into(
    sandbox: Sandbox, client: Client, person: Authorization
) -> None:
    (url,) = client.invite([person.account_id], access="read", callback=CALLBACK)["url"]
    read = client.complete_authorization(sandbox.approve(url))
    assert (read.access, read.user_id) == ("read", person.user_id)


def test_those_that_failed_are_named_and_the_others_returned(sandbox: Sandbox, connected: Connected) -> None:
    client = connected(sandbox, transport=Refusing(3, 7))
    invited = client.invite(PEOPLE, callback=CALLBACK)
    failed = invited[invited["error"].notna()]
    assert len(failed) == 2
    assert failed["error"].str.contains("not today").all()
    assert failed[["url", "expires"]].isna().all(axis=None)
    assert invited.drop(failed.index)["url"].notna().all()
    waiting = client.consents()
    assert sorted(waiting["account_id"]) == sorted(set(PEOPLE) - set(failed["account_id"]))


def test_after_many_failures_in_a_row_the_rest_is_not_tried(sandbox: Sandbox, connected: Connected) -> None:
    network = Refusing(*range(1000))
    many = [f"patient-{number}" for number in range(1000)]
    invited = connected(sandbox, transport=network).invite(many, callback=CALLBACK)
    assert 8 <= network.count <= 8 + 4
    assert invited["error"].notna().all()
    assert invited["error"].str.startswith("Not tried, after").sum() == 1000 - network.count
    assert invited["error"].str.contains("not today").all()


def test_what_a_link_lacks_is_in_the_error_with_its_notes() -> None:
    def begin(account_id: str) -> AuthorizationFlow:
        error = ServiceUnreachableError(f"Nothing for {account_id}.", outcome="not sent")
        error.add_note("Forget it.")
        raise error

    assert list(invite_all(("p",), begin)["error"]) == ["Nothing for p. Forget it."]


def test_what_is_no_error_of_ours_is_not_hidden() -> None:
    def begin(account_id: str) -> AuthorizationFlow:
        raise ZeroDivisionError(account_id)

    with pytest.raises(ZeroDivisionError):
        invite_all(("p",), begin)


class TestAccounts:
    @pytest.mark.parametrize(
        "given",
        [["p", "q"], ("p", "q"), pd.Series(["p", "q"]), pd.Index(["p", "q"]), {"p": 1, "q": 2}, iter("pq")],
        ids=lambda given: type(given).__name__,
    )
    def test_they_may_come_in_any_sequence(self, given: Any) -> None:
        assert check_invited(given) == ("p", "q")

    def test_one_is_enough_and_none_is_an_empty_table(self, client: Client) -> None:
        assert check_invited("p") == ("p",)
        empty = client.invite([], callback=CALLBACK)
        assert (len(empty), str(empty["expires"].dtype)) == (0, "datetime64[us, UTC]")

    @pytest.mark.parametrize(
        ("given", "message"),
        [
            (["p", "q", "p"], "'p' twice"),
            (["Zoë", "Zoe\u0308"], "one account id, written in two ways"),
            (["p", " p"], "one account id, written in two ways"),
            (["p", 1.5], "1.5"),
            ([17, "17"], "twice"),
            (["p", None], "None"),
            (["p", ""], "empty str"),
            ([" "], "account_id is ' '"),
            (["\ud800"], "lone surrogate"),
            (None, "account_id is None"),
            (1.5, "account_id is 1.5"),
            (b"p", "bytes"),
        ],
        ids=repr,
    )
    def test_what_cannot_be_invited_is_named_before_anything_is_sent(
        self, sandbox: Sandbox, connected: Connected, given: Any, message: str
    ) -> None:
        network = Refusing()
        with pytest.raises(DescriptorError, match=message):
            connected(sandbox, transport=network).invite(given, callback=CALLBACK)
        assert network.count == 0


class TestAddress:
    @pytest.mark.parametrize("variable", ["DIGIME_REDIRECT_URI", "DIGIME_READ_REDIRECT_URI"])
    def test_without_one_the_variable_and_the_argument_are_named(self, variable: str) -> None:
        with pytest.raises(ConfigurationError, match=rf"callback=.*{variable}.*complete_authorization") as raised:
            invitation_address(None, base_url="https://api.digi.me/v1.7/", variable=variable)
        assert re.search(rf"--callback or set {variable}, .* digime-pandas authorize --address -", raised.value.command)

    def test_without_one_a_sandbox_is_rehearsed_with(self, sandbox: Sandbox, client: Client) -> None:
        (url,) = client.invite(["rehearses"])["url"]
        address = sandbox.approve(url)
        assert address.startswith("http://localhost:8765/digime?")
        assert client.complete_authorization(address).account_id == "rehearses"

    @pytest.mark.parametrize(
        "address",
        [
            "http://localhost:8765/digime",
            "http://127.0.0.1/back",
            "http://[::1]:8765/",
            "https://127.0.0.1:8765/back",
            "https://hub.example.test/user/ana/proxy/8765/digime",
        ],
    )
    def test_one_on_this_computer_is_for_services_on_this_computer(self, address: str) -> None:
        with pytest.raises(ConfigurationError, match="leads to this computer"):
            invitation_address(address, base_url="https://api.digi.me/v1.7/", variable="X")
        invitation_address(address, base_url="http://127.0.0.1:1/v1.7/", variable="X")

    @pytest.mark.parametrize("address", ["https://app.example.test/callback", "digime-ca://callback", "http://[/x"])
    def test_one_elsewhere_is_left_to_the_service_to_judge(self, address: str) -> None:
        invitation_address(address, base_url="https://api.digi.me/v1.7/", variable="X")

    def test_one_that_is_not_registered_is_named_per_person(self, client: Client) -> None:
        (error,) = client.invite(["p"], callback="https://elsewhere.example.test/")["error"]
        assert "InvalidRedirectUri" in error
        with pytest.raises(APIError):
            client.begin_authorization("p", callback="https://elsewhere.example.test/")
