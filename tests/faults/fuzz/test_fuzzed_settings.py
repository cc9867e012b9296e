"""Whatever addresses, variables and stored files hold: a value comes of it, or a DigimeError."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digime_pandas._service.authorization import Authorization, Token, UserAccessToken
from digime_pandas._service.contract import Contract
from digime_pandas._service.http.environment import route_to
from digime_pandas._service.http.service_url import check_base_url
from digime_pandas._service.http.transport import Http
from digime_pandas._service.masking.secret import Secret
from digime_pandas._service.oauth.redirect import parse_redirect
from digime_pandas._service.oauth.token_store import FileTokenStore
from digime_pandas.errors import DigimeError
from tests.faults.fuzz.inputs import TEXTS, few, many

pytestmark = pytest.mark.slow

ENCODABLE = TEXTS.filter(lambda text: "\x00" not in text).map(lambda text: text.encode("utf-8", "ignore").decode())
NAMES = ["APPLICATION_ID", "CONTRACT_ID", "PRIVATE_KEY", "PRIVATE_KEY_FILE", "REDIRECT_URI"]
URLS = st.one_of(
    TEXTS,
    st.builds(
        "{}://{}{}{}".format,
        st.sampled_from(["http", "https", "socks5", "ftp", ""]),
        st.sampled_from(["127.0.0.1", "[::1", "[::1]", "u:p@h", "h:99999", "h:x", "\u00fc.de", "a..b", "xn--\u00fc"]),
        st.sampled_from(["", "/", "/a b", "?x=1", "#f"]),
        TEXTS,
    ),
)
PARAMETERS = st.dictionaries(
    st.sampled_from(["success", "code", "state", "postboxId", "publicKey", "errorCode", "error_message"]) | TEXTS,
    TEXTS | st.sampled_from(["true", "false", "state", "USER_CANCEL"]),
    max_size=6,
)
CONTENTS = st.binary(max_size=200) | TEXTS.map(lambda text: text.encode("utf-8", "surrogatepass"))
AUTHORIZATION = Authorization("p", "write", UserAccessToken(Token("a", 1), Token("r", 2)))


@many
@given(parameters=PARAMETERS, base=URLS)
def test_an_address_is_taken_apart_or_is_an_error_of_ours(parameters: dict[str, str], base: str) -> None:
    query = "&".join(
        f"{quote(name, errors='replace')}={quote(value, errors='replace')}" for name, value in parameters.items()
    )
    for address in (f"https://app.test/cb?{query}", f"{base}?{query}", base):
        try:
            repr(parse_redirect(Secret(address), state=Secret("state")))
        except DigimeError as error:
            str(error).encode()


@many
@given(values=st.dictionaries(st.sampled_from(NAMES), TEXTS, max_size=5))
def test_variables_make_a_contract_or_an_error_of_ours(values: dict[str, str]) -> None:
    with pytest.raises(DigimeError):
        Contract.from_env(environ={f"DIGIME_{name}": value for name, value in values.items()})


@many
@given(url=URLS)
def test_a_base_address_is_one_or_is_an_error_of_ours(url: str) -> None:
    try:
        check_base_url("base_url", url)
    except DigimeError as error:
        str(error).encode()


@few
@given(
    values=st.dictionaries(
        st.sampled_from(["HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR"]),
        URLS.filter(lambda text: "\x00" not in text).map(lambda text: text.encode("utf-8", "ignore").decode()),
        max_size=3,
    )
)
def test_proxies_and_certificates_are_used_or_are_an_error_of_ours(values: dict[str, str]) -> None:
    with pytest.MonkeyPatch.context() as patched:
        for name, value in values.items():
            patched.setenv(name, value)
        try:
            Http(route=route_to("https://api.test/v1.7/")).close()
        except DigimeError as error:
            str(error).encode()


@many
@given(
    content=st.binary(max_size=200) | TEXTS.map(lambda text: text.encode("utf-8", "surrogatepass")), cut=st.floats(0, 1)
)
def test_a_stored_file_is_an_authorization_or_an_error_of_ours(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, cut: float
) -> None:
    folder = tmp_path_factory.mktemp("store") / "tokens"
    store = FileTokenStore(folder)
    store.put("https://api.test/", "c", AUTHORIZATION)
    (stored,) = [each for each in Path(folder).rglob("*") if each.is_file() and each.stat().st_size]
    whole = stored.read_bytes()
    for damaged in (content, whole[: int(cut * len(whole))], whole.replace(b'"p"', content)):
        stored.write_bytes(damaged)
        for read in (lambda: store.get("https://api.test/", "c", "p"), store.list):
            try:
                repr(read())
            except DigimeError as error:
                str(error).encode()
