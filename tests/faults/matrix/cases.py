"""The faults of the matrix: what is arranged at the sandbox before a write, and nothing of what comes of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from digime_pandas.sandbox import faults

Tokens = Literal["valid", "ended", "known to have ended"]

PAGE = "<!doctype html><html><body>Hello</body></html>"


@dataclass(frozen=True)
class Step:
    """One call of `Sandbox.fail`."""

    call: faults.Call
    times: int | None
    what: dict[str, Any]

    def __str__(self) -> str:
        texts = [f"{name}={_shown(value)}" for name, value in self.what.items()]
        return " ".join([self.call, *texts, f"x{self.times or 'always'}"])


@dataclass(frozen=True)
class Case:
    """What is arranged for one write.

    Attributes:
        steps: The faults, in order.
        tokens: Whether the access token has ended, and whether the client can know that.
        is_warm: Whether the client refreshed before, so that it keeps the key set.
        is_open: Whether a client may give up where it could go on: Retry-After may ask for more than the deadline has,
            and an encoding that was not asked for may be understood.
        is_slow: Whether a time-out has to pass.
    """

    steps: tuple[Step, ...]
    tokens: Tokens = "valid"
    is_warm: bool = False
    is_open: bool = False
    is_slow: bool = False

    def __str__(self) -> str:
        tokens = [] if self.tokens == "valid" else [f"token {self.tokens}"]
        return ", ".join([*tokens, *map(str, self.steps)])


def step(call: faults.Call, times: int | None = 1, **what: Any) -> Step:
    return Step(call, times, what)


def _shown(value: object) -> str:
    return getattr(value, "__name__", None) or str(value).replace(PAGE, "page")[:24]


def _statuses() -> list[Case]:
    refused = [400, 401, 403, 404, 408, 409, 413, 415, 422, 425, 429, 451]
    failed = [500, 501, 502, 503, 504, 507, 522, 599]
    cases = [Case((step("upload", None, status=status),)) for status in [302, 304, *refused, *failed]]
    cases += [Case((step("upload", None, status=status, stored=True),)) for status in (500, 502, 503, 504)]
    cases += [Case((step("upload", times, status=status),)) for status in (408, 429, 503) for times in (1, 2)]
    cases += [Case((step("upload", 1, status=status, stored=True),)) for status in (500, 502, 503, 504)]
    return cases


def _bodies() -> list[Case]:
    codes = [
        (400, "InvalidFileDescriptor"),
        (400, "InvalidContractDataRequest"),
        (401, "InvalidClient"),
        (401, "InvalidSignature"),
        (401, "InvalidToken"),
        (401, "NonceReused"),
        (403, "SDKVersionInvalid"),
        (413, "FileTooLarge"),
        (429, "TooManyRequests"),
        (500, "ServerError"),
        (503, "ServerError"),
    ]
    cases = [Case((step("upload", None, status=status, code=code),)) for status, code in codes]
    cases += [Case((step("upload", None, status=503, code="ServerError", stored=True),))]
    for kind, body in [
        ("text/html", PAGE),
        ("text/plain", "busy"),
        ("application/json", "{"),
        ("application/json", '{"error": "no"}'),
        ("application/json", '{"error": {"code": 7, "message": []}}'),
        ("application/octet-stream", b"\xff\xfe\x00"),
    ]:
        cases += [Case((step("upload", None, status=status, content_type=kind, body=body),)) for status in (400, 503)]
    return cases


def _waits() -> list[Case]:
    ignored = [
        "",
        "soon",
        "-5",
        "1.5",
        "0",
        "1e3",
        "1e400",
        "0x10",
        "+2",
        "2, 3",
        "Thu, 32 Jan 2026 00:00:00 GMT",
        "Wed, 21 Oct 2015 07:28:00 GMT",
    ]
    absurd = ["86400", "9" * 30, "Fri, 31 Dec 9999 23:59:59 GMT", "Fri, 31 Dec 2100 23:59:59 GMT"]
    cases = [Case((step("upload", 1, status=503, retry_after=text),)) for text in [*ignored, "1", "2", "30"]]
    cases += [Case((step("upload", 1, status=429, retry_after=text),), is_open=True) for text in absurd]
    return [*cases, Case((step("upload", 1, status=503, retry_after=absurd[0], stored=True),), is_open=True)]


def _connections() -> list[Case]:
    cases = []
    for how in ("cut", "reset"):
        cases += [Case((step("connect", times, **{how: "connect"}),)) for times in (1, None)]
        cases += [Case((step("upload", times, **{how: "request"}),)) for times in (1, None)]
        for place in ("answer", "head", "body"):
            cases += [Case((step("upload", times, **{how: place}),)) for times in (1, None)]
        cases += [Case((step("upload", 1, stored=False, **{how: "answer"}),))]
    cases += [Case((step("connect", None, refused=True),))]
    cases += [Case((step("upload", 1, hang=place),), is_slow=True) for place in ("request", "answer", "head", "body")]
    cases += [Case((step("connect", 1, hang="connect"),), is_slow=True)]
    cases += [Case((step("upload", 1, trickle=place, every=0.0002),)) for place in ("request", "head", "body")]
    return [*cases, Case((step("upload", 1, delay=0.02),))]


def _answers() -> list[Case]:
    page = {"body": PAGE, "content_type": "text/html"}
    cases = [Case((step("upload", None, status=status, **page),)) for status in (200, 201)]
    cases += [Case((step("upload", None, status=200, stored=True, **page),))]
    cases += [Case((step("upload", 1, encoding=encoding),), is_open=True) for encoding in ("gzip", "deflate", "br")]
    cases += [Case((step("upload", 1, encoding="br", bomb=1 << 26),), is_open=True)]
    return [*cases, Case((step("upload", 1, headers={"Content-Encoding": "gzip"}),), is_open=True)]


def _tokens() -> list[Case]:
    cases = [Case((step("upload", 1, expired=True),)), Case((step("upload", None, expired=True),))]
    cases += [Case((step("upload", 1, status=401, code="InvalidToken", early=True),))]
    cases += [Case((step("upload", 1, status=401),)), Case((step("upload", 2, status=401, code="InvalidToken"),))]
    for stored in (False, True):
        cases += [Case((step("upload", times, pending=True, stored=stored),)) for times in (1, 2, None)]
    return cases


def _several() -> list[Case]:
    nonce = step("upload", None, status=401, code="NonceReused")
    return [
        Case((step("upload", 1, status=503, stored=True), nonce)),
        Case((step("upload", 1, cut="answer"), nonce)),
        Case((step("upload", 1, cut="answer"), step("upload", None, status=400, code="InvalidRequest"))),
        Case((step("upload", 1, status=429), step("upload", None, status=403))),
        Case((step("upload", 1, status=429), step("upload", None, status=503))),
        Case((step("upload", 1, cut="answer"), step("upload", 1, status=401, code="InvalidToken"))),
        Case((step("upload", 1, cut="answer"), step("upload", None, status=401, code="InvalidToken"))),
        Case((step("upload", 1, pending=True), step("upload", None, status=400, code="InvalidRequest"))),
        Case((step("upload", 1, status=503), step("upload", 1, reset="request"))),
    ]


WRITES = [*_statuses(), *_bodies(), *_waits(), *_connections(), *_answers(), *_tokens(), *_several()]


def no_tokens(claims: dict[str, Any]) -> dict[str, Any]:
    return {"sub": claims["sub"]}


def _refreshes() -> list[Case]:
    refused = {"status": 401, "code": "InvalidToken"}
    steps: list[tuple[Step, ...]] = [
        (),
        (step("refresh", 1, status=503),),
        (step("refresh", None, status=503),),
        (step("refresh", None, status=500, body=PAGE, content_type="text/html"),),
        (step("refresh", None, status=200, body=PAGE, content_type="text/html"),),
        (step("refresh", None, status=429, retry_after="9" * 30),),
        (step("refresh", None, status=400, code="InvalidClaim"),),
        (step("refresh", 1, cut="answer", stored=False),),
        (step("refresh", None, reset="answer", stored=False),),
        (step("refresh", None, **refused),),
        (step("refresh", 1, cut="answer"),),
        (step("refresh", 1, reset="body"),),
        (step("refresh", 1, rotated=True),),
        (step("refresh", 1, edit=no_tokens),),
        (step("keys", 1, status=503),),
        (step("keys", None, status=503),),
        (step("keys", None, status=404),),
        (step("keys", 1, cut="answer"),),
        (step("keys", None, reset="answer"),),
        (step("keys", None, body=PAGE, status=200, content_type="text/html"),),
        (step("keys", 1, body=PAGE, status=200, content_type="text/html"),),
        (step("keys", 1, body='{"keys": []}', status=200),),
        *((step("keys", times, keys=keys),) for keys in ("wrong", "unknown") for times in (1, None)),
        (step("keys", None, keys="replaced"),),
        *((step("refresh", 1, skew=skew),) for skew in (-400, -3, 3, 50)),
    ]
    tokens: list[Tokens] = ["ended", "known to have ended"]
    return [Case(each, state, is_warm=_replaces(each)) for each in steps for state in tokens]


def _replaces(steps: tuple[Step, ...]) -> bool:
    return any(each.what.get("keys") == "replaced" for each in steps)


REFRESHES = _refreshes()
