"""Mistakes that people make, as a notebook shows them: in a few lines, with what to do instead."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

import digime_pandas as digime
from digime_pandas._client import connect as _connect
from digime_pandas._service.authorization import Authorization
from digime_pandas.errors.display import LONG_TRACEBACKS
from digime_pandas.sandbox import Sandbox

MOST_LINES = 6

MISTAKES: dict[str, tuple[str, str]] = {
    # Arguments
    "a misspelt argument": ('df.digime.write("a.csv", who, tag=["x"])', r"Did you mean tags=\?"),
    "a misspelt option": ('df.digime.write("a.csv", who, escape_formula=True)', r"Did you mean escape_formulas=\?"),
    "a misspelt argument of sending": ('digime.write(df, "a.csv", who, progres=False)', r"Did you mean progress=\?"),
    "pandas' sep": ('df.digime.write("a.csv", who, sep=";")', r"commas.*client\.write\(df\.to_csv"),
    "pandas' orient": ('df.digime.write("a.json", who, orient="records")', r"ends in \.ndjson"),
    "a dry run": ('df.digime.write("a.csv", who, dry_run=True)', r"preview\(\.\.\.\)"),
    "overwriting": ('df.digime.write("a.csv", who, overwrite=True)', "Every write adds a file"),
    "an option of another format": ('df.digime.write("a.csv", who, compression="zstd")', "option of parquet"),
    "a value that is no option's": ('df.digime.write("a.parquet", who, compression="zst")', "Did you mean 'zstd'"),
    "no account": ('df.digime.write("a.csv")', r"Call it as df\.digime\.write\(file_name, account_id\)"),
    "another name of the account": ('df.digime.write("a.csv", who, patient_id="p")', r"Use account_id=\."),
    "an argument of write_each": ('df.digime.write("a.csv", who, missing="skip")', "argument of write_each"),
    "an argument of sending, in a preview": ('df.digime.preview("a.csv", who, journal="j")', "Leave it out here"),
    "the misspelt argument of a run": (
        'df.digime.write_each("id", "a.csv", mising="skip")',
        r"Did you mean missing=\?",
    ),
    "a misspelt argument of reading": ('digime.read_frame("a.csv", who, column=["x"])', r"Did you mean columns=\?"),
    "pandas' nrows": ('digime.read_frame("a.csv", who, nrows=5)', "Use limit="),
    "pandas' dtype": ('digime.read_frame("a.csv", who, dtype=str)', "Reading restores the frame"),
    "chunks": ('digime.read_frame("a.csv", who, chunksize=5)', r"digime\.read_batches"),
    "an option of the sandbox": ('digime.connect("sandbox", foo=5)', "Options are .*base_url"),
    "a misspelt option of the client": ('digime.connect("sandbox", time_out=5)', r"Did you mean timeout=\?"),
    "retries": ('digime.connect("sandbox", retries=5)', r"max_attempts="),
    "another target": ('digime.connect("sanbox")', "Did you mean 'sandbox'"),
    "an option of Client": ("digime.Client(client.contract, tokns=None)", r"Did you mean tokens=\?"),
    "a keyword of files": ('client.files(who, tag="x")', r"Did you mean tags=\?"),
    "a keyword of a contract": ('digime.Contract("a", "b", private_keys="x")', r"Did you mean private_key=\?"),
    "a contract without a key": (
        'digime.Contract("a", "b")',
        r"Call it as digime\.Contract\(application_id, contract_id",
    ),
    "a keyword of a descriptor": ('digime.FileDescriptor("text/csv", who, tag=["x"])', r"Did you mean tags=\?"),
    "another name of the type": ('digime.FileDescriptor(mimetype="text/csv", accounts=who)', r"Use mime_type=\."),
    "half of an authorization": ("digime.Authorization(who)", r"Call it as digime\.Authorization\(account_id"),
    "half of a token": ('digime.Token("x")', r"Call it as digime\.Token\(value, expiry\)"),
    "half of a postbox": ('digime.Postbox("x")', r"Call it as digime\.Postbox\(id, public_key\)"),
    "a mode of a journal": ('digime.Journal("j.db", mode="w")', r"Leave mode= out|It takes path"),
    "a keyword of a token store": ('digime.FileTokenStore(folder="x")', r"It takes path"),
    "a keyword of saving": ('file.save("a.csv", overwrite=True)', r"Leave overwrite= out"),
    "columns of a file": ('file.to_frame(column=["pulse"])', r"Did you mean columns=\?"),
    "a keyword of asking": ('client.begin_authorization(who, acces="read")', r"Did you mean access=\?"),
    "nobody asked": ("client.begin_authorization()", r"Call it as client\.begin_authorization\(account_id\)"),
    "a keyword of completing": ('client.complete_authorization(adress="x")', r"Did you mean address=\?"),
    "a keyword of inviting": ('client.invite([who], calback="x")', r"Did you mean callback=\?"),
    "a keyword of consents": ("client.consents(account=who)", r"client\.consents\(\)"),
    "a keyword of verifying": ('receipt.verify(client, sha256="x")', r"It takes client"),
    "verifying without a client": ("receipt.verify()", r"Call it as receipt\.verify\(client\)"),
    "a keyword of authorizing": ('digime.authorize(who, acces="read")', r"Did you mean access=\?"),
    "a keyword of the widget": ("digime.AuthorizationWidget(who, time_out=5)", r"Did you mean timeout=\?"),
    "a keyword of waiting": ("flow.wait(time_out=1)", r"Did you mean timeout=\?"),
    "a keyword of a grant": ('client.grant("a.csv", descriptor, authorization, tag="x")', "It takes file_name"),
    "nothing to send": ("grant.send()", r"Call it as grant\.send\(chunks\)"),
    "a keyword of the sandbox": ('Sandbox(datadir="x")', r"Sandbox\(\) got .*Did you mean data_dir=\?"),
    "two targets": ('digime.connect("sandbox", "x")', r"Call it as digime\.connect\(\)"),
    # Names
    "an attribute of a receipt": ("receipt.rowss", r"Did you mean rows\?"),
    "an attribute of a file": ("file.nam", r"Did you mean name\?"),
    "a method of a list of files": ("client.files(who).toframe()", r"Did you mean to_frame\?"),
    "an attribute of a preview": ('digime.preview(df, "a.csv", who).column', r"Did you mean columns\?"),
    "an attribute of an authorization": ("authorization.acount_id", r"Did you mean account_id\?"),
    "a file by its name": ('client.files(who)["visit.parquet"]', r"Did you mean 'visits\.parquet'.*name="),
    "the sandbox's class": ("digime.Sandbox()", r"from digime_pandas\.sandbox import Sandbox"),
    "a misspelt method of the client": ("client.fils(who)", r"Did you mean files\?"),
    "a misspelt function": ("digime.wirte(df)", r"Did you mean write\?"),
    "a method of pandas": ('df.digime.to_csv("a.csv")', r"df\.digime\.write\("),
    "reading with the accessor": ('df.digime.read("a.csv")', r"digime\.read_frame\("),
    "a frame into client.write": ("client.write(df)", r"frame\.digime\.write"),
    "a frame into client.write, with a name": ('client.write(df, "a.csv", None, None)', r"frame\.digime\.write"),
    "no client": ("receipt.verify(None)", r"digime\.connect\(\) returned"),
    "a misspelt access": ('client.begin_authorization(who, access="raed")', "Did you mean 'read'"),
    "a misspelt access of the widget": ('digime.AuthorizationWidget(who, client=client, access="raed")', "'read'"),
    # Files and formats
    "a compressed name": ('df.digime.write("a.csv.gz", who)', r"use 'a\.csv', or 'a\.parquet'"),
    "a workbook": ('df.digime.write("a.xlsx", who)', r"Use 'a\.csv' or 'a\.parquet'"),
    "a misspelt suffix": ('df.digime.write("a.parqet", who)', r"Did you mean '\.parquet'"),
    "a misspelt format": ('df.digime.write("a", who, format="parqet")', "Did you mean 'parquet'"),
    "a path in a text": ('df.digime.write("out/a.csv", who)', r"Use a plain name such as 'a\.csv'"),
    "a tag alone": ('df.digime.write("a.csv", who, tags="x")', r"tags=\['x'\]"),
    "an account that is no id": ('df.digime.write("a.csv", 1.5)', "Pass a text such as 'patient-17'"),
    "a misspelt file": ('digime.read_frame("visit.parquet", who, client=client)', "Did you mean 'visits.parquet'"),
    "a misspelt column": (
        'digime.read_frame("visits.parquet", who, columns=["puls"], client=client)',
        "Did you mean 'pulse'",
    ),
    "the account of one file": ('everyone.digime.write_each("id", "a.csv", account_id=who)', "column that by= names"),
    "no column of accounts": ('everyone.digime.write_each(None, "a.csv")', r"account ids\. The columns are"),
    "a misspelt column of accounts": ('everyone.digime.write_each("pateint", "a.csv")', "Did you mean 'patient'"),
    # Values of another kind
    "a frame as the account": ('df.digime.write("a.csv", df)', r"account_id is a DataFrame\. Pass a text"),
    "a dictionary as the account": ('df.digime.write("a.csv", {"id": who})', r"account_id is a dict\. Pass a text"),
    "None as the account": ('df.digime.write("a.csv", None)', r"account_id is None\. Pass a text"),
    "no text as the account": ('df.digime.write("a.csv", "")', "Pass an id of your own system"),
    "an array of accounts": ('digime.read_frame("a.csv", np.array(["a", "b"]))', "one person's, so pass one str"),
    "swapped arguments": ('df.digime.write(who, "a.csv")', r"no suffix that names a format"),
    "a frame as the name": ("df.digime.write(df, who)", r"file_name is a DataFrame.*Use a plain name"),
    "a dictionary of tags": ('df.digime.write("a.csv", who, tags={"x": 1})', r"tags is a dict\. Pass a list"),
    "a text for the index": ('df.digime.write("a.csv", who, index="yes")', r"index is 'yes'\. Pass True, False"),
    "a name of a client": (
        'df.digime.write("a.csv", who, client="sandbox")',
        r"Pass what digime\.connect\(\) returned",
    ),
    "a frame as the target": ("digime.connect(df)", r"target is a DataFrame\. Pass 'sandbox'"),
    "a folder that is none": ('digime.connect("sandbox", data_dir=5)', r"data_dir is 5\. Pass the path of a folder"),
    "tokens that are no store": ('digime.Client(client.contract, tokens="x")', r"Pass a FileTokenStore\(\.\.\.\)"),
    "a token as the consent": (
        'df.digime.write("a.csv", who, authorization="t0ken", client=client)',
        r"authorization is a str\. Pass",
    ),
    "the class of a store": ("digime.Client(client.contract, tokens=digime.MemoryTokenStore)", "is the class Memory"),
    "a path that is none": ("digime.FileTokenStore(5)", r"path is 5\. Pass the path of a folder"),
    "a transport that is none": ("digime.Client(client.contract, transport=5)", r"Pass an httpx\.BaseTransport"),
    "a number to come back to": ("client.begin_authorization(who, callback=5)", r"callback is 5\. Pass a text"),
    "invitations to a number": ("client.invite([who], callback=5)", r"callback is 5\. Pass a text"),
    "the account in place of its consent": ("client.refresh(who)", r"Pass an Authorization\."),
    "words for seconds": ('flow.wait("long")', r"timeout is 'long'\. Pass how many seconds"),
    "no seconds": ("flow.wait(None)", r"timeout is None\. Pass how many seconds"),
    "a negative time": ("digime.authorize(who, client=client, timeout=-1)", r"timeout is -1\. Pass how many seconds"),
    "a folder of the sandbox that is none": ("Sandbox(5)", r"data_dir is 5\. Pass the path of a folder"),
    "a port that is none": ("Sandbox(port=99999)", r"port is 99999\. .*0 for a free port"),
    "a receipt that is none": ("digime.Receipt.from_dict({})", r"and \d+ more\. Pass what Receipt\.to_dict\(\)"),
    # Frames and people
    "lists in CSV": ('lists.digime.write("a.csv", who)', r"nested='json' writes them as text"),
    "several types": ('mixed.digime.write("a.csv", who)', r"astype\(str\)"),
    "no consent": ('df.digime.write("a.csv", "nobody", client=client)', r"digime\.AuthorizationWidget\('nobody'\)"),
}


class Shell(InteractiveShell):
    """A shell that keeps what it shows of an error."""

    shown: tuple[str, ...] = ()

    def _showtraceback(self, *arguments: Any) -> None:
        *_, stb = arguments
        self.shown = tuple("\n".join(stb).splitlines())


@pytest.fixture(scope="module")
def shell() -> Shell:
    config = Config()
    config.HistoryManager.enabled = False
    return Shell(config=config, user_ns={})  # type: ignore[no-untyped-call]  # IPython has no types there


@pytest.fixture
def show(shell: Shell, client: digime.Client, reader: Authorization, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.delenv(LONG_TRACEBACKS, raising=False)
    frame = pd.DataFrame({"day": ["2026-01-05"], "pulse": [61]})
    receipt = digime.write(frame, "visits.parquet", reader.account_id, client=client)
    authorization = client.authorization(reader.account_id)
    descriptor = digime.FileDescriptor("text/csv", reader.account_id)
    flow = client.begin_authorization(reader.account_id)
    names = {
        "client": client,
        "Sandbox": Sandbox,
        "authorization": authorization,
        "descriptor": descriptor,
        "df": frame,
        "digime": digime,
        "everyone": pd.DataFrame({"patient": ["a"]}),
        "file": client.files(reader)[0],
        "flow": flow,
        "grant": client.grant("a.csv", descriptor, authorization),
        "lists": pd.DataFrame({"x": [[1, 2]]}),
        "mixed": pd.DataFrame({"x": pd.Series([1, "a"], dtype=object)}),
        "np": np,
        "receipt": receipt,
        "who": reader.account_id,
    }
    shell.user_ns.update(names)

    def shown(code: str) -> tuple[BaseException, tuple[str, ...]]:
        shell.shown = ()
        result: Any = shell.run_cell(f"x = 1\n{code}")  # type: ignore[no-untyped-call]
        assert result.error_in_exec is not None
        return result.error_in_exec, shell.shown

    with flow:
        yield shown
    for name in names:
        shell.user_ns.pop(name, None)


@pytest.mark.parametrize(("code", "remedy"), MISTAKES.values(), ids=MISTAKES)
@pytest.mark.slow
def test_a_mistake_is_answered_in_a_few_lines_with_what_to_do(show: Any, code: str, remedy: str) -> None:
    error, lines = show(code)
    assert isinstance(error, digime.DigimeError)
    assert 3 <= len(lines) <= MOST_LINES, lines
    assert lines[0].startswith(f"{type(error).__name__} in ")
    assert lines[0].endswith("line 2")
    assert lines[1].strip() == code
    assert re.search(remedy, " ".join(lines[2:])), lines
    assert re.search(remedy, str(error))


def test_they_are_many() -> None:
    assert len(MISTAKES) >= 90


# Which are made by this package alone.
NOT_MADE = {"AuthorizationFlow", "LibraryFile", "Preview", "Receipt", "UploadGrant", "UploadResult"}
CLASSES = (
    *(digime.AuthorizationFlow, digime.AuthorizationWidget, digime.Client, digime.Contract, digime.FileDescriptor),
    *(digime.Journal, digime.LibraryFile, digime.MemoryTokenStore, digime.Receipt, digime.UploadGrant, Sandbox),
    *(digime.Authorization, digime.FileTokenStore, digime.Postbox, digime.Token, digime.UserAccessToken),
)
METHODS = {
    "AuthorizationFlow": ("complete", "wait"),
    "AuthorizationWidget": ("result",),
    "Client": (
        *("authorization", "begin_authorization", "complete_authorization", "consents", "files", "forget", "grant"),
        *("invite", "refresh", "write"),
    ),
    "Journal": ("to_frame",),
    "LibraryFile": ("read", "read_batches", "save", "to_frame"),
    "Receipt": ("to_dict", "verify"),
    "Sandbox": ("approve_all", "files"),
    "UploadGrant": ("receipt", "send"),
}
CALLS: dict[str, Any] = {
    **{name: value for name in digime.__all__ if inspect.isfunction(value := getattr(digime, name))},
    **{each.__name__: each for each in CLASSES if each.__name__ not in NOT_MADE},
    **{f"{each.__name__}.{name}": getattr(each, name) for each in CLASSES for name in METHODS.get(each.__name__, ())},
    "Contract.from_env": digime.Contract.from_env,
    "Receipt.from_dict": digime.Receipt.from_dict,
    "Authorization.from_dict": digime.Authorization.from_dict,
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_every_call_answers_a_keyword_that_it_has_not(
    call: Any, client: digime.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_connect, "_default", client)
    parameters = inspect.signature(call).parameters.values()
    # Of methods, the object itself is the first of them; where a text is none, a keyword is looked at before.
    required = [
        "a.csv" for each in parameters if each.default is each.empty and each.kind is each.POSITIONAL_OR_KEYWORD
    ]
    with pytest.raises(digime.DigimeError, match=r"zzz_of_nobody") as caught:
        call(*required, zzz_of_nobody=1)
    assert isinstance(caught.value, TypeError)
    assert re.search(r"Did you mean|It takes|It has|Options are|Call it as", str(caught.value))


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_every_call_shows_its_own_arguments(call: Any) -> None:
    shown = inspect.signature(call)
    assert not {"args", "arguments"} & set(shown.parameters) or "client" in shown.parameters
    assert call.__doc__


@pytest.mark.parametrize("value", ["1", "yes"])
def test_the_long_form_is_the_one_of_any_other_error(show: Any, monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv(LONG_TRACEBACKS, value)
    _, lines = show('df.digime.write("a.csv", who, tag=["x"])')
    assert len(lines) > MOST_LINES
    assert any("write_plan.py" in line for line in lines)


@pytest.mark.parametrize("value", ["", "0"])
def test_the_long_form_can_be_switched_off(show: Any, monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv(LONG_TRACEBACKS, value)
    assert len(show('df.digime.write("a.csv", who, tag=["x"])')[1]) <= MOST_LINES


def test_the_line_is_the_callers_own_from_any_depth(show: Any) -> None:
    code = 'def save(frame):\n    return frame.digime.write("a.xlsx", who)\n\npd = df.groupby("pulse").apply(save)'
    _, lines = show(code)
    assert lines[1].strip() == 'return frame.digime.write("a.xlsx", who)'


NOT_MISTAKES: dict[str, tuple[Any, Any, dict[str, Any]]] = {
    "a number": ("a.csv", 17, {}),
    "a number of numpy": ("a.csv", np.int64(17), {}),
    "a path": (Path("out") / "a.csv", "p", {}),
    "a format in capitals": ("a", "p", {"format": "Parquet"}),
    "a media type": ("a", "p", {"format": "text/csv"}),
}


@pytest.mark.parametrize(("file_name", "account_id", "options"), NOT_MISTAKES.values(), ids=NOT_MISTAKES)
def test_what_is_meant_without_doubt_is_taken(file_name: Any, account_id: Any, options: dict[str, Any]) -> None:
    shown = digime.preview(pa.table({"a": [1]}), file_name, account_id, **options)
    assert shown.file_name in {"a.csv", "a"}
    assert shown.descriptor.accounts == (str(account_id),)


def test_a_path_is_taken_for_its_name_by_every_function(client: digime.Client, reader: Authorization) -> None:
    who, path = reader.account_id, Path("out") / "a.csv"
    frame = pd.DataFrame({"who": [who], "pulse": [61]})
    assert frame.digime.write(path, who, client=client).file_name == "a.csv"
    assert frame.digime.write_each("who", path, client=client)["file_name"].tolist() == ["a.csv"]
    assert frame.digime.preview(path, who).file_name == "a.csv"
    descriptor = digime.FileDescriptor("text/csv", who, reference=["a.csv"])
    assert client.write(b"a", path, descriptor, client.authorization(who)).file_name == "a.csv"  # type: ignore[arg-type]
    assert client.grant(path, descriptor, client.authorization(who)).file_name == "a.csv"  # type: ignore[arg-type]
    assert digime.read_file(path, who, client=client) == b"a"
    assert list(digime.read_frame(path, who, client=client).columns) == ["a"]


def test_a_number_is_taken_for_its_text_by_every_function(client: digime.Client) -> None:
    sandbox = client.sandbox
    assert sandbox is None
    number: Any = int("9" * 12)
    with client.begin_authorization(number) as flow:
        assert flow.account_id == str(number)
    for call in (client.authorization, lambda who: digime.read_file("a.csv", who, client=client), client.files):
        with pytest.raises(digime.NotAuthorizedError, match=f"account '{number}'"):
            call(number)
    assert client.forget(number) is False
