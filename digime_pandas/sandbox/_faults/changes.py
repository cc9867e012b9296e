"""What a fault makes of an answer: the service's own one changed, or another one in its place."""

from __future__ import annotations

import gzip
import io
import json
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from email.utils import formatdate
from functools import cached_property
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from jwt.algorithms import RSAAlgorithm

from digime_pandas.sandbox._context import SandboxContext
from digime_pandas.sandbox._faults.answer import Answer
from digime_pandas.sandbox._faults.fault import Encoding, Fault
from digime_pandas.sandbox._store.keys import new_key, public_pem

_SESSION_SECONDS = 3600.0
_TOKEN_SECONDS = 300.0
_PIECE = b" " * (1 << 20)


@dataclass
class AnswerChanges:
    """Changes answers as faults say.

    Args:
        context: What all endpoints share.
    """

    context: SandboxContext

    @cached_property
    def other_key(self) -> RSAPrivateKey:
        """The key that is not the service's, or replaces it; generated at its first use."""
        return new_key()

    def own(self, fault: Fault) -> Answer:
        """Return the answer that a fault gives in place of the service's own."""
        if fault.pending:
            expires = round((self.context.now() + _SESSION_SECONDS) * 1000)
            return self._framed(fault, _json_answer(200, {"status": "pending", "expires": expires}))
        status = fault.status or 200
        if fault.code is not None:
            return self._framed(fault, _error_answer(status, fault.code, fault.message or "A fault", self._reference()))
        body = fault.body.encode() if isinstance(fault.body, str) else fault.body or b""
        return self._framed(fault, Answer(status, body=body))

    def changed(self, fault: Fault, answer: Answer) -> Answer:
        """Return the service's own answer, changed."""
        if fault.keys is not None:
            answer = self._other_keys(fault, answer)
        if fault.edit is not None or fault.skew:
            answer = self._edited(fault, answer)
        if fault.skew:
            date = formatdate(self.context.now() + fault.skew, usegmt=True)
            answer = replace(answer, headers=answer.with_headers({"date": date}))
        return self._framed(fault, answer)

    def signed_anew(self, answer: Answer) -> Answer:
        """Return an answer with its token signed by the other key, under the same key id."""
        return self._with_claims(answer, dict)

    def with_replaced_key(self, answer: Answer) -> Answer:
        """Return a key set in which the other key has the id of the service's."""
        return _edited_json(answer, lambda document: {"keys": [self._entry(document["keys"][0]["kid"])]})

    def _framed(self, fault: Fault, answer: Answer) -> Answer:
        """Add what any answer may have: header fields, a content type, an encoding."""
        added = dict(fault.headers)
        if fault.content_type is not None:
            added["content-type"] = fault.content_type
        if fault.retry_after is not None:
            added["retry-after"] = str(fault.retry_after)
        if fault.encoding is not None:
            added["content-encoding"] = fault.encoding
            answer = replace(answer, body=_encoded(answer.body, fault.encoding, fault.bomb))
        return replace(answer, headers=answer.with_headers(added))

    def _edited(self, fault: Fault, answer: Answer) -> Answer:
        edit = fault.edit or (lambda document: document)
        if fault.call in {"authorize", "exchange", "refresh"}:
            now = int(self.context.now() + fault.skew)
            times = {"iat": now, "nbf": now, "exp": now + int(_TOKEN_SECONDS)} if fault.skew else {}
            return self._with_claims(answer, lambda claims: edit({**claims, **times}), self.context.keys.signing)
        return _edited_json(answer, edit)

    def _with_claims(
        self, answer: Answer, edit: Callable[[dict[str, Any]], Any], key: RSAPrivateKey | None = None
    ) -> Answer:
        def signed(document: dict[str, Any]) -> dict[str, Any]:
            if "token" not in document:  # an error
                return document
            head = jwt.get_unverified_header(document["token"])
            claims = jwt.decode(document["token"], options={"verify_signature": False})
            headers = {name: head[name] for name in ("jku", "kid")}
            token = jwt.encode(edit(claims), key or self.other_key, algorithm="PS512", headers=headers)
            return {**document, "token": token}

        return _edited_json(answer, signed)

    def _other_keys(self, fault: Fault, answer: Answer) -> Answer:
        if fault.keys == "unknown":
            return _edited_json(answer, lambda _: {"keys": [self._entry("another-key")]})
        return self.with_replaced_key(answer)

    def _entry(self, kid: str) -> dict[str, str]:
        jwk = RSAAlgorithm.to_jwk(self.other_key.public_key(), as_dict=True)
        return {"kid": kid, "kty": "RSA", "n": jwk["n"], "e": jwk["e"], "pem": public_pem(self.other_key)}

    def _reference(self) -> str:
        return self.context.settings.random_bytes(16).hex()


def _edited_json(answer: Answer, edit: Callable[[dict[str, Any]], Any]) -> Answer:
    document = edit(json.loads(answer.body)) if answer.body else edit({})
    return replace(answer, body=json.dumps(document).encode())


def _json_answer(status: int, document: Mapping[str, Any]) -> Answer:
    return Answer(status, (("content-type", "application/json"),), json.dumps(document).encode())


def _error_answer(status: int, code: str, message: str, reference: str) -> Answer:
    """Return digi.me's error body, and the header fields that repeat it (SDK-observed)."""
    members = {"code": code, "message": message, "reference": reference}
    fields = [(f"x-error-{name}", _printable(text)) for name, text in members.items()]
    answer = _json_answer(status, {"error": members})
    return replace(answer, headers=(*answer.headers, *fields))


def _printable(text: str) -> str:
    return "".join(each for each in text if each.isascii() and each.isprintable())


def _encoded(body: bytes, encoding: Encoding, bomb: int) -> bytes:
    """Encode a body after so many spaces, which JSON ignores, piece by piece: a bomb never exists in clear."""
    pieces = [*_spaces(bomb), body]
    if encoding == "br":
        # The lowest quality is quick; a repeated piece is small at any.
        import brotli  # here, because few tests need it

        encoder = brotli.Compressor(quality=1)
        return b"".join([*map(encoder.process, pieces), encoder.finish()])
    if encoding == "deflate":
        compressor = zlib.compressobj()
        return b"".join([*map(compressor.compress, pieces), compressor.flush()])
    written = io.BytesIO()
    with gzip.GzipFile(fileobj=written, mode="wb", mtime=0) as file:
        file.writelines(pieces)
    return written.getvalue()


def _spaces(count: int) -> Iterator[bytes]:
    for start in range(0, count, len(_PIECE)):
        yield _PIECE[: count - start]
