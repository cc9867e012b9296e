"""Mistakes that people make, as a notebook shows them: in a few lines, with what to do instead."""

from __future__ import annotations

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
from digime_pandas._service.authorization import Authorization
from digime_pandas.errors.display import LONG_TRACEBACKS

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
    # Names
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
    "an account that is no id": ('df.digime.write("a.csv", 1.5)', "pass a sequence of str"),
    "a misspelt file": ('digime.read_frame("visit.parquet", who, client=client)', "Did you mean 'visits.parquet'"),
    "a misspelt column": (
        'digime.read_frame("visits.parquet", who, columns=["puls"], client=client)',
        "Did you mean 'pulse'",
    ),
    "a misspelt column of accounts": ('everyone.digime.write_each("pateint", "a.csv")', "Did you mean 'patient'"),
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
    names = {
        "client": client,
        "df": frame,
        "digime": digime,
        "everyone": pd.DataFrame({"patient": ["a"]}),
        "lists": pd.DataFrame({"x": [[1, 2]]}),
        "mixed": pd.DataFrame({"x": pd.Series([1, "a"], dtype=object)}),
        "receipt": digime.write(frame, "visits.parquet", reader.account_id, client=client),
        "who": reader.account_id,
    }
    shell.user_ns.update(names)

    def shown(code: str) -> tuple[BaseException, tuple[str, ...]]:
        shell.shown = ()
        result: Any = shell.run_cell(f"x = 1\n{code}")  # type: ignore[no-untyped-call]
        assert result.error_in_exec is not None
        return result.error_in_exec, shell.shown

    yield shown
    for name in names:
        shell.user_ns.pop(name, None)


@pytest.mark.parametrize(("code", "remedy"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_answered_in_a_few_lines_with_what_to_do(show: Any, code: str, remedy: str) -> None:
    error, lines = show(code)
    assert isinstance(error, digime.DigimeError)
    assert 3 <= len(lines) <= MOST_LINES, lines
    assert lines[0].startswith(f"{type(error).__name__} in ")
    assert lines[0].endswith("line 2")
    assert lines[1].strip() == code
    assert re.search(remedy, "\n".join(lines[2:])), lines
    assert re.search(remedy, str(error))


def test_they_are_at_least_forty() -> None:
    assert len(MISTAKES) >= 40


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
