from __future__ import annotations

from urllib.parse import parse_qs, quote, urlsplit

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from digime_pandas._service.contract import Contract
from digime_pandas.errors import AuthorizationError, InputError
from digime_pandas.sandbox import Sandbox

from .pages import Tags
from .protocol_client import REDIRECT, ProtocolClient

pytestmark = pytest.mark.slow


def parameters(address: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(address).query, keep_blank_values=True).items()}


def submit_consent_form(url: str, **fields: str) -> httpx.Response:
    return httpx.post(url.partition("?")[0], data={"code": parameters(url)["code"]} | fields, trust_env=False)


def show(url: str) -> httpx.Response:
    return httpx.get(url, trust_env=False)


def test_approval_leads_to_the_redirect_address_whose_own_query_stays(api: ProtocolClient) -> None:
    redirected = api.sandbox.approve(api.consent_url(api.sandbox.contract, state="stäte 1&="))
    assert redirected.startswith(f"{REDIRECT}&success=true&code=")
    found = parameters(redirected)
    assert found.keys() == {"x", "success", "code", "state", "postboxId", "publicKey"}
    assert found["state"] == "stäte 1&="
    assert found["publicKey"].startswith("-----BEGIN RSA PUBLIC KEY-----")
    assert isinstance(load_pem_public_key(found["publicKey"].encode()), RSAPublicKey)
    assert "+" not in redirected


def test_a_state_is_given_back_when_there_was_one_even_an_empty_one(api: ProtocolClient) -> None:
    contract = api.sandbox.contract
    assert parameters(api.sandbox.approve(api.consent_url(contract, state="")))["state"] == ""
    assert "state" not in parameters(api.sandbox.approve(api.consent_url(contract, state=...)))


def test_a_read_contract_gets_no_postbox(api: ProtocolClient) -> None:
    redirected = api.sandbox.approve(api.consent_url(api.sandbox.read_contract))
    assert parameters(redirected).keys() == {"x", "success", "code", "state"}


def test_without_the_postbox_era_no_postbox_is_given() -> None:
    with Sandbox(postbox=False) as sandbox:
        api = ProtocolClient(sandbox)
        person = api.consent()
        assert person.redirected.keys() == {"x", "success", "code", "state"}
        assert api.import_file(person, b"x").status_code == 204
        api.http.close()


def test_refusal_says_so_without_a_code_or_state(api: ProtocolClient) -> None:
    redirected = api.sandbox.refuse(api.consent_url(api.sandbox.contract))
    assert redirected == f"{REDIRECT}&success=false&errorCode=USER_CANCEL"


def test_refusal_goes_to_the_callback_when_the_page_has_one_and_approval_does_not(api: ProtocolClient) -> None:
    callback = "http://localhost:5000/errors?y=ü"
    for decide, start in (
        (api.sandbox.refuse, "http://localhost:5000/errors?y=%C3%BC&success=false"),
        (api.sandbox.approve, f"{REDIRECT}&success=true"),
    ):
        url = f"{api.consent_url(api.sandbox.contract)}&callback={quote(callback, safe='')}"
        assert decide(url).startswith(start)


def test_a_callback_that_is_not_registered_is_no_open_redirect(api: ProtocolClient) -> None:
    url = api.consent_url(api.sandbox.contract)
    with pytest.raises(AuthorizationError, match="not registered"):
        api.sandbox.refuse(f"{url}&callback=https%3A%2F%2Fevil.example%2F")
    assert submit_consent_form(url, callback="https://evil.example/", decision="refuse").status_code == 400


def test_the_address_registered_on_the_contract_may_be_an_applications_own() -> None:
    with Sandbox() as made:
        contracts = (
            Contract("app", "write", made.contract.private_key, "digime-ca://callback"),
            Contract("app", "read", made.read_contract.private_key),
        )
    with Sandbox(contracts=contracts) as sandbox:
        api = ProtocolClient(sandbox)
        url = api.consent_url(contracts[0], redirect_uri="digime-ca://callback")
        assert "digime-ca:" in show(url).headers["Content-Security-Policy"]
        assert sandbox.approve(url).startswith("digime-ca://callback?success=true&code=")
        api.http.close()


