"""A contract with digi.me, and the private key that signs its requests."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import InitVar, dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import urlsplit

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)

from digime_pandas._service.masking.secret import HoldsSecret, Revealed, Secret
from digime_pandas._service.masking.tracebacks import FramesDropped
from digime_pandas.errors import ContractError, SecretError
from digime_pandas.errors.calls.attributes import NearNames
from digime_pandas.errors.calls.explained import explains_calls

PrivateKeySource = str | bytes | os.PathLike[str] | RSAPrivateKey

# The service takes the wrapped AES key of a file read back as exactly 256 bytes, so shorter keys cannot work.
MINIMUM_KEY_BITS = 2048
_LEAST_PRIME = 2
_NO_KEY = "Pass the contract's RSA private key as PEM text, as a path to a PEM file, or as a key object."


@dataclass(frozen=True, slots=True, init=False)
class Contract(NearNames, HoldsSecret):
    r"""A digi.me contract and its private key.

    Args:
        application_id: Application id given by digi.me.
        contract_id: Contract id given by digi.me. Writing and reading back are two contracts.
        private_key: The contract's RSA private key, at least 2048 bits: PEM as str or bytes (PKCS#1 or PKCS#8, line
            breaks may be a literal ``\n`` as environment variables tend to have them), a path to such a file, or a
            `cryptography` key object. Afterwards the attribute holds the loaded key object. It is no field.
        redirect_uri: Address registered for this contract, to which the consent page sends the person back. None
            when consent is completed through the loopback listener.

    Raises:
        ContractError: An id is empty, the key cannot be used (the message says why), or the address is not absolute.
    """

    application_id: str
    contract_id: str
    if TYPE_CHECKING:
        private_key: RSAPrivateKey
    else:
        private_key: InitVar[PrivateKeySource] = Revealed()
    redirect_uri: str | None = None
    key_thumbprint: str = field(init=False, repr=False)

    @explains_calls()
    def __init__(
        self,
        application_id: str,
        contract_id: str,
        private_key: PrivateKeySource,
        redirect_uri: str | None = None,
    ) -> None:
        source = Secret(private_key)
        del private_key  # a traceback that shows local variables would show it
        given = {"application_id": application_id, "contract_id": contract_id, "redirect_uri": redirect_uri}
        for name, value in given.items():  # the tracebacks of the errors below may show what is made here
            object.__setattr__(self, name, value)
        for name, value in (("application_id", application_id), ("contract_id", contract_id)):
            if not isinstance(value, str) or not value.strip():
                raise ContractError(f"{name} is {value!r}; pass the id that digi.me gave you, as text.")
        if redirect_uri is not None:
            _check_redirect_uri(redirect_uri)
        key = _load(source)
        object.__setattr__(self, "application_id", application_id.strip())
        object.__setattr__(self, "contract_id", contract_id.strip())
        object.__setattr__(self, "_secret", Secret(key))
        object.__setattr__(self, "key_thumbprint", _thumbprint(key))

    @property
    def client_id(self) -> str:
        """``<application id>_<contract id>``, the `client_id` of every signed request (observed on the wire)."""
        return f"{self.application_id}_{self.contract_id}"

    @classmethod
    @explains_calls()
    def from_env(cls, prefix: str = "DIGIME_", environ: Mapping[str, str] | None = None) -> Contract:
        """Read a contract from environment variables.

        Args:
            prefix: Start of the variables' names; ``"DIGIME_READ_"`` names the read contract's.
            environ: The variables. Default: the process environment.

        Returns:
            The contract of ``{prefix}APPLICATION_ID``, ``{prefix}CONTRACT_ID``, ``{prefix}PRIVATE_KEY`` (PEM) or
            ``{prefix}PRIVATE_KEY_FILE`` (a path) and, optional, ``{prefix}REDIRECT_URI``. The read contract's
            application id may be left out where it is the same as the write contract's.

        Raises:
            ContractError: Variables are missing (all of them are named) or hold something unusable.
        """
        source = Secret(os.environ if environ is None else environ)
        del environ  # as in `__init__`

        def value(name: str, prefix: str = prefix) -> str:
            return source.reveal().get(prefix + name, "").strip()

        application_id = value("APPLICATION_ID") or value("APPLICATION_ID", "DIGIME_")
        pem, path = Secret(value("PRIVATE_KEY")), value("PRIVATE_KEY_FILE")
        missing = [
            prefix + name
            for name, found in (
                ("APPLICATION_ID", application_id),
                ("CONTRACT_ID", value("CONTRACT_ID")),
                (f"PRIVATE_KEY (or {prefix}PRIVATE_KEY_FILE)", pem.reveal() or path),
            )
            if not found
        ]
        if missing:
            them = "it" if len(missing) == 1 else "them"
            raise ContractError(
                f"Not set: {', '.join(missing)}.",
                remedy=f"Set {them}, or pass a Contract, or try connect('sandbox').",
                command=f"Set {them}. To try without an account: digime-pandas demo; and digime-pandas sandbox prints "
                "the variables of a sandbox.",
            )
        if pem.reveal() and path:
            raise ContractError(f"Both {prefix}PRIVATE_KEY and {prefix}PRIVATE_KEY_FILE are set; keep one of them.")
        try:
            return cls(application_id, value("CONTRACT_ID"), pem.reveal() or Path(path), value("REDIRECT_URI") or None)
        except ContractError as error:
            said = error.what
        variables = {"private_key": f"{prefix}PRIVATE_KEY{'' if pem.reveal() else '_FILE'}"}
        argument, _, rest = said.partition(" ")
        variable = variables.get(argument, prefix + argument.upper())
        key_variables = f"Set {prefix}PRIVATE_KEY to PEM text, or {prefix}PRIVATE_KEY_FILE to the path of a PEM file."
        raise ContractError(f"{variable} {rest}".replace(_NO_KEY, key_variables))

    def __reduce__(self) -> NoReturn:
        raise SecretError(
            "A Contract holds a private key and is not pickled. Build it where it is used, "
            "with Contract.from_env() or Contract(...)."
        )

    def __copy__(self) -> Contract:
        return self

    def __deepcopy__(self, memo: object) -> Contract:
        return self


def _load(source: Secret[Any]) -> RSAPrivateKey:
    key: RSAPrivateKey = (
        source.reveal() if isinstance(source.reveal(), RSAPrivateKey) else _load_pem(_pem_bytes(source))
    )
    if key.key_size < MINIMUM_KEY_BITS:
        raise ContractError(
            f"private_key is an RSA key of {key.key_size} bits; digi.me needs {MINIMUM_KEY_BITS} or more."
        )
    return key


def _pem_bytes(source: Secret[Any]) -> Secret[bytes]:
    kind = type(source.reveal())
    if issubclass(kind, str) and "-----BEGIN" in source.reveal():
        # What cannot be encoded is replaced: the error about it would carry the text.
        return Secret(source.reveal().replace("\\r", "").replace("\\n", "\n").strip().encode(errors="replace"))
    if issubclass(kind, bytes | bytearray):
        return Secret(bytes(source.reveal()).replace(b"\\r", b"").replace(b"\\n", b"\n").strip())
    if issubclass(kind, str | os.PathLike):
        if not str(source.reveal()).strip():
            raise ContractError(f"private_key is empty. {_NO_KEY}")
        try:
            with FramesDropped():
                return Secret(Path(source.reveal()).expanduser().read_bytes().strip())
        except (OSError, ValueError, RuntimeError) as error:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else "not a path"
        # The text may be a key without its markers: the message names its length, never the text itself. Raised out
        # here, where the system's error, which quotes it, is no context any more.
        raise ContractError(
            f"private_key is neither PEM text nor a file that can be read "
            f"({len(str(source.reveal()))} characters: {reason}). {_NO_KEY}"
        )
    raise ContractError(f"private_key is a {kind.__name__}. {_NO_KEY}")


def _load_pem(pem: Secret[bytes]) -> RSAPrivateKey:
    if not pem.reveal():
        raise ContractError(f"private_key is empty. {_NO_KEY}")
    if b"ENCRYPTED" in pem.reveal():
        raise ContractError(
            "private_key is encrypted with a pass phrase. Decrypt it first "
            "(`openssl rsa -in encrypted.pem -out key.pem`), or load it with `cryptography` and pass the key object."
        )
    is_private = b"PRIVATE KEY-----" in pem.reveal()
    if not is_private and b"PUBLIC KEY-----" in pem.reveal():
        raise ContractError(
            "private_key is a public key. Requests are signed with the private one (BEGIN RSA PRIVATE KEY)."
        )
    if not is_private and b"BEGIN CERTIFICATE" in pem.reveal():
        raise ContractError(
            "private_key is a certificate. Requests are signed with the private key that belongs to it."
        )
    key = None
    with suppress(ValueError, TypeError, UnsupportedAlgorithm):  # not kept: what the parser says may quote its input
        # Not checked by the parser, which takes longer than all the rest of a small write.
        key = load_pem_private_key(pem.reveal(), password=None, unsafe_skip_rsa_key_validation=True)
        if isinstance(key, RSAPrivateKey) and not _is_whole(key):
            key = None
    if key is None:
        raise ContractError(
            f"private_key is not a PEM private key that can be read: damaged, cut short or another format. {_NO_KEY}"
        )
    if not isinstance(key, RSAPrivateKey):
        raise ContractError(
            f"private_key is of another kind ({type(key).__name__.strip('_')}); digi.me signs with RSA keys."
        )
    return key


def _is_whole(key: RSAPrivateKey) -> bool:
    """Return whether the numbers of a key belong together, so that it is neither damaged nor put together."""
    with FramesDropped():
        numbers = key.private_numbers()
        modulus, exponent = numbers.public_numbers.n, numbers.public_numbers.e
        halves = (numbers.p, numbers.dmp1), (numbers.q, numbers.dmq1)
        return (
            numbers.p * numbers.q == modulus > 0
            and numbers.iqmp * numbers.q % numbers.p == 1
            # By Fermat's theorem: a number that is no prime does not pass, but for ones that are sought for that.
            and all(
                prime > _LEAST_PRIME
                and power == numbers.d % (prime - 1)
                and power * exponent % (prime - 1) == 1
                and pow(2, prime - 1, prime) == 1
                for prime, power in halves
            )
        )


def _thumbprint(key: RSAPrivateKey) -> str:
    public = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return sha256(public).hexdigest()


def _check_redirect_uri(redirect_uri: object) -> None:
    # Schemes are free: phone applications register their own (observed: digime-ca://callback).
    try:
        parts = urlsplit(redirect_uri) if isinstance(redirect_uri, str) else None
    except ValueError:
        parts = None
    if parts is None or not parts.scheme or not (parts.netloc or parts.path) or parts.fragment:
        raise ContractError(
            f"redirect_uri is {redirect_uri!r}; pass the absolute address registered for this contract, no fragment."
        )
