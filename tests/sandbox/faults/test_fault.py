from __future__ import annotations

import inspect
import re
from dataclasses import fields
from typing import Any, get_args

import pytest

from digime_pandas.errors import InputError
from digime_pandas.sandbox import Sandbox, faults
from digime_pandas.sandbox._faults.fault import Fault, FaultArguments, fault_of

WHEN = {"call", "times", "after"}


@pytest.mark.parametrize(
    ("call", "arguments", "named"),
    [
        ("uploads", {"status": 503}, "call is 'uploads'"),
        ("upload", {"statuses": 503}, "no argument 'statuses'"),
        ("upload", {}, "Nothing is to happen to 'upload'"),
        ("upload", {"stored": True}, "Nothing is to happen"),
        ("upload", {"status": 99}, "status is 99"),
        ("upload", {"status": 600}, "status is 600"),
        ("upload", {"status": 100}, "status is 100"),
        ("upload", {"status": True}, "status is True"),
        ("upload", {"status": "503"}, "status is '503'"),
        ("upload", {"status": 503, "times": 0}, "times is 0"),
        ("upload", {"status": 503, "times": 1.5}, "times is 1.5"),
        ("upload", {"status": 503, "after": -1}, "after is -1"),
        ("upload", {"cut": "middle"}, "cut is 'middle'"),
        ("upload", {"cut": "answer", "reset": "answer"}, "Several of cut, reset"),
        ("upload", {"cut": "connect"}, "pass 'connect' as the call"),
        ("upload", {"cut": "request", "stored": True}, "neither stored nor answered"),
        ("upload", {"reset": "request", "status": 503}, "neither stored nor answered"),
        ("describe", {"cut": "body"}, "has no body"),
        ("upload", {"early": True}, "early is given without status"),
        ("upload", {"early": True, "status": 401, "stored": True}, "exclude each other"),
        ("upload", {"code": "X", "body": "x"}, "code and body"),
        ("upload", {"message": "x", "status": 400}, "message is given without code"),
        ("upload", {"bomb": 10}, "bomb is given without encoding"),
        ("upload", {"encoding": "zstd"}, "encoding is 'zstd'"),
        ("upload", {"delay": -1}, "delay is -1"),
        ("upload", {"delay": float("nan")}, "delay is nan"),
        ("upload", {"headers": {"X": "a\r\nb"}}, "X is 'a"),
        ("upload", {"retry_after": "1\n"}, "retry_after is"),
        ("upload", {"content_type": "täxt/html"}, "content_type is"),
        ("import", {"pending": True}, "pending is for 'upload' or 'postbox'"),
        ("refresh", {"expired": True}, "expired is for"),
        ("upload", {"rotated": True}, "rotated is for 'refresh'"),
        ("refresh", {"keys": "wrong"}, "keys is for 'keys'"),
        ("keys", {"keys": "stolen"}, "keys is 'stolen'"),
        ("upload", {"skew": 3}, "skew is for"),
        ("list", {"ignore_scope": True}, "ignore_scope is for 'session'"),
        ("download", {"edit": dict}, "edit is for"),
        ("upload", {"refused": True}, "refused is for 'connect'"),
        ("connect", {"status": 503}, "refused=True, or one of"),
        ("connect", {"trickle": "connect"}, "refused=True, or one of"),
        ("connect", {"cut": "answer"}, "refused=True, or one of"),
    ],
    ids=str,
)
def test_what_cannot_be_is_refused_by_name(call: Any, arguments: dict[str, Any], named: str) -> None:
    when = {name: arguments.pop(name) for name in ("times", "after") if name in arguments}
    with pytest.raises(InputError, match=re.escape(named)):
        fault_of(call, when.get("times", 1), when.get("after", 0), arguments)  # type: ignore[arg-type] # wrong on purpose


@pytest.mark.parametrize(
    ("arguments", "carried_out"),
    [
        ({"status": 503}, False),
        ({"status": 503, "stored": True}, True),
        ({"body": ""}, False),
        ({"code": "ServerError"}, False),
        ({"pending": True}, False),
        ({"pending": True, "stored": True}, True),
        ({"cut": "request"}, False),
        ({"trickle": "request"}, True),
        ({"cut": "answer"}, True),
        ({"cut": "answer", "stored": False}, False),
        ({"hang": "body"}, True),
        ({"edit": dict}, True),
        ({"expired": True}, True),
        ({"retry_after": 1}, True),
    ],
    ids=str,
)
def test_the_service_does_what_it_is_asked_to_unless_another_answer_is_given(
    arguments: FaultArguments, carried_out: bool
) -> None:
    assert fault_of("upload", 1, 0, arguments).is_carried_out is carried_out


def test_a_pending_answer_is_not_for_an_import() -> None:
    fault = fault_of("upload", 1, 0, {"pending": True})
    assert fault.is_about(("postbox", "upload", "any"))
    assert not fault.is_about(("import", "upload", "any"))


def test_signature_and_tables_name_all_that_there_is() -> None:
    assert set(FaultArguments.__annotations__) | WHEN == {each.name for each in fields(Fault)}
    assert set(inspect.signature(Sandbox.fail).parameters) >= WHEN
    calls, happenings = re.findall(
        r"^={5,} +={5,}\n(.*?)^={5,} +={5,}$", faults.__doc__ or "", re.DOTALL | re.MULTILINE
    )[::1]
    assert set(re.findall(r'"(\w+)"', calls)) == set(get_args(faults.Call))
    first_column = "\n".join(line[:20] for line in happenings.splitlines())
    assert set(re.findall(r"\w+", first_column)) | {"every"} == set(FaultArguments.__annotations__)
