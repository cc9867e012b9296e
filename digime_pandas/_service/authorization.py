"""An authorization: tokens and, for the postbox protocol, a postbox. Values only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import InitVar, dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NoReturn

from digime_pandas._service.display import html
from digime_pandas._service.display.texts import day_text
from digime_pandas._service.masking.secret import HoldsSecret, MaskedMapping, Revealed, Secret
from digime_pandas.errors import AuthorizationError, InputError, SecretError, in_words, printable
from digime_pandas.errors.calls.attributes import NearNames
from digime_pandas.errors.calls.explained import explains_calls, explains_making

Access = Literal["write", "read"]
ACCESSES: tuple[Access, ...] = ("write", "read")
_LATEST = 253_402_300_799_999  # as what the service answers is bounded: it may mean milliseconds


@dataclass(frozen=True, slots=True, init=False, repr=False, eq=False)
class Token(HoldsSecret):
    """One token of a pair.

    Args:
        value: The opaque text the service gave. Masked in every repr, and no field: only ``token.value`` shows it.
        expiry: Unix time in seconds after which it is no longer valid (`expires_on` on the wire, observed in seconds).
    """

    if TYPE_CHECKING:
        value: str
    else:
        value: InitVar[str] = Revealed()
    expiry: int

    @explains_calls()
    def __init__(self, value: str, expiry: int) -> None:
        object.__setattr__(self, "_secret", Secret(value))
        object.__setattr__(self, "expiry", expiry)

    @property
    def secret(self) -> Secret[str]:
        """The value, masked."""
        return self._secret

    def is_expired(self, now: float) -> bool:
        """Tell whether the token is past its expiry at `now` (Unix seconds)."""
        return now >= self.expiry

    def __repr__(self) -> str:
        return f"Token(value='{self._secret}', expiry={self.expiry})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Token):
            return NotImplemented
        return self.expiry == other.expiry and self._secret == other._secret

    def __hash__(self) -> int:
        return hash((self._secret, self.expiry))

    def __reduce__(self) -> NoReturn:
        raise SecretError(
            "Tokens are not pickled. Keep authorizations in a token store, or pass Authorization.to_dict() over a "
            "channel that you trust with a secret."
        )

    def __copy__(self) -> Token:
        return self

    def __deepcopy__(self, memo: object) -> Token:
        return self


@explains_making
@dataclass(frozen=True, slots=True)
class UserAccessToken:
    """The pair of tokens that stands for a person's consent.

    Args:
        access_token: Sent with every request; valid for about a day (inferred).
        refresh_token: Exchanged for a new pair; valid for about 180 days (inferred).
    """

    access_token: Token
    refresh_token: Token

    def is_over(self, now: float) -> bool:
        """Tell whether neither can be used any longer at `now` (Unix seconds)."""
        return self.refresh_token.is_expired(now) and self.access_token.is_expired(now)


@explains_making
@dataclass(frozen=True, slots=True)
class Postbox:
    """Where the postbox protocol delivers, and the RSA key that files are encrypted for.

    Args:
        id: The postbox's id (`postboxId` of the redirect).
        public_key: RSA public key as the redirect gave it: PEM or bare base64, PKCS#1 or SPKI. Not a secret.
    """

    id: str
    public_key: str = field(repr=False)


@explains_making
@dataclass(frozen=True, slots=True)
class Authorization(NearNames):
    """A person's consent for one contract.

    Args:
        account_id: The person's id in your own system.
        access: ``"write"`` or ``"read"``.
        user_access_token: The tokens.
        postbox: Where to write under the postbox protocol; None means direct import.
        user_id: The person's id at the service (`sub`), if it was told.
        consent_id: The consent's id at the service, if it was told.
        client_id: The contract's `client_id` under which consent was given. None switches the check of it off.
        key_thumbprint: SHA-256 (hex) of the public half of the key that obtained the tokens, so that a wrong key is
            noticed before anything is sent. None switches the check off.
        serial: Counts the pairs of tokens of an account: the newer pair has the greater number. 0 where that is not
            known. Two authorizations are equal whatever it is.
        refused: Whether the service refused the refresh token, so that the person has to authorize again.
    """

    account_id: str
    access: Access
    user_access_token: UserAccessToken
    postbox: Postbox | None = None
    user_id: str | None = None
    consent_id: str | None = None
    client_id: str | None = field(default=None, repr=False)
    key_thumbprint: str | None = field(default=None, repr=False)
    serial: int = field(default=0, repr=False, compare=False)
    refused: bool = field(default=False, repr=False, compare=False)

    @property
    def _until(self) -> str:
        """Until when it lasts if it is not used: a pair of tokens that is refreshed lasts longer."""
        return day_text(self.user_access_token.refresh_token.expiry)

    def __repr__(self) -> str:
        shown = {"account_id": self.account_id, "access": self.access, "until": self._until}
        refused = ", refused=True" if self.refused else ""
        return printable(f"Authorization({', '.join(f'{name}={text!r}' for name, text in shown.items())}{refused})")

    def _repr_html_(self) -> str:
        return html.card(
            *self._head(),
            html.facts({"Library of": self.user_id or "not known", "Files go": self._way}),
            html.folded("Details", html.facts({"Consent": self.consent_id or "not known"})),
        )

    def _head(self) -> list[html.Html]:
        if not self.refused:
            does = f"lets you {self.access} until {self._until}, and longer when it is used."
            return [html.head("✓ Authorized", "good", self.account_id, does)]
        does = f"let you {self.access}; the service no longer takes the refresh token. Authorize again:"
        call = f"digime.AuthorizationWidget({self.account_id!r}, access={self.access!r})"
        return [html.head("Ended", "bad", self.account_id, does), html.code(call)]

    @property
    def _way(self) -> str:
        if self.access == "read":
            return ""
        return "through direct import" if self.postbox is None else "into an encrypted postbox"

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON. **Contains the tokens**: they allow to write for this person."""
        pair = self.user_access_token
        return {
            "account_id": self.account_id,
            "access": self.access,
            "user_access_token": {
                name: {"value": token.value, "expiry": token.expiry}
                for name, token in (("access_token", pair.access_token), ("refresh_token", pair.refresh_token))
            },
            "postbox": None if self.postbox is None else {"id": self.postbox.id, "public_key": self.postbox.public_key},
            "user_id": self.user_id,
            "consent_id": self.consent_id,
            "client_id": self.client_id,
            "key_thumbprint": self.key_thumbprint,
            "serial": self.serial,
            "refused": self.refused,
        }

    @classmethod
    @explains_calls()
    def from_dict(cls, values: Mapping[str, Any]) -> Authorization:
        """Build the value back from `to_dict`.

        Raises:
            AuthorizationError: A member is missing or of the wrong type; the message names it, never its value.
        """
        given = MaskedMapping(values if isinstance(values, Mapping) else {})
        # A traceback that shows local variables would show the tokens in it.
        del values
        pair = _member(given, "user_access_token", Mapping)
        postbox = _optional(given, "postbox", Mapping)
        access = _member(given, "access", str)
        if access not in ACCESSES:
            raise AuthorizationError("A stored authorization has an 'access' that is neither 'write' nor 'read'.")
        return cls(
            account_id=_member(given, "account_id", str),
            access=access,
            user_access_token=UserAccessToken(
                _token(_member(pair, "access_token", Mapping)), _token(_member(pair, "refresh_token", Mapping))
            ),
            postbox=postbox and Postbox(_member(postbox, "id", str), _member(postbox, "public_key", str)),
            user_id=_optional(given, "user_id", str),
            consent_id=_optional(given, "consent_id", str),
            client_id=_optional(given, "client_id", str),
            key_thumbprint=_optional(given, "key_thumbprint", str),
            serial=max(0, _optional(given, "serial", int) or 0),
            refused=given.get("refused") is True,
        )


