from __future__ import annotations

import httpx
import pytest

from .pages import Tags
from .protocol_client import ProtocolClient, import_files

pytestmark = pytest.mark.slow


@pytest.fixture
def api(api_of_its_own: ProtocolClient) -> ProtocolClient:
    return api_of_its_own


def write(api: ProtocolClient, name: str, content: bytes) -> str:
    import_files(api, "patient-1", {name: content})
    return api.sandbox.files()[-1].file_id


def show(api: ProtocolClient, file_id: str, **headers: str) -> httpx.Response:
    return httpx.get(f"{api.sandbox.origin}/files/{file_id}", headers=headers, trust_env=False)


def test_the_root_page_leads_to_it_and_it_shows_the_content(api: ProtocolClient) -> None:
    file_id = write(api, "visits.csv", b"day,pulse\r\n2026-01-05,61\r\n")
    assert f'<a href="/files/{file_id}">visits.csv</a>' in httpx.get(f"{api.sandbox.origin}/", trust_env=False).text
    page = show(api, file_id).text
    for text in ("visits.csv", "patient-1", "26 bytes", "t1", "<td>2026-01-05</td><td>61</td>", "Its first row."):
        assert text in page


def test_what_is_in_a_file_is_text_on_the_page(api: ProtocolClient) -> None:
    answer = show(api, write(api, "<script>1</script>", b"<script>2</script>,<img src=x>\r\n<b>,1\r\n"))
    assert answer.status_code == 200
    assert not [tag for tag, _ in Tags(answer.text).tags if tag in {"script", "img", "b"}]
    assert "&lt;script&gt;2" in answer.text
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"


def test_a_file_that_is_not_there(api: ProtocolClient) -> None:
    answer = show(api, "0" * 32)
    assert answer.status_code == 404
    assert "not here" in answer.text


def test_other_sites_cannot_read_it(api: ProtocolClient) -> None:
    file_id = write(api, "a.csv", b"a\r\n")
    assert show(api, file_id, Host="evil.example").status_code == 400
    assert "Access-Control-Allow-Origin" not in show(api, file_id, Origin="https://evil.example").headers
