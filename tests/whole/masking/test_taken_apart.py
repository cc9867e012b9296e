"""What holds a secret shows it to nothing that takes it apart, and still is the value it was."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import io
import json
import pickle
import pprint
from collections.abc import Callable, Iterator, Mapping
from types import FunctionType
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pandas as pd
import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from digime_pandas._client.client import Client
from digime_pandas._client.consent.session import ConsentState
from digime_pandas._service.authorization import Authorization, Postbox, Token, UserAccessToken
from digime_pandas._service.contract import Contract
from digime_pandas._service.crypto.encrypted_file import EncryptedFile
from digime_pandas._service.descriptor import FileDescriptor
from digime_pandas._service.http.request import Request
from digime_pandas._service.messages import TokenReply
from digime_pandas._service.oauth.redirect import RedirectResult
from digime_pandas._service.receipt import Receipt
from digime_pandas.errors import DigimeError
from digime_pandas.sandbox import Sandbox

from .wiretap import Wiretap, found, key_lines

ACCESS, REFRESH, CODE, LINK = (
    "acce55-t0ken-in-clear",
    "refre5h-t0ken-in-clear",
    "c0de-in-clear-text",
    "l1nk-in-clear-text",
)
SECRETS = (ACCESS, REFRESH, CODE, LINK)
PAIR = UserAccessToken(Token(ACCESS, 1_700_000_000), Token(REFRESH, 1_715_000_000))
AUTHORIZATION = Authorization("patient-17", "write", PAIR, Postbox("box", "key"), "user-1", "consent-1")
RECEIPT = Receipt(
    status="delivered",
    file_name="visits.csv",
    rows=3,
    size=120,
    sha256="0" * 64,
    expires=None,
    attempts=1,
    elapsed=0.25,
    environment="https://api.test/v1.7/",
    descriptor=FileDescriptor("text/csv", "patient-17"),
    authorization=AUTHORIZATION,
)
HOLDERS: dict[str, Any] = {
    "token": PAIR.access_token,
    "pair": PAIR,
    "authorization": AUTHORIZATION,
    "receipt": RECEIPT,
    "grant": TokenReply(PAIR, "user-1", "consent-1"),
    "reply": RedirectResult(CODE, None),
    "request": Request("GET", "https://api.test/", {"Authorization": f"Bearer {ACCESS}"}),
    "view": ConsentState(stage="waiting", url=LINK),
}


def slots(value: object) -> dict[str, Any]:
    names = {name for kind in type(value).__mro__ for name in getattr(kind, "__slots__", ())}
    return {name: getattr(value, name) for name in names if hasattr(value, name)}


FACES: dict[str, Callable[[Any], object]] = {
    "repr": repr,
    "str": str,
    "format": lambda value: f"{value} {[value]} {({'x': value},)}",
    "pprint": lambda value: pprint.pformat([value], width=1),
    "asdict": dataclasses.asdict,
    "astuple": dataclasses.astuple,
    "fields": lambda value: [(field.name, getattr(value, field.name)) for field in dataclasses.fields(value)],
    "vars": lambda value: getattr(value, "__dict__", None),
    "slots": slots,
    "state": lambda value: value.__getstate__(),
    "dir": lambda value: [(name, getattr(value, name)) for name in dir(value)],
    "members": inspect.getmembers,
    "json": lambda value: json.dumps(value, default=lambda each: [repr(each), dataclasses.asdict(each)]),
    "pickle": lambda value: [pickle.dumps(value, number) for number in range(pickle.HIGHEST_PROTOCOL + 1)],
    "reduce": lambda value: [value.__reduce_ex__(number) for number in range(pickle.HIGHEST_PROTOCOL + 1)],
    "copy": lambda value: [copy.copy(value), copy.deepcopy(value)],
    "frame": lambda value: [pd.DataFrame([value]).to_csv(), pd.DataFrame([value]).to_html()],
    "frame as json": lambda value: pd.DataFrame([value]).to_json(default_handler=str),
    "objects as json": lambda value: pd.Series([value]).to_json(),
    "frame pickled": lambda value: pickled(pd.DataFrame([value])),
    "normalized": lambda value: pd.json_normalize([dataclasses.asdict(value)]).to_csv(),
}


def pickled(frame: pd.DataFrame) -> bytes:
    stream = io.BytesIO()
    frame.to_pickle(stream)
    return stream.getvalue()


@pytest.mark.parametrize("face", FACES)
@pytest.mark.parametrize("holder", HOLDERS)
def test_no_face_shows_a_secret(holder: str, face: str) -> None:
    try:
        seen = repr(FACES[face](HOLDERS[holder]))
    except (DigimeError, TypeError, RecursionError, OverflowError) as refused:
        seen = repr(refused)
    assert [secret for secret in SECRETS if secret in seen] == []


def test_a_contract_shows_no_key(vendor_keys: dict[str, RSAPrivateKey]) -> None:
    contract = Contract("application", "contract", vendor_keys["contract_w"])
    assert dataclasses.asdict(contract) == {
        "application_id": "application",
        "contract_id": "contract",
        "redirect_uri": None,
        "key_thumbprint": contract.key_thumbprint,
    }
    assert "private_key" not in pd.DataFrame([contract]).columns
    assert [value for value in slots(contract).values() if isinstance(value, RSAPrivateKey)] == []
    assert "key_size" not in pd.Series([contract]).to_json()


class TestValuesStayWhatTheyWere:
    def test_secrets_are_there_for_who_asks(self, vendor_keys: dict[str, RSAPrivateKey]) -> None:
        assert (Token(ACCESS, 5).value, Token(value=ACCESS, expiry=5).expiry) == (ACCESS, 5)
        assert RedirectResult(CODE, None).code == CODE
        assert ConsentState(stage="waiting", url=LINK).url == LINK
        assert RECEIPT.authorization is AUTHORIZATION
        key = vendor_keys["contract_w"]
        assert Contract("a", "b", key).private_key is key
        assert AUTHORIZATION.to_dict()["user_access_token"]["access_token"] == {
            "value": ACCESS,
            "expiry": 1_700_000_000,
        }

    def test_equality_and_hash_include_the_secret(self) -> None:
        assert Token("a", 5) == Token("a", 5) != Token("b", 5)
        assert Token("ü\ud800", 5) == Token("ü\ud800", 5) != Token("ü\ud801", 5)
        assert hash(Token("a", 5)) == hash(Token("a", 5))
        assert len({Token("a", 5), Token("a", 5), Token("b", 5), Token("a", 6)}) == 3
        assert Token("a", 5) != "a"
        assert RedirectResult("c", None) == RedirectResult("c", None) != RedirectResult("d", None)
        assert dataclasses.replace(AUTHORIZATION, user_id="x") != AUTHORIZATION == copy.deepcopy(AUTHORIZATION)

    def test_a_part_can_be_replaced(self, vendor_keys: dict[str, RSAPrivateKey]) -> None:
        assert dataclasses.replace(Token(ACCESS, 5), expiry=6) == Token(ACCESS, 6)
        assert dataclasses.replace(Token(ACCESS, 5), value="b") == Token("b", 5)
        counted = dataclasses.replace(RECEIPT, rows=4)
        assert (counted.rows, counted.authorization) == (4, AUTHORIZATION)
        contract = dataclasses.replace(Contract("a", "b", vendor_keys["contract_w"]), redirect_uri="https://a.test/")
        assert contract.private_key is vendor_keys["contract_w"]

    def test_values_cannot_be_changed(self, vendor_keys: dict[str, RSAPrivateKey]) -> None:
        contract = Contract("a", "b", vendor_keys["contract_w"])
        for value, name in ((Token("a", 5), "value"), (RECEIPT, "authorization"), (contract, "private_key")):
            with pytest.raises(AttributeError):
                setattr(value, name, "x")

    def test_receipts_make_a_frame(self) -> None:
        frame = pd.DataFrame([RECEIPT, dataclasses.replace(RECEIPT, file_name="more.csv")])
        assert {"status", "file_name", "rows", "size", "sha256", "environment"} <= set(frame.columns)
        assert "authorization" not in frame.columns
        assert list(frame["file_name"]) == ["visits.csv", "more.csv"]

    def test_a_receipt_is_pickled_without_its_authorization(self) -> None:
        again = pickle.loads(pickle.dumps(RECEIPT))
        assert (again, again.authorization) == (RECEIPT, None)
        assert copy.deepcopy(RECEIPT).authorization is AUTHORIZATION


def reachable(start: object) -> Iterator[object]:
    """What a debugger reaches from an object through attributes, items and the variables of functions."""
    seen: dict[int, object] = {}
    waiting = [start]
    while waiting:
        each = waiting.pop()
        if id(each) in seen:
            continue
        seen[id(each)] = each
        yield each
        if isinstance(each, Mapping):
            waiting += [*each.keys(), *(each.values() if isinstance(each, dict) else ())]
        elif isinstance(each, list | tuple | set | frozenset):
            waiting += each
        elif isinstance(each, FunctionType):
            waiting += [cell.cell_contents for cell in each.__closure__ or ()]
        elif str(type(each).__module__).startswith(("digime_pandas", "functools")):
            waiting += [*vars(each).values()] if hasattr(each, "__dict__") else []
            waiting += [*slots(each).values(), *(getattr(each, name, None) for name in ("args", "keywords", "func"))]


def test_nothing_in_clear_is_reached_from_what_users_hold(
    own_sandbox: Sandbox, tapped: Client, tap: Wiretap, writer: Authorization, reader: Authorization
) -> None:
    receipt = tapped.write(b"hello", "hello.txt", FileDescriptor("text/plain", "p"), writer)
    (file,) = tapped.files(reader)
    file.read()
    with tapped.begin_authorization("somebody") as flow:
        held = [tapped, receipt, file, flow, writer, reader]
        everything = [each for thing in held for each in reachable(thing)]
        code = parse_qs(urlsplit(flow.url).query)["code"]
        completed = flow.complete(own_sandbox.approve(flow.url))
        everything += [*reachable(flow), *reachable(completed)]
        tap.random |= {*code, flow.state}
    assert len(everything) > 200
    assert tapped.read_contract is not None
    lines = key_lines(tapped.contract) | key_lines(tapped.read_contract)
    text = "\n".join(repr(each) for each in everything if isinstance(each, str | bytes | bytearray))
    assert found(text, tap, *lines, writer.user_access_token.access_token.value) == set()
    assert [each for each in everything if isinstance(each, RSAPrivateKey)] == []


def test_the_key_of_a_temporary_file_is_not_in_its_attributes() -> None:
    file = EncryptedFile()
    file.append(b"hello")
    assert [value for value in vars(file).values() if isinstance(value, bytes) and len(value) == 32] == []
    assert file.read_at(0, 5) == b"hello"
    file.close()
