"""What the page of threats promises, and what it does not: tried from outside, by tests that are named like its lines.

A line whose test is elsewhere names that file; `test_each_line_has_the_test_that_is_named_like_it` looks there.
"""

from __future__ import annotations

import base64
import http.client
import io
import json
import logging
import pickle
import re
import tempfile
import traceback
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import digime_pandas as digime
from digime_pandas._service.authorization import Authorization
from digime_pandas.errors import (
    AuthorizationExpiredError,
    AuthorizationTimeoutError,
    ConfigurationError,
    DigestMismatchError,
    DigimeError,
    FidelityWarning,
    InputError,
    RefusedError,
    ReplyError,
    TokenStoreError,
)
from digime_pandas.sandbox import Sandbox, faults
from tests.faults.server import Connection, FaultyServer

from .documents.pages import ROOT, names_of_tests

PAGE = ROOT / ".github" / "SECURITY.md"
GUIDE = ROOT / "notebooks" / "docs" / "explanations" / "threat_model.md"
LINE = re.compile(r"^\| \*\*(?P<says>[^*|]+)\*\* \| (?P<how>[^|]+) \| (?P<shown_by>[^|]+) \|$", re.MULTILINE)
WHO = re.compile(r"^### (.+)$", re.MULTILINE)
NAMED = re.compile(r"`(tests/[\w/]+\.py)`")

# What may not be where it does not belong.
MARK = "Zebra-7f3a"
FRAME = pd.DataFrame({"note": [MARK, "b"], "pulse": [61, 70]})

Connected = Callable[..., digime.Client]
Authorize = Callable[..., Authorization]


def write(client: digime.Client, account_id: str, frame: object = FRAME, name: str = "visits.csv") -> digime.Receipt:
    return digime.write(frame, name, account_id, client=client, progress=False)


def given(client: digime.Client, account_id: str, content: bytes, name: str) -> digime.Receipt:
    """Put bytes of any kind, under any name, into a library, as another program does."""
    descriptor = digime.FileDescriptor("application/octet-stream", account_id, reference=[name])
    return client.write(content, "given", descriptor, client.authorization(account_id))


def contents_of(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def secrets_of(authorization: Authorization) -> list[bytes]:
    pair = authorization.user_access_token
    return [pair.access_token.value.encode(), pair.refresh_token.value.encode()]


@pytest.fixture
def stored(sandbox: Sandbox, connected: Connected, tmp_path: Path) -> digime.Client:
    """A client that keeps its tokens on disk."""
    return connected(sandbox, tokens=digime.FileTokenStore(tmp_path / "tokens"))


class TestAnswers:
    @pytest.mark.usefixtures("no_waiting")
    def test_an_answer_that_another_key_signed_gives_nobody_tokens(
        self, sandbox: Sandbox, stored: digime.Client, connected: Connected, account_id: str
    ) -> None:
        with stored.begin_authorization(account_id) as flow:
            another = connected(sandbox, tokens=stored.tokens)  # which has no keys yet
            wrong = sandbox.fail("keys", keys="wrong", times=None)
            with wrong, pytest.raises(ReplyError, match=r"genuine|key"):
                another.complete_authorization(sandbox.approve(flow.url))
        assert wrong.hits > 0
        assert another.usable_authorization(account_id) is None

    @pytest.mark.usefixtures("no_waiting")
    @pytest.mark.parametrize("status", [301, 302, 307, 308])
    @pytest.mark.parametrize("call", ["session", "upload", "refresh"])
    def test_no_request_is_sent_where_an_answer_points(
        self, sandbox: Sandbox, client: digime.Client, reader: Authorization, call: faults.Call, status: int
    ) -> None:
        asking: dict[str, Callable[[str], object]] = {
            "session": client.files,
            "upload": lambda account_id: write(client, account_id),
            "refresh": lambda account_id: client.refresh(client.authorization(account_id)),
        }
        with FaultyServer(Connection.close) as elsewhere:
            pointing = sandbox.fail(call, status=status, headers={"Location": elsewhere.url}, times=None)
            with pointing, pytest.raises(DigimeError):
                asking[call](reader.account_id)
            assert pointing.hits > 0
            assert elsewhere.connections == 0

    @pytest.mark.usefixtures("no_waiting")
    def test_no_text_of_an_answer_controls_the_terminal(
        self, sandbox: Sandbox, client: digime.Client, person: Authorization, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG)
        said = {"code": "No\x1b[2J", "message": "Sorry\x1b]0;owned\x07\x9b2J\u202e"}
        with sandbox.fail("upload", status=400, **said), pytest.raises(RefusedError) as caught:  # type: ignore[arg-type] # texts
            write(client, person.account_id)
        shown = "".join([str(caught.value), *traceback.format_exception(caught.value), *caplog.messages])
        assert "Sorry" in shown
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", shown)

    @pytest.mark.parametrize(
        "host", ["api.digi.me", "10.0.0.1", "localhost.evil.test", "127.0.0.1.evil.test", "0.0.0.0"]
    )
    def test_plain_http_is_for_this_computer_alone(self, sandbox: Sandbox, host: str) -> None:
        with pytest.raises(ConfigurationError, match="https"):
            digime.Client(sandbox.contract, base_url=f"http://{host}/v1.7/")


class TestOtherUsers:
    def test_stored_tokens_are_for_this_user_alone(
        self, sandbox: Sandbox, stored: digime.Client, authorize: Authorize, account_id: str, tmp_path: Path
    ) -> None:
        with stored.begin_authorization(account_id):  # a link that waits for its answer
            authorize(sandbox, stored, account_id)
            paths = [tmp_path / "tokens", *(tmp_path / "tokens").rglob("*")]
            assert len([path for path in paths if path.is_file()]) >= 2
            assert {path.stat().st_mode & 0o777 for path in paths if path.is_file()} == {0o600}
            assert {path.stat().st_mode & 0o777 for path in paths if path.is_dir()} == {0o700}
        (tmp_path / "tokens").chmod(0o755)
        with pytest.raises(TokenStoreError, match="chmod 700"):
            write(stored, account_id)

    @pytest.mark.slow
    @pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="what is open is not listed here")
    def test_a_temporary_copy_is_encrypted(
        self, client: digime.Client, reader: Authorization, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
        batch = pa.record_batch({"note": pa.array([MARK * 100] * 1000)})
        found: list[bytes] = []

        def batches() -> Iterator[pa.RecordBatch]:
            yield from [batch] * 40
            found.extend(open_files_in(tmp_path))
            yield batch

        write(client, reader.account_id, batches())
        assert max(map(len, found)) > 8 << 20
        assert not [content for content in found if MARK.encode() in content]


def open_files_in(folder: Path) -> Iterator[bytes]:
    """Contents of the files of a folder that this process has open; other threads may close others meanwhile."""
    for path in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):
            if str(path.readlink()).startswith(str(folder)):
                yield path.read_bytes()