def check_authorization(given: object) -> Authorization:
    """Return what was given, which is an authorization.

    Raises:
        InputError: It is none.
    """
    if not isinstance(given, Authorization):
        raise InputError(f"authorization is {in_words(given, may_be_secret=True)}.", remedy="Pass an Authorization.")
    return given


def is_unicode(value: object) -> bool:
    """Tell whether a value, if it is a text, has a UTF-8 form: a lone surrogate, which JSON can hold, has none."""
    if not isinstance(value, str) or value.isascii():
        return True
    return not any(0xD800 <= ord(character) <= 0xDFFF for character in value)  # noqa: PLR2004 - the surrogates


def _token(values: Mapping[str, Any]) -> Token:
    if not 0 <= _member(values, "expiry", int) <= _LATEST:
        raise _unusable("expiry", "Unix seconds")
    return Token(_member(values, "value", str), values["expiry"])


def _optional(values: Mapping[str, Any], name: str, kind: type) -> Any:
    return None if values.get(name) is None else _member(values, name, kind)


def _member(values: Mapping[str, Any], name: str, kind: type) -> Any:
    # No variable in clear for what is taken out: the error's traceback would show it.
    found = Secret(values.get(name))
    if not isinstance(found.reveal(), kind) or isinstance(found.reveal(), bool) or not is_unicode(found.reveal()):
        raise _unusable(name, f"a {kind.__name__}")
    return found.reveal()


def _unusable(name: str, wanted: str) -> AuthorizationError:
    return AuthorizationError(
        f"A stored authorization has no usable member {name!r} ({wanted}). Authorize this account again."
    )
