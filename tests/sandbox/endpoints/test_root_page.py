from __future__ import annotations

import re

import httpx
import pytest

from .pages import Tags
from .protocol_client import ProtocolClient, import_files

pytestmark = pytest.mark.slow


@pytest.fixture
def api(api_of_its_own: ProtocolClient) -> ProtocolClient:
    return api_of_its_own


def show(api: ProtocolClient, **headers: str) -> httpx.Response:
    return httpx.get(f"{api.sandbox.origin}/", headers=headers, trust_env=False)


def write(api: ProtocolClient, account_id: str, *names: str) -> None:
    import_files(api, account_id, dict.fromkeys(names, b"x" * 2048))


def test_an_empty_sandbox_says_how_people_come(api: ProtocolClient) -> None:
    page = show(api)
    assert page.status_code == 200
    assert "0 people, 0 files" in " ".join(page.text.split())
    assert "approves" in page.text
    for contract in (api.sandbox.contract, api.sandbox.read_contract):
        assert contract.contract_id in page.text


def test_people_are_shown_by_their_accounts_with_their_newest_files(api: ProtocolClient) -> None:
    write(api, "patient-1", "visits.csv")
    write(api, "patient-2", *(f"{number}.csv" for number in range(25)))
    api.sandbox.approve_all(["patient-3"])
    text = " ".join(show(api).text.split())
    assert "3 people, 26 files" in text
    for shown in ("patient-1", "patient-2", "patient-3", "visits.csv", "24.csv", "text/csv", "2.0 KiB", "t1"):
        assert shown in text
    assert ">4.csv" not in text
    assert "and 5 older" in text


def test_of_many_people_those_who_came_last_are_shown(api: ProtocolClient) -> None:
    api.sandbox.approve_all([f"patient-{number:03}" for number in range(200)])
    text = show(api).text
    assert "200 people" in text
    assert "50 people who were added last" in text
    assert "patient-199" in text
    assert "patient-149" not in text


def test_what_people_and_files_are_called_is_text_on_the_page(api: ProtocolClient) -> None:
    write(api, "<script>1</script>", "<img src=x>\"'&.csv")
    answer = show(api)
    assert "&lt;script&gt;1" in answer.text
    assert not [tag for tag, _ in Tags(answer.text).tags if tag in {"script", "img"}]
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "form-action 'self';" in policy
    assert answer.headers["Cache-Control"] == "no-store"


def test_it_holds_no_token_no_key_and_no_content(api: ProtocolClient) -> None:
    (made,) = api.sandbox.approve_all(["patient-1"])
    person = api.consent(access_token=made.user_access_token.access_token.value)
    descriptor = {"mimeType": "text/csv", "accounts": [{"accountId": "patient-1"}], "reference": ["a.csv"]}
    api.import_file(person, b"content of a file", descriptor=descriptor)
    text = show(api).text
    assert "a.csv" in text
    for secret in (person.access_token, person.refresh_token, "content of a file", str(made.user_id)):
        assert secret not in text


def test_other_sites_cannot_read_it(api: ProtocolClient) -> None:
    assert show(api, Host="evil.example").status_code == 400
    assert "Access-Control-Allow-Origin" not in show(api, Origin="https://evil.example").headers
    assert httpx.post(f"{api.sandbox.origin}/", trust_env=False).status_code == 405


def test_what_each_person_consented_to_is_shown(api: ProtocolClient) -> None:
    assert "Has not consented" not in show(api).text
    api.sandbox.approve_all(["patient-1"])
    text = " ".join(show(api).text.split())
    assert re.search(r"Consented to writing until \d\d \w{3} 20\d\d<", text)
    assert "reading" not in text.partition("<section>")[2]
    api.sandbox.approve_all(["patient-1"], access="read")
    assert re.search(r"Consented to writing until [\w ]+, reading until [\w ]+<", " ".join(show(api).text.split()))
    api.sandbox.expire_refresh_tokens()
    ended = r"Consented to writing, which ended on [\w ]+, reading, which ended on [\w ]+<"
    assert re.search(ended, " ".join(show(api).text.split()))


def test_it_is_loaded_anew_so_that_files_are_seen_to_arrive(api: ProtocolClient) -> None:
    assert '<meta http-equiv="refresh" content="5">' in show(api).text