class TestWebPages:
    def test_a_web_page_neither_completes_nor_ends_a_consent(
        self, sandbox: Sandbox, client: digime.Client, account_id: str
    ) -> None:
        with client.begin_authorization(account_id) as flow:
            back = sandbox.approve(flow.url)
            address = urlsplit(back)
            path, query = address.path, address.query
            forged = re.sub(r"state=[^&]+", "state=guess", query)
            pages: list[tuple[str, dict[str, str]]] = [
                (f"{path}?{forged}", {}),
                (f"{path}?state=guess&success=false&errorCode=USER_CANCEL", {}),
                ("/?success=false&errorCode=USER_CANCEL", {}),
                (f"{path}?{query}", {"Host": "evil.test"}),  # a name that was made to lead here
                *((f"{path}?{query}", {"Sec-Fetch-Mode": mode}) for mode in ("no-cors", "cors", "websocket")),
            ]
            assert address.port is not None
            assert {asked(address.port, target, headers) // 100 for target, headers in pages} == {4}
            with pytest.raises(AuthorizationTimeoutError):
                flow.wait(0.0)
            assert asked(address.port, f"{path}?{query}", {}) == 200
            assert flow.wait(30).account_id == account_id


def asked(port: int, target: str, headers: dict[str, str]) -> int:
    """Ask the listener, and return the status of its answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("GET", target, headers=headers)
        return connection.getresponse().status
    finally:
        connection.close()


class TestFrames:
    def test_markup_in_a_frame_is_shown_as_text(self, client: digime.Client, reader: Authorization) -> None:
        markup = "<img src=x onerror=alert(1)>"
        frame = pd.DataFrame({markup: [markup], "</td><script>": [1]})
        name = "<b>visits</b>.csv".replace("/", "")
        preview = digime.preview(frame, name, reader.account_id)
        receipt = digime.write(frame, name, reader.account_id, tags=[markup], client=client, progress=False)
        [file] = client.files(reader.account_id)
        shown = "".join(each._repr_html_() for each in (preview, receipt) if hasattr(each, "_repr_html_"))
        assert "&lt;img" in shown
        for text in ("<img", "<b>visits", "<script"):
            assert text not in shown
        assert file.name == name

    @pytest.mark.usefixtures("no_waiting")
    def test_no_value_of_a_frame_is_in_a_journal_a_log_or_an_error(
        self,
        sandbox: Sandbox,
        client: digime.Client,
        person: Authorization,
        tmp_path: Path,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        caplog.set_level(logging.DEBUG)
        path, account_id = tmp_path / "writes.journal", person.account_id
        with digime.Journal(path) as journal:
            digime.write(FRAME, "visits.csv", account_id, client=client, journal=journal, progress=False)
            with sandbox.fail("upload", status=400, times=None), pytest.raises(RefusedError) as caught:
                digime.write(FRAME, "visits.csv", account_id, client=client, journal=journal, progress=False)
            assert len(journal.to_frame()) == 2
            kept = contents_of(tmp_path)
        said = "".join([*traceback.format_exception(caught.value), *caplog.messages])
        assert path in kept
        assert MARK not in said
        assert not [found for found, content in kept.items() if MARK.encode() in content]

    @pytest.mark.parametrize(
        "name", ["../visits.csv", "a/visits.csv", "a\\visits.csv", "a\r\nX: y.csv", "a\x00.csv", ".csv/.."]
    )
    def test_no_name_leaves_a_folder_or_ends_a_line(
        self, sandbox: Sandbox, client: digime.Client, person: Authorization, name: str
    ) -> None:
        with pytest.raises(InputError):
            digime.write(FRAME, name, person.account_id, client=client, format="csv", progress=False)
        assert sandbox.files(person.account_id) == []


class Touch:
    """What makes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


def parquet_of(table: pa.Table) -> bytes:
    stream = io.BytesIO()
    pq.write_table(table, stream)
    return stream.getvalue()


# What parsers have ended the process for, or never come back from.
HARMFUL = {
    "null.ndjson": b"null\n",
    "numbers.ndjson": b"1\n2\n",
    "deep.json": b"[" * 200_000,
    "deep.ndjson": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "commas.json": b"[,,{}]",
    "cut.json": b'[{"a": 1}',
    "text.parquet": b"PAR1" + b"\xff" * 1000 + b"PAR1",
    "footer.parquet": b"PAR1" + b"\x00" * 8 + b"\xff\xff\xff\x7fPAR1",
    "quote.csv": b'a,b\n"' + b"x" * 100_000,
    "bytes.csv": b"a,b\n\xff\xfe,1\n",
}


class TestLibraryFiles:
    def test_no_code_in_a_file_is_run(self, client: digime.Client, reader: Authorization, tmp_path: Path) -> None:
        trace = tmp_path / "trace"
        pickle.loads(pickle.dumps(Touch(trace)))
        assert trace.exists()
        trace.unlink()
        code = pickle.dumps(Touch(trace), 0)
        extension = {"ARROW:extension:name": "arrow.py_extension_type", "ARROW:extension:metadata": code}
        field = pa.field("a", pa.int64(), metadata=extension)
        column = {"name": "a", "field_name": "a", "pandas_type": "object", "numpy_type": "os.system", "metadata": None}
        pandas = json.dumps({"columns": [column], "index_columns": [], "column_indexes": []})
        schema = pa.schema([field], metadata={"pandas": pandas})
        given(client, reader.account_id, parquet_of(pa.table([[1, 2]], schema=schema)), "code.parquet")
        with pytest.warns(FidelityWarning, match="metadata of pandas"):
            found = digime.read_frame("code.parquet", account_id=reader.account_id, client=client)
        assert found["a"].tolist() == [1, 2]
        assert not trace.exists()

    def test_what_a_file_becomes_is_bounded(self, client: digime.Client, reader: Authorization) -> None:
        small = parquet_of(pa.table({"a": pa.array([0], pa.int64()).take(pa.array([0] * 3_000_000))}))
        assert len(small) < 1 << 17
        given(client, reader.account_id, small, "zeros.parquet")
        for bound in ({"max_rows": 1000}, {"max_bytes": 1 << 9}):
            with pytest.raises(DigimeError, match=next(iter(bound))):
                digime.read_frame("zeros.parquet", account_id=reader.account_id, client=client, **bound)  # type: ignore[arg-type] # one keyword

    @pytest.mark.parametrize("name", HARMFUL)
    def test_a_file_that_is_made_to_do_harm_is_an_error(
        self, client: digime.Client, reader: Authorization, name: str
    ) -> None:
        given(client, reader.account_id, HARMFUL[name], name)
        with pytest.raises(DigimeError):
            digime.read_frame(name, account_id=reader.account_id, client=client)
        assert digime.read_file(name, account_id=reader.account_id, client=client) == HARMFUL[name]


class TestReaders:
    @pytest.mark.usefixtures("no_waiting")
    def test_no_local_variable_of_a_traceback_shows_a_secret(
        self, sandbox: Sandbox, client: digime.Client, person: Authorization
    ) -> None:
        with sandbox.fail("upload", status=400, times=None), pytest.raises(RefusedError) as caught:
            write(client, person.account_id)
        shown = "".join(traceback.TracebackException.from_exception(caught.value, capture_locals=True).format())
        assert "file_name" in shown
        assert not [secret for secret in secrets_of(person) if secret.decode() in shown]
        assert "PRIVATE KEY" not in shown

    @pytest.mark.parametrize("value", ["http://ana:hunter2@[", "ftp://ana:hunter2@proxy.test:1"])
    def test_the_password_of_a_proxy_is_not_shown(
        self, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, value: str
    ) -> None:
        monkeypatch.setenv("HTTPS_PROXY", value)
        with pytest.raises(ConfigurationError, match="HTTPS_PROXY") as caught:
            digime.Client(sandbox.contract)
        assert "hunter2" not in "".join(traceback.format_exception(caught.value))


class TestThieves:
    def test_neither_a_private_key_nor_a_value_of_a_frame_is_left_on_the_disk(
        self, sandbox: Sandbox, stored: digime.Client, authorize: Authorize, account_id: str, tmp_path: Path
    ) -> None:
        for access in ("write", "read"):
            authorize(sandbox, stored, account_id, access)
        with digime.Journal(tmp_path / "writes.journal") as journal:
            digime.write(FRAME, "visits.csv", account_id, client=stored, journal=journal, progress=False)
            digime.read_frame("visits.csv", account_id=account_id, client=stored)
            kept = contents_of(tmp_path)
        assert len(kept) >= 3
        for content in kept.values():
            assert MARK.encode() not in content
            assert b"PRIVATE KEY" not in content

    def test_of_a_link_that_waits_the_state_is_not_on_the_disk(
        self, stored: digime.Client, account_id: str, tmp_path: Path
    ) -> None:
        with stored.begin_authorization(account_id) as flow:
            kept = contents_of(tmp_path)
            assert kept
            assert not [path for path, content in kept.items() if flow.state.encode() in content]
            assert not [path for path in kept if flow.state in path.name]

    def test_a_store_in_memory_leaves_no_token_on_the_disk(  # noqa: PLR0917 - fixtures
        self,
        sandbox: Sandbox,
        connected: Connected,
        authorize: Authorize,
        account_id: str,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
        client = connected(sandbox, tokens=digime.MemoryTokenStore())
        authorize(sandbox, client, account_id)
        write(client, account_id)
        assert contents_of(tmp_path) == {}


class Flipping(httpx.HTTPTransport):
    """A network that changes one bit of each file that is read back."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        answer = super().handle_request(request)
        content = bytearray(b"".join(answer.iter_raw()))
        answer.close()
        if request.method == "GET" and len(content) > 1 << 13:
            content[len(content) // 2] ^= 1
        return httpx.Response(answer.status_code, headers=answer.headers, content=bytes(content))


class TestWhatIsNotPromised:
    def test_sealed_files_have_no_integrity_of_their_own(
        self, sandbox: Sandbox, connected: Connected, authorize: Authorize, account_id: str
    ) -> None:
        client = connected(sandbox, transport=Flipping())
        for access in ("write", "read"):
            authorize(sandbox, client, account_id, access)
        receipt = given(client, account_id, bytes(20_000), "zeros.bin")
        assert digime.read_file("zeros.bin", account_id=account_id, client=client) != bytes(20_000)
        with pytest.raises(DigestMismatchError):
            digime.read_file("zeros.bin", account_id=account_id, client=client, sha256=receipt.sha256)

    @pytest.mark.usefixtures("no_waiting")
    def test_a_file_may_arrive_more_than_once_and_readers_see_one(
        self, sandbox: Sandbox, client: digime.Client, reader: Authorization
    ) -> None:
        with sandbox.fail("upload", cut="answer"):
            receipt = write(client, reader.account_id)
        assert receipt.attempts == 2
        assert len(sandbox.files(reader.account_id)) == 2
        assert [file.write_id for file in client.files(reader.account_id)] == [receipt.write_id]

    @pytest.mark.usefixtures("no_waiting")
    def test_a_refresh_whose_answer_is_cut_costs_the_consent(
        self, sandbox: Sandbox, client: digime.Client, authorize: Authorize, person: Authorization
    ) -> None:
        with (
            sandbox.fail("refresh", cut="answer") as fault,
            pytest.raises(AuthorizationExpiredError, match="authorize"),
        ):
            client.refresh(person)
        assert fault.hits == 1
        authorize(sandbox, client, person.account_id)
        assert write(client, person.account_id).status == "delivered"

    def test_tokens_on_the_disk_are_not_encrypted(
        self, sandbox: Sandbox, stored: digime.Client, authorize: Authorize, account_id: str, tmp_path: Path
    ) -> None:
        made = authorize(sandbox, stored, account_id)
        kept = contents_of(tmp_path)
        for secret in secrets_of(made):
            assert len([path for path, content in kept.items() if secret in content]) == 1

    def test_a_consent_link_is_for_whoever_opens_it(
        self, sandbox: Sandbox, client: digime.Client, account_id: str
    ) -> None:
        [link] = client.invite([account_id], callback="http://127.0.0.1:9/back")["url"]
        other = f"not-{account_id}"
        made = client.complete_authorization(sandbox.approve(link, account=other))
        assert made.account_id == account_id
        assert write(client, account_id).status == "delivered"

    def test_a_direct_import_is_not_sealed(
        self, import_sandbox: Sandbox, connected: Connected, authorize: Authorize, account_id: str
    ) -> None:
        bodies: list[bytes] = []

        class Listening(httpx.HTTPTransport):
            def handle_request(self, request: httpx.Request) -> httpx.Response:
                bodies.append(request.read())
                return super().handle_request(request)

        client = connected(import_sandbox, transport=Listening())
        authorize(import_sandbox, client, account_id)
        write(client, account_id)
        assert MARK.encode() in bodies[-1]

    def test_names_in_a_library_are_texts_of_others(self, client: digime.Client, reader: Authorization) -> None:
        given(client, reader.account_id, b"x", "../visits.csv")
        assert [file.name for file in client.files(reader.account_id)] == ["../visits.csv"]
        with pytest.raises(InputError):
            digime.read_file("../visits.csv", account_id=reader.account_id, client=client)

    def test_an_upload_grant_holds_an_access_token(self, client: digime.Client, person: Authorization) -> None:
        grant = client.grant("a.csv", digime.FileDescriptor("text/csv", person.account_id), person)
        access, refresh = secrets_of(person)
        pickled = pickle.dumps(grant)
        [signed] = re.findall(rb"[\w-]{20,}\.([\w-]{20,})\.[\w-]{20,}", pickled)
        content = pickled + base64.urlsafe_b64decode(signed + b"===")
        assert access in content
        assert refresh not in content

    def test_the_sandbox_keeps_files_as_they_are(
        self, sandbox: Sandbox, client: digime.Client, person: Authorization
    ) -> None:
        write(client, person.account_id)
        [file] = sandbox.files(person.account_id)
        assert MARK.encode() in file.path.read_bytes()


def lines() -> list[re.Match[str]]:
    return list(LINE.finditer(PAGE.read_text(encoding="utf-8")))


def name_of(sentence: str) -> str:
    """Return the name of the test of a sentence."""
    words = re.sub("['`]", "", sentence).lower()
    return "test_" + "_".join(re.findall(r"[a-z0-9]+", words))


def test_each_line_has_the_test_that_is_named_like_it() -> None:
    found = {name_of(line["says"]): NAMED.findall(line["shown_by"]) for line in lines()}
    assert len(found) == len(lines()) > 50
    assert [name for name, files in found.items() if name not in names_of_tests(files[0])] == []


def test_no_row_of_the_page_is_without_a_sentence_of_its_own() -> None:
    rows = re.findall(r"^\| (?!promise ).+$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert len(rows) == len(lines())
    assert [row for row in rows if not LINE.fullmatch(row)] == []


def test_each_threat_that_is_tried_here_is_a_line() -> None:
    here = set(names_of_tests("tests/whole/test_threats.py"))
    of_the_page = {name for name in here if name.startswith(("test_each_", "test_no_row_of", "test_page_and"))}
    assert len(of_the_page) == 4
    assert here - of_the_page == {
        name_of(line["says"]) for line in lines() if "`tests/whole/test_threats.py`" in line["shown_by"]
    }


def test_page_and_guide_tell_of_the_same_attackers() -> None:
    page, guide = (WHO.findall(path.read_text(encoding="utf-8")) for path in (PAGE, GUIDE))
    assert page == guide
    assert len(page) >= 8
