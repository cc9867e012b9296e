from __future__ import annotations

import stat
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from digime_pandas.errors import ConfigurationError
from digime_pandas.sandbox import Sandbox
from digime_pandas.sandbox._store.keys import key_id, load_keys, public_pem


def test_keys_are_kept_in_a_form_that_openssl_reads(tmp_path: Path) -> None:
    with Sandbox(tmp_path):
        for name in ("write", "read", "signing", "postbox"):
            check = ["openssl", "rsa", "-in", str(tmp_path / "keys" / f"{name}.pem"), "-check", "-noout"]
            assert b"RSA key ok" in subprocess.run(check, capture_output=True, check=True).stdout


def test_a_key_file_that_is_no_key_is_named(tmp_path: Path) -> None:
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "write.pem").write_text("nonsense")
    with pytest.raises(ConfigurationError, match=r"write\.pem"):
        Sandbox(tmp_path).start()


def test_keys_are_generated_once_in_the_order_of_their_names(tmp_path: Path) -> None:
    folder = tmp_path / "keys"
    one, two = load_keys(folder, ("one", "two"))
    again = load_keys(folder, ("two", "one"))
    assert [key.private_numbers() for key in again] == [two.private_numbers(), one.private_numbers()]
    assert key_id(one) != key_id(two)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}


@pytest.mark.parametrize(
    "command", [["genpkey", "-algorithm", "ed25519"], ["ecparam", "-name", "prime256v1", "-genkey"]]
)
def test_a_key_of_another_kind_is_named(tmp_path: Path, command: list[str]) -> None:
    pem = subprocess.run(["openssl", *command], capture_output=True, check=True).stdout
    (tmp_path / "postbox.pem").write_bytes(pem)
    with pytest.raises(ConfigurationError, match=r"postbox\.pem is not an RSA private key"):
        load_keys(tmp_path, ("postbox",))


def test_a_public_key_is_written_as_pkcs1_and_named_by_its_digest(tmp_path: Path) -> None:
    (key,) = load_keys(tmp_path, ("one",))
    assert public_pem(key).startswith("-----BEGIN RSA PUBLIC KEY-----")
    public = load_pem_public_key(public_pem(key).encode())
    assert isinstance(public, RSAPublicKey)
    assert public.public_numbers() == key.public_key().public_numbers()
    assert len(key_id(key)) == 16
    assert int(key_id(key), 16) >= 0