@pytest.mark.parametrize("decision", ["approve", "refuse"])
def test_a_link_works_once(api: ProtocolClient, decision: str) -> None:
    url = api.consent_url(api.sandbox.contract)
    assert submit_consent_form(url, decision=decision).status_code == 303
    assert show(url).status_code == 410
    assert submit_consent_form(url, decision="approve").status_code == 410
    with pytest.raises(AuthorizationError, match="used already"):
        api.sandbox.approve(url)


def test_an_unknown_or_expired_link_shows_a_page_that_says_so() -> None:
    now = 1_700_000_000.0
    with Sandbox(clock=lambda: now) as sandbox:
        api = ProtocolClient(sandbox, clock=lambda: now)
        with pytest.raises(AuthorizationError, match="not known"):
            sandbox.approve(f"{sandbox.onboard_url}authorize?code=nonsense")
        assert show(f"{sandbox.onboard_url}authorize").status_code == 404
        url = api.consent_url(sandbox.contract)
        now += 3600
        assert show(url).status_code == 410
        with pytest.raises(AuthorizationError, match="expired"):
            sandbox.approve(url)
        api.http.close()


def test_looking_at_the_page_decides_nothing_and_neither_does_a_form_without_a_button(api: ProtocolClient) -> None:
    url = api.consent_url(api.sandbox.contract)
    assert show(url).status_code == show(url).status_code == 200
    assert submit_consent_form(url).status_code == 400
    assert submit_consent_form(url, decision="perhaps").status_code == 400
    assert submit_consent_form(url, decision="approve").status_code == 303


def test_an_address_elsewhere_is_not_visited(api: ProtocolClient) -> None:
    with pytest.raises(InputError, match="not on this sandbox"):
        api.sandbox.approve("http://127.0.0.1:1/apps/saas/authorize?code=x")


def test_a_person_is_new_unless_linked_or_chosen(api: ProtocolClient) -> None:
    first, second = api.consent(), api.consent()
    assert first.payload["sub"] != second.payload["sub"]
    assert api.reader(first).payload["sub"] == first.payload["sub"]
    url = api.consent_url(api.sandbox.contract)
    chosen = submit_consent_form(url, decision="approve", person=first.payload["sub"])
    assert parameters(chosen.headers["Location"])["postboxId"] == first.redirected["postboxId"]
    assert (
        submit_consent_form(api.consent_url(api.sandbox.contract), decision="approve", person="nobody").status_code
        == 410
    )


def test_a_linked_person_cannot_be_swapped_on_the_page(api: ProtocolClient) -> None:
    mine, other = api.consent(), api.consent()
    url = api.consent_url(api.sandbox.contract, access_token=mine.access_token)
    swapped = submit_consent_form(url, decision="approve", person=other.payload["sub"])
    assert parameters(swapped.headers["Location"])["postboxId"] == mine.redirected["postboxId"]


def test_the_page_says_who_asks_for_what_where(api: ProtocolClient) -> None:
    for contract, question in (
        (api.sandbox.contract, "Write files into your library?"),
        (api.sandbox.read_contract, "Read the files in your library?"),
    ):
        page = show(api.consent_url(contract)).text
        for text in (question, contract.application_id, contract.contract_id, "nothing leaves this computer"):
            assert text in page
        assert "http://127.0.0.1:49152" in page


def test_what_a_file_says_about_itself_is_text_on_the_page(api: ProtocolClient) -> None:
    person = api.consent()
    account = "<script>alert(1)</script>\"'&"
    descriptor = {"mimeType": "text/csv", "accounts": [{"accountId": account}]}
    assert api.import_file(person, b"x", descriptor=descriptor).status_code == 204
    page = show(api.consent_url(api.sandbox.contract, access_token=person.access_token)).text
    assert "&lt;script&gt;alert(1)" in page
    assert not [tag for tag, _ in Tags(page).tags if tag == "script"]


