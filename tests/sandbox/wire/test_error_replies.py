from __future__ import annotations

from typing import get_args

from digime_pandas.sandbox._wire.error_replies import STATUS, Code, ErrorReply


def test_every_code_has_a_status() -> None:
    assert set(STATUS) == set(get_args(Code))


def test_body_and_headers_of_a_reply_say_the_same() -> None:
    error = ErrorReply("InvalidToken", "The token (access_token) is invalid")
    assert error.status == 401
    assert error.body("ref") == {
        "error": {"code": "InvalidToken", "message": "The token (access_token) is invalid", "reference": "ref"}
    }
    assert error.headers("ref") == {
        "X-Error-Code": "InvalidToken",
        "X-Error-Message": "The token (access_token) is invalid",
        "X-Error-Reference": "ref",
    }


def test_a_message_is_one_line_of_ascii_in_its_header() -> None:
    assert ErrorReply("InvalidClaim", "ä\r\nX-Evil: 1").headers("ref")["X-Error-Message"] == r"\xe4 X-Evil: 1"
