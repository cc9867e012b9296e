"""The sandbox's RSA keys: generated at the first start, kept as PEM files."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from digime_pandas.errors import ConfigurationError

_KEY_BITS = 2048
_PUBLIC_EXPONENT = 65537


@dataclass(frozen=True, slots=True)
class ServiceKeys:
    """The sandbox's own keys, as opposed to those of the contracts.

    Attributes:
        signing: Signs the tokens that the sandbox issues.
        postbox: Decrypts what is written to any postbox.
    """

    signing: RSAPrivateKey = field(repr=False)
    postbox: RSAPrivateKey = field(repr=False)


def load_keys(folder: Path, names: tuple[str, ...]) -> list[RSAPrivateKey]:
    """Load keys from a folder; generate and store those that do not exist yet.

    Args:
        folder: Folder of the ``<name>.pem`` files, which are readable by their owner alone.
        names: Names of the keys.

    Returns:
        The keys, in the order of their names.

    Raises:
        ConfigurationError: A file exists and holds no RSA private key.
    """
    folder.mkdir(mode=0o700, exist_ok=True)
    with ThreadPoolExecutor(len(names)) as pool:
        return list(pool.map(lambda name: _load_or_generate(folder / f"{name}.pem"), names))


def new_key() -> RSAPrivateKey:
    """Generate a key that is not stored."""
    return generate_private_key(_PUBLIC_EXPONENT, _KEY_BITS)


def key_id(key: RSAPrivateKey) -> str:
    """Return a short id of a key pair: the first 16 hexadecimal digits of its public key's SHA-256."""
    public = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return sha256(public).hexdigest()[:16]


def public_pem(key: RSAPrivateKey) -> str:
    """Return the public key as PKCS#1 PEM, the one form that every vendor client reads (SDK-observed)."""
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.PKCS1).decode()


def _load_or_generate(path: Path) -> RSAPrivateKey:
    try:
        pem = path.read_bytes()
    except FileNotFoundError:
        return _generate(path)
    try:
        # The file was written here: the full check of a key takes longer than generating one.
        key = load_pem_private_key(pem, password=None, unsafe_skip_rsa_key_validation=True)
    except ValueError:
        key = None
    if not isinstance(key, RSAPrivateKey):
        raise ConfigurationError(
            f"{path} is not an RSA private key. Remove it to have a new one made, or use another data_dir."
        )
    return key


def _generate(path: Path) -> RSAPrivateKey:
    key = new_key()
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(pem)
    return key