def test_the_page_lets_nothing_in_and_leads_nowhere_else(api: ProtocolClient) -> None:
    answer = show(api.consent_url(api.sandbox.contract))
    policy = dict(([*part.split(maxsplit=1), ""])[:2] for part in answer.headers["Content-Security-Policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["frame-ancestors"] == "'none'"
    assert policy["form-action"] == "'self' http://127.0.0.1:49152"
    assert answer.headers["X-Frame-Options"] == "DENY"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["Cache-Control"] == "no-store"
    for tag, attributes in Tags(answer.text).tags:
        assert tag != "script"
        assert not {"src", "style", "onclick"} & attributes.keys()
        assert attributes.get("href", "data:,") == "data:,"


def test_the_page_can_be_used_without_a_mouse_or_a_picture_of_it(api: ProtocolClient) -> None:
    api.consent()
    tags = Tags(show(api.consent_url(api.sandbox.contract)).text).tags
    names = [tag for tag, _ in tags]
    assert ("html", {"lang": "en"}) in tags
    assert names.count("h1") == names.count("main") == names.count("legend") == 1
    assert [attributes["value"] for tag, attributes in tags if tag == "button"] == ["approve", "refuse"]
    assert names.count("label") == len([1 for tag, attributes in tags if attributes.get("type") == "radio"]) > 1


def page_text(url: str) -> str:
    return " ".join(show(url).text.split())


def test_a_person_is_named_by_the_account_that_consent_was_for(api: ProtocolClient) -> None:
    contract = api.sandbox.contract
    redirected = api.sandbox.approve(api.consent_url(contract), account="account-1 ü")
    assert "account-1 ü" in page_text(api.consent_url(contract))
    again = api.sandbox.approve(api.consent_url(contract), account="account-1 ü")
    other = api.sandbox.approve(api.consent_url(contract), account="account-2")
    assert parameters(redirected)["postboxId"] == parameters(again)["postboxId"] != parameters(other)["postboxId"]


def test_a_linked_person_gets_the_accounts_name_whosever_it_was(api: ProtocolClient) -> None:
    contract = api.sandbox.contract
    api.sandbox.approve(api.consent_url(contract), account="account-3")
    mine = api.consent()
    linked = {"access_token": mine.access_token}
    redirected = api.sandbox.approve(api.consent_url(contract, **linked), account="account-3")
    assert parameters(redirected)["postboxId"] == mine.redirected["postboxId"]
    assert "account-3" in page_text(api.consent_url(api.sandbox.read_contract, **linked))
    assert (
        parameters(api.sandbox.approve(api.consent_url(contract), account="account-3"))["postboxId"]
        == mine.redirected["postboxId"]
    )


@pytest.mark.parametrize("account", ["", " ", 1.5, True, "\ud800", ["a"]])
def test_what_is_no_account_decides_nothing(api: ProtocolClient, account: object) -> None:
    url = api.consent_url(api.sandbox.contract)
    with pytest.raises(InputError, match="account"):
        api.sandbox.approve(url, account=account)  # type: ignore[arg-type] # what callers without types may pass
    assert show(url).status_code == 200


WEB = "https://app.example.test/callback?x=1"


def test_a_web_applications_address_is_registered_by_an_option() -> None:
    with Sandbox(redirects=[WEB, "digime-ca://callback"]) as sandbox:
        api = ProtocolClient(sandbox)
        for contract in (sandbox.contract, sandbox.read_contract):
            url = api.consent_url(contract, redirect_uri=WEB)
            assert "form-action 'self' https://app.example.test;" in show(url).headers["Content-Security-Policy"]
            assert sandbox.approve(url).startswith(f"{WEB}&success=true&code=")
        refused = sandbox.refuse(f"{api.consent_url(sandbox.contract)}&callback={quote(WEB, safe='')}")
        assert refused == f"{WEB}&success=false&errorCode=USER_CANCEL"
        for other in ("https://app.example.test/callback", f"{WEB}&y=2", "http://app.example.test/callback?x=1"):
            answer = api.authorize(sandbox.contract, redirect_uri=other)
            assert answer.json()["error"]["code"] == "InvalidRedirectUri"
        api.http.close()


def test_without_the_option_it_is_not(api: ProtocolClient) -> None:
    for address in (WEB, ""):
        answer = api.authorize(api.sandbox.contract, redirect_uri=address)
        assert answer.json()["error"]["code"] == "InvalidRedirectUri"
