from __future__ import annotations

from pathlib import Path

import pytest

from digime_pandas.sandbox import Sandbox

from .endpoints.protocol_client import ProtocolClient, error_reply

pytestmark = pytest.mark.slow


def test_unknown_addresses_and_methods_are_answered_in_the_same_form(api: ProtocolClient) -> None:
    assert error_reply(api.http.get("nothing/here")) == (404, "NotFound")
    assert error_reply(api.http.get("oauth/token")) == (405, "MethodNotAllowed")


def test_a_name_that_is_not_this_computers_is_not_answered(api: ProtocolClient) -> None:
    answer = api.http.get("jwks/oauth", headers={"Host": "evil.example"})
    assert answer.status_code == 400
    assert "keys" not in answer.text


def test_a_failure_of_its_own_is_answered_in_the_same_form_and_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with Sandbox(tmp_path) as sandbox:
        api = ProtocolClient(sandbox)
        person = api.consent()
        api.import_file(person, b"x")
        reader = api.reader(person)
        session = api.session(reader)
        (tmp_path / "index.sqlite").chmod(0o600)
        sandbox._require_running().context.library._database.execute("DROP TABLE files")
        answer = api.get(reader, f"permission-access/query/{session}")
        assert error_reply(answer) == (500, "ServerError")
        assert [record.name for record in caplog.records] == ["digime_pandas.sandbox"]
        assert reader.access_token not in caplog.text
        api.http.close()
