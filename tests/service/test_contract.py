from __future__ import annotations

import base64
import copy
import pickle
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from digime_pandas._service.contract import Contract
from digime_pandas.errors import ContractError, SecretError

OpenSSL = Callable[..., bytes]


@pytest.fixture(scope="module")
def key(vendor_keys: dict[str, RSAPrivateKey]) -> RSAPrivateKey:
    return vendor_keys["contract_w"]


@pytest.fixture(scope="module")
def pem(key: RSAPrivateKey) -> str:
    """PKCS#1, the form digi.me hands out."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()).decode()


@pytest.fixture(scope="module")
def pkcs8(openssl: OpenSSL, pem: str) -> str:
    return openssl("pkcs8", "-topk8", "-nocrypt", stdin=pem.encode()).decode()


def is_same(contract: Contract, key: RSAPrivateKey) -> bool:
    return contract.private_key.private_numbers() == key.private_numbers()


def test_the_client_id_joins_application_and_contract_with_an_underscore(key: RSAPrivateKey) -> None:
    assert Contract(" app ", "contract_1", key).client_id == "app_contract_1"


def test_a_key_is_taken_as_pkcs1_or_pkcs8_in_text_or_bytes(key: RSAPrivateKey, pem: str, pkcs8: str) -> None:
    for text in (pem, pkcs8):
        assert "PRIVATE KEY" in text
        for source in (text, text.encode(), f"\n  {text}\n", bytearray(text.encode())):
            assert is_same(Contract("a", "c", source), key)  # type: ignore[arg-type] # a bytearray will do too
    assert is_same(Contract("a", "c", key), key)


@pytest.mark.parametrize("line_break", ["\\n", "\r\n", "\\r\\n", "\r"])
def test_line_breaks_may_be_those_of_environment_variables_and_windows(
    key: RSAPrivateKey, pem: str, line_break: str
) -> None:
    text = pem.replace("\n", line_break)
    assert is_same(Contract("a", "c", text), key)
    assert is_same(Contract("a", "c", text.encode()), key)


def test_a_key_is_taken_from_a_file(
    key: RSAPrivateKey, pem: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "key.pem"
    path.write_text(pem)
    monkeypatch.setenv("HOME", str(tmp_path))
    for source in (path, str(path), "~/key.pem", Path("~/key.pem")):
        assert is_same(Contract("a", "c", source), key)


def test_a_key_may_stand_beside_its_certificate(openssl: OpenSSL, key: RSAPrivateKey, pem: str, tmp_path: Path) -> None:
    certificate = certificate_of(openssl, pem, tmp_path)
    assert is_same(Contract("a", "c", certificate + pem), key)


def certificate_of(openssl: OpenSSL, pem: str, folder: Path) -> str:
    (folder / "key").write_text(pem)
    return openssl("req", "-x509", "-key", folder / "key", "-subj", "/CN=x", "-days", "2").decode()


@pytest.fixture(scope="module")
def unusable(openssl: OpenSSL, pem: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    folder = tmp_path_factory.mktemp("keys")
    lines, key = pem.splitlines(), pem.encode()
    return {
        "short": openssl("genrsa", "-traditional", "1024"),
        "public": openssl("rsa", "-pubout", stdin=key).decode(),
        "public pkcs1": openssl("rsa", "-RSAPublicKey_out", stdin=key),
        "encrypted pkcs1": openssl("rsa", "-aes128", "-traditional", "-passout", "pass:hunter2", stdin=key).decode(),
        "encrypted pkcs8": openssl("pkcs8", "-topk8", "-passout", "pass:hunter2", stdin=key).decode(),
        "elliptic": openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout").decode(),
        "certificate": certificate_of(openssl, pem, folder),
        "cut": "\n".join(lines[:5] + lines[-1:]),
        "base64 only": "".join(lines[1:-1]),
        "garbage": "hunter2",
        "garbage bytes": b"hunter2",
        "null character": "hunter2\0.pem",
        "no such file": str(folder / "missing.pem"),
        "no such home": "~hunter2/key.pem",
        "folder": folder,
        "empty": "",
        "blank": " \n",
        "empty bytes": b"",
        "none": None,
        "number": 17,
    }


@pytest.mark.parametrize("changed", ["p", "q", "d", "dmp1", "dmq1", "iqmp", "n", "both primes"])
def test_a_key_whose_numbers_do_not_belong_together_is_damaged(key: RSAPrivateKey, changed: str) -> None:
    numbers = key.private_numbers()
    e, n = numbers.public_numbers.e, numbers.public_numbers.n
    parts = {each: getattr(numbers, each) for each in ("p", "q", "d", "dmp1", "dmq1", "iqmp")} | {"n": n}
    if changed == "both primes":  # these belong together, but are no primes
        p, q = numbers.p * 3, numbers.q * 5
        d = pow(e, -1, (p - 1) * (q - 1))
        parts = {"p": p, "q": q, "d": d, "dmp1": d % (p - 1), "dmq1": d % (q - 1), "iqmp": pow(q, -1, p), "n": p * q}
    else:
        parts[changed] += 2
    with pytest.raises(ContractError, match="damaged"):
        Contract("a", "c", pem_of(e=e, **parts))


def pem_of(**numbers: int) -> str:
    """Return a key of any numbers as PKCS#1 (RFC 8017, A.1.2), which `cryptography` would refuse to write."""

    def tagged(tag: int, body: bytes) -> bytes:
        size = len(body)
        count = size.to_bytes((size.bit_length() + 7) // 8)
        return bytes([tag, size] if size < 0x80 else [tag, 0x80 + len(count), *count]) + body

    def integer(number: int) -> bytes:
        return tagged(0x02, number.to_bytes(number.bit_length() // 8 + 1))

    members = [0, *(numbers[name] for name in ("n", "e", "d", "p", "q", "dmp1", "dmq1", "iqmp"))]
    whole = tagged(0x30, b"".join(map(integer, members)))
    return f"-----BEGIN RSA PRIVATE KEY-----\n{base64.encodebytes(whole).decode()}-----END RSA PRIVATE KEY-----\n"


def test_a_key_of_these_numbers_is_taken(key: RSAPrivateKey) -> None:
    numbers = key.private_numbers()
    parts = {each: getattr(numbers, each) for each in ("p", "q", "d", "dmp1", "dmq1", "iqmp")}
    public = numbers.public_numbers
    assert is_same(Contract("a", "c", pem_of(e=public.e, n=public.n, **parts)), key)


@pytest.mark.parametrize(
    ("kind", "cause"),
    [
        ("short", "1024 bits"),
        ("public", "public key"),
        ("public pkcs1", "public key"),
        ("encrypted pkcs1", "encrypted"),
        ("encrypted pkcs8", "encrypted"),
        ("elliptic", "digi.me signs with RSA"),
        ("certificate", "certificate"),
        ("cut", "damaged"),
        ("base64 only", "neither PEM text nor a file"),
        ("garbage", "neither PEM text nor a file"),
        ("garbage bytes", "damaged"),
        ("null character", "neither PEM text nor a file"),
        ("no such home", "neither PEM text nor a file"),
        ("no such file", "neither PEM text nor a file"),
        ("folder", "neither PEM text nor a file"),
        ("empty", "empty"),
        ("blank", "empty"),
        ("empty bytes", "empty"),
        ("none", "is a NoneType"),
        ("number", "is a int"),
    ],
)
def test_an_unusable_key_is_refused_by_its_cause_and_never_quoted(
    unusable: dict[str, object], pem: str, kind: str, cause: str
) -> None:
    with pytest.raises(ContractError, match=cause) as raised:
        Contract("a", "c", unusable[kind])  # type: ignore[arg-type] # wrong on purpose
    assert "private_key" in str(raised.value)
    assert (raised.value.__cause__, raised.value.__context__) == (None, None)
    assert not any(secret in str(raised.value) for secret in [*pem.splitlines()[1:-1], "hunter2"])


@pytest.mark.parametrize("given", ["", "  ", None, 17])
def test_both_ids_are_needed(key: RSAPrivateKey, given: object) -> None:
    with pytest.raises(ContractError, match=r"^application_id is"):
        Contract(given, "c", key)  # type: ignore[arg-type] # wrong on purpose
    with pytest.raises(ContractError, match=r"^contract_id is"):
        Contract("a", given, key)  # type: ignore[arg-type] # wrong on purpose


def test_a_redirect_address_of_any_scheme_is_taken(key: RSAPrivateKey) -> None:
    for address in ("https://a.test/back?x=1", "http://127.0.0.1:5000/", "digime-ca://callback", "app:/back"):
        assert Contract("a", "c", key, address).redirect_uri == address


@pytest.mark.parametrize("address", ["", "back", "/back", "//host/back", "https://a.test/#here", "https://[::1", 17])
def test_a_redirect_address_that_is_not_absolute_is_refused(key: RSAPrivateKey, address: object) -> None:
    with pytest.raises(ContractError, match="redirect_uri"):
        Contract("a", "c", key, address)  # type: ignore[arg-type] # wrong on purpose


def test_contracts_are_equal_by_ids_and_key(vendor_keys: dict[str, RSAPrivateKey], pem: str) -> None:
    contract = Contract("a", "c", pem)
    assert contract == Contract("a", "c", vendor_keys["contract_w"])
    assert hash(contract) == hash(Contract("a", "c", vendor_keys["contract_w"]))
    assert contract != Contract("a", "c", vendor_keys["contract_r"])
    assert contract != Contract("a", "other", pem)


def test_the_thumbprint_is_the_sha256_of_the_public_half(openssl: OpenSSL, key: RSAPrivateKey, pem: str) -> None:
    public = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert Contract("a", "c", pem).key_thumbprint == openssl("dgst", "-sha256", "-r", stdin=public).decode().split()[0]


def test_a_contract_is_not_changed_pickled_or_printed_with_its_key(pem: str) -> None:
    contract = Contract("a", "c", pem)
    with pytest.raises(AttributeError):
        contract.contract_id = "other"  # type: ignore[misc] # wrong on purpose
    with pytest.raises(SecretError, match="from_env"):
        pickle.dumps(contract)
    assert copy.copy(contract) is contract
    assert copy.deepcopy(contract) is contract
    assert repr(contract) == "Contract(application_id='a', contract_id='c', redirect_uri=None)"


class TestEnvironment:
    @pytest.mark.parametrize(
        ("change", "said"),
        [
            ({"DIGIME_READ_PRIVATE_KEY": "s3cret"}, "DIGIME_READ_PRIVATE_KEY is neither PEM text nor a file"),
            ({"DIGIME_READ_PRIVATE_KEY": "", "DIGIME_READ_PRIVATE_KEY_FILE": "/nowhere/s3cret"}, "_KEY_FILE is"),
            ({"DIGIME_READ_REDIRECT_URI": "nowhere"}, "DIGIME_READ_REDIRECT_URI is 'nowhere'; pass the absolute"),
        ],
        ids=["key", "file", "address"],
    )
    def test_what_came_from_a_variable_is_named_by_it(self, pem: str, change: dict[str, str], said: str) -> None:
        environ = {
            "DIGIME_READ_APPLICATION_ID": "a",
            "DIGIME_READ_CONTRACT_ID": "c",
            "DIGIME_READ_PRIVATE_KEY": pem,
            **change,
        }
        with pytest.raises(ContractError, match=said) as raised:
            Contract.from_env("DIGIME_READ_", environ)
        assert "private_key" not in str(raised.value)
        assert "s3cret" not in str(raised.value)
        assert (raised.value.__cause__, raised.value.__context__) == (None, None)
        if "KEY" in said:
            assert "Set DIGIME_READ_PRIVATE_KEY to PEM text" in str(raised.value)

    def test_a_contract_is_read_from_variables(self, key: RSAPrivateKey, pem: str, tmp_path: Path) -> None:
        (tmp_path / "key.pem").write_text(pem)
        ids = {"DIGIME_APPLICATION_ID": "a", "DIGIME_CONTRACT_ID": "c", "DIGIME_REDIRECT_URI": "https://a.test/"}
        for source in (
            {"DIGIME_PRIVATE_KEY": pem},
            {"DIGIME_PRIVATE_KEY": pem.replace("\n", "\\n")},
            {"DIGIME_PRIVATE_KEY_FILE": str(tmp_path / "key.pem")},
        ):
            contract = Contract.from_env(environ=ids | source)
            assert is_same(contract, key)
            assert (contract.client_id, contract.redirect_uri) == ("a_c", "https://a.test/")

    def test_the_process_environment_is_the_default(self, pem: str, monkeypatch: pytest.MonkeyPatch) -> None:
        for name, value in (("APPLICATION_ID", "a"), ("CONTRACT_ID", "c"), ("PRIVATE_KEY", pem)):
            monkeypatch.setenv(f"DIGIME_{name}", value)
        assert Contract.from_env().client_id == "a_c"

    def test_the_read_contract_has_names_of_its_own_and_may_share_the_application(self, pem: str) -> None:
        environ = {"DIGIME_APPLICATION_ID": "a", "DIGIME_READ_CONTRACT_ID": "r", "DIGIME_READ_PRIVATE_KEY": pem}
        assert Contract.from_env("DIGIME_READ_", environ).client_id == "a_r"
        own = environ | {"DIGIME_READ_APPLICATION_ID": "b"}
        assert Contract.from_env("DIGIME_READ_", own).client_id == "b_r"

    def test_all_missing_variables_are_named_at_once(self) -> None:
        with pytest.raises(ContractError) as raised:
            Contract.from_env(environ={"DIGIME_CONTRACT_ID": " "})
        for name in ("DIGIME_APPLICATION_ID", "DIGIME_CONTRACT_ID", "DIGIME_PRIVATE_KEY", "DIGIME_PRIVATE_KEY_FILE"):
            assert name in str(raised.value)
        assert "connect('sandbox')" in str(raised.value)

    def test_two_keys_are_one_too_many(self, pem: str) -> None:
        environ = {
            "DIGIME_APPLICATION_ID": "a",
            "DIGIME_CONTRACT_ID": "c",
            "DIGIME_PRIVATE_KEY": pem,
            "DIGIME_PRIVATE_KEY_FILE": "key.pem",
        }
        with pytest.raises(ContractError, match="Both DIGIME_PRIVATE_KEY and DIGIME_PRIVATE_KEY_FILE"):
            Contract.from_env(environ=environ)
