"""Error replies: their codes, and the HTTP status of each."""

from __future__ import annotations

from typing import Final, Literal

Code = Literal[
    "FileNotFound",
    "FileTooLarge",
    "InvalidClaim",
    "InvalidClient",
    "InvalidContractDataRequest",
    "InvalidEnvelope",
    "InvalidFileDescriptor",
    "InvalidPostbox",
    "InvalidRedirectUri",
    "InvalidRequest",
    "InvalidSignature",
    "InvalidToken",
    "MethodNotAllowed",
    "NonceReused",
    "NotFound",
    "SDKInvalid",
    "SDKVersionInvalid",
    "ScopeOutOfBounds",
    "ServerError",
    "SessionInvalid",
    "TimestampOutOfRange",
    "TokenInvalid",
    "UnsupportedMediaType",
]

# `InvalidToken` (401), `SDKVersionInvalid` (403), `InvalidContractDataRequest` and `ScopeOutOfBounds` (400) are digi.me
# API, SDK-observed.
# The names InvalidRedirectUri, InvalidClient, SDKInvalid, SessionInvalid and TokenInvalid are known from the vendor's
# clients, their status is inferred. The other names, and their status, are this sandbox's own choice.
STATUS: Final[dict[Code, int]] = {
    "FileNotFound": 404,
    "FileTooLarge": 413,
    "InvalidClaim": 400,
    "InvalidClient": 401,
    "InvalidContractDataRequest": 400,
    "InvalidEnvelope": 400,
    "InvalidFileDescriptor": 400,
    "InvalidPostbox": 404,
    "InvalidRedirectUri": 400,
    "InvalidRequest": 400,
    "InvalidSignature": 401,
    "InvalidToken": 401,
    "MethodNotAllowed": 405,
    "NonceReused": 401,
    "NotFound": 404,
    "SDKInvalid": 403,
    "SDKVersionInvalid": 403,
    "ScopeOutOfBounds": 400,
    "ServerError": 500,
    "SessionInvalid": 400,
    "TimestampOutOfRange": 401,
    "TokenInvalid": 401,
    "UnsupportedMediaType": 415,
}


class ErrorReply(Exception):  # noqa: N818 - it is a reply to a client, not an error of this program
    """A request that is answered with an error.

    Args:
        code: What is wrong, one of the known codes.
        message: What is wrong, as a sentence. It is sent to the client: never a secret.
    """

    def __init__(self, code: Code, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.status = STATUS[code]
        self.message = message

    def body(self, reference: str) -> dict[str, dict[str, str]]:
        """Return the JSON body (digi.me API, SDK-observed).

        Args:
            reference: Names this reply, for example in a question to the operator.
        """
        return {"error": {"code": self.code, "message": self.message, "reference": reference}}

    def headers(self, reference: str) -> dict[str, str]:
        """Return the headers that repeat the body, since some clients read nothing else (SDK-observed)."""
        one_line = " ".join(self.message.split()).encode("ascii", "backslashreplace").decode()
        return {
            "X-Error-Code": self.code,
            "X-Error-Message": one_line,
            "X-Error-Reference": reference,
        }


class ExpiredTokenReply(ErrorReply):
    """The reply to a token that was valid before: ``InvalidToken``, as for any that is not."""
