"""The result of the consent page, parsed from the address to which it sent the browser."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import InitVar, dataclass
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import parse_qsl

from digime_pandas._service.authorization import Postbox
from digime_pandas._service.crypto.envelope import load_public_key
from digime_pandas._service.masking.secret import HoldsSecret, MaskedMapping, Revealed, Secret
from digime_pandas._service.masking.tracebacks import FramesDropped
from digime_pandas.errors import ConsentRefusedError, RedirectError, SecretError, printable

# Generous: a redirect with an RSA-4096 key in PEM, every character percent-encoded, is about 3,000 characters.
MAXIMUM_REDIRECT_LENGTH = 16_384
_MAXIMUM_FIELDS = 100
_QUOTED_LENGTH = 120
_PARAMETERS = frozenset({"success", "code", "state", "postboxId", "publicKey", "errorCode", "error_message"})
_COPY_ALL = "Copy the whole address of the tab in which the consent page ended and use that."
_REFUSALS = {
    "USER_CANCEL": "The person pressed cancel on the consent page. Authorize again when they agree.",
    "INITIALIZE_CHECK_FAIL": (
        "The consent page could not start. Check the contract (is it active, are its ids right?) and authorize again."
    ),
    "ONBOARD_ERROR": "The consent page could not set up the person's library. Authorize again, with a new link.",
    "INVALID_CODE": "The consent link was already used or is too old. Authorize again, with a new link.",
    "SERVER_ERROR": "digi.me had an error of its own during consent. Authorize again in a while.",
}


@dataclass(frozen=True, slots=True, init=False, repr=False, eq=False)
class RedirectResult(HoldsSecret):
    """The consent that a redirect brings.

    Args:
        code: Authorization code, which can be exchanged once. Masked in every repr, and no field.
        postbox: Where the postbox protocol delivers, or None: then files are written by direct import.
    """

    if TYPE_CHECKING:
        code: str
    else:
        code: InitVar[str] = Revealed()
    postbox: Postbox | None

    def __init__(self, code: str, postbox: Postbox | None) -> None:
        object.__setattr__(self, "_secret", Secret(code))
        object.__setattr__(self, "postbox", postbox)

    @property
    def secret(self) -> Secret[str]:
        """The code, masked."""
        return self._secret

    def __repr__(self) -> str:
        return f"RedirectResult(code='{self._secret}', postbox={self.postbox!r})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, RedirectResult):
            return NotImplemented
        return self.postbox == other.postbox and self._secret == other._secret

    def __hash__(self) -> int:
        return hash((self._secret, self.postbox))

    def __reduce__(self) -> NoReturn:
        raise SecretError("A RedirectResult holds a code and is not pickled; exchange it where it arrived.")


def parse_redirect(redirected: Secret[str], *, state: Secret[str]) -> RedirectResult:
    """Parse the address to which the consent page sent the browser.

    Parameters are those of the digi.me API (SDK-observed): `success`, `code` and `state`; in the postbox era also
    `postboxId` and `publicKey`, used only together; on failure `errorCode`, or `error_message` in its place.

    Args:
        redirected: The full address, or only its query (with or without ``?``), masked. Unknown parameters are ignored.
            An address without `success` is one of success where it has code and state.
        state: The `state` this authorization began with, masked. Compared in constant time; required on success,
            and compared on failure where it is there (whether the service sends it then is not documented).

    Returns:
        The code and, if there is one, the postbox. Its key is kept as it came, except that spaces in bare base64 become
        ``+`` again where the key cannot be loaded otherwise.

    Raises:
        RedirectError: Not an address of this authorization; the right one may still be parsed.
        ConsentRefusedError: The person or the service refused; ``code`` is the service's error code.
    """
    parameters = _parameters(redirected)
    success = parameters.get("success", "").lower()
    failed = not parameters.keys().isdisjoint({"errorCode", "error_message"})
    if "success" not in parameters and not failed and parameters.keys() >= {"code", "state"}:
        success = "true"
    refused = success == "false" or (success != "true" and failed)
    if not refused and success != "true":
        raise RedirectError(
            f"The redirected address holds neither success=true nor an error code; {_seen(parameters)}. {_COPY_ALL}"
        )
    _check_state(parameters, state, required=not refused)
    if refused:
        raise _refusal(parameters.get("errorCode", ""), parameters.get("error_message", ""))
    if not parameters.get("code"):
        raise RedirectError(f"The redirected address says success but holds no code; {_seen(parameters)}. {_COPY_ALL}")
    return RedirectResult(parameters["code"], _postbox(parameters))


def state_of(redirected: Secret[str]) -> Secret[str] | None:
    """Return the `state` in a redirected address, masked, or None where there is none that can be read."""
    with suppress(RedirectError):
        parameters = _parameters(redirected)
        if parameters.get("state"):
            return Secret(parameters["state"])
    return None


def _parameters(redirected: Secret[Any]) -> MaskedMapping:
    if not isinstance(redirected.reveal(), str):
        raise RedirectError(f"The redirected address is a {type(redirected.reveal()).__name__}, not a str. {_COPY_ALL}")
    if len(redirected.reveal()) > MAXIMUM_REDIRECT_LENGTH:
        raise RedirectError(
            f"The redirected address is {len(redirected.reveal()):,} characters long; no more than "
            f"{MAXIMUM_REDIRECT_LENGTH:,} are read. {_COPY_ALL}"
        )
    fields = None
    text = Secret(redirected.reveal().partition("#")[0])
    if not text.reveal().strip():
        raise RedirectError(f"The redirected address is empty. {_COPY_ALL}")
    with suppress(ValueError), FramesDropped():
        fields = Secret(_known_fields(text))
    if fields is None:
        raise RedirectError(f"The redirected address holds more than {_MAXIMUM_FIELDS} parameters. {_COPY_ALL}")
    parameters = MaskedMapping(dict(fields.reveal()))
    if len(parameters) < len(fields.reveal()):
        raise RedirectError(f"The redirected address holds a parameter twice. {_COPY_ALL}")
    return parameters


def _known_fields(text: Secret[str]) -> list[tuple[str, str]]:
    # The address may have a query of its own, with repeated names; a second `code` or `state` is an attack.
    head, mark, query = text.reveal().partition("?")
    fields = parse_qsl(query if mark else head, keep_blank_values=True, max_num_fields=_MAXIMUM_FIELDS)
    return [(name, value) for name, value in fields if name in _PARAMETERS]


def _seen(parameters: MaskedMapping) -> str:
    """Say which parameters there are, without what they hold."""
    names = " and ".join(name for name in parameters if name in _PARAMETERS)
    return f"of what it should hold, it has {names} only" if names else "it holds nothing that a consent page sends"


def _check_state(parameters: MaskedMapping, expected: Secret[str], *, required: bool) -> None:
    if "state" not in parameters:
        if required:
            raise RedirectError(f"The redirected address holds no state; {_seen(parameters)}. {_COPY_ALL}")
        return
    if Secret(parameters["state"]) != expected:
        raise RedirectError(
            "The redirected address belongs to another authorization (its state differs). "
            "Use the address that this consent link led to, or authorize again."
        )


def _refusal(code: str, message: str) -> ConsentRefusedError:
    words = _REFUSALS.get(code)
    if words is None:
        reasons = " and ".join(repr(text[:_QUOTED_LENGTH]) for text in (code, message) if text)
        words = f"The consent page ended without consent{f' and gave {reasons}' if reasons else ''}. Authorize again."
    return ConsentRefusedError(words, code=printable(code[:_QUOTED_LENGTH]) or "UNKNOWN")


def _postbox(parameters: MaskedMapping) -> Postbox | None:
    postbox_id, public_key = parameters.get("postboxId"), parameters.get("publicKey")
    if not postbox_id or not public_key:
        return None
    return Postbox(postbox_id, _repaired(public_key))


def _repaired(public_key: str) -> str:
    # A "+" that was not percent-encoded arrives as a space. Base64 alone cannot tell, since four lost characters still
    # decode: whether a key can be loaded does.
    if "-----" in public_key or " " not in public_key or _is_key(public_key):
        return public_key
    candidate = public_key.replace(" ", "+")
    return candidate if _is_key(candidate) else public_key


def _is_key(text: str) -> bool:
    try:
        load_public_key(text)
    except ValueError:
        return False
    return True
