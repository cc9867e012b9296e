from __future__ import annotations

import pytest

from digime_pandas.errors import ConfigurationError
from digime_pandas.sandbox._wire.redirect_uris import add_parameters, check_redirects, is_registered, origin_source

REGISTERED = ["digime-ca://callback", "https://app.example.test/back?x=1"]


@pytest.mark.parametrize(
    "address",
    ["http://127.0.0.1", "https://localhost:65535/a?b=c", "http://[::1]/", *REGISTERED],
)
def test_loopback_and_the_registered_address_are_accepted(address: str) -> None:
    assert is_registered(address, REGISTERED)


@pytest.mark.parametrize(
    "address",
    [
        "",
        "digime-ca://callback/more",
        "https://app.example.test/back",
        "https://app.example.test/back?x=1&y=2",
        "https://app.example.test/back?x=1#",
        "https://APP.example.test/back?x=1",
        "https://app.example.test:443/back?x=1",
        "http://app.example.test/back?x=1",
        "http://localhost.evil.example/",
        "http://localhost@evil.example/",
        "http://user@localhost/",
        "http://localhost:123456/",
        "http://127.0.0.2/",
        "http://localhost/#fragment",
        "http://localhost/a b",
        "http://localhost/\r\nX-Evil: 1",
        "http://localhost/\u2028",
        "http://localhost/\x7f",
        "ftp://localhost/",
        "javascript:alert(1)//http://localhost/",
    ],
    ids=repr,
)
def test_any_other_address_is_not(address: str) -> None:
    assert not is_registered(address, REGISTERED)
    assert not is_registered(address, [])


@pytest.mark.parametrize(
    "address",
    [
        *REGISTERED,
        "http://app.example.test",
        "https://app.example.test:8443/",
        "https://[2001:db8::1]:8443/a",
        "com.example.app:/back",
        "https://app.example.test/%C3%BC?a=b;c,d'e",
    ],
)
def test_an_absolute_address_can_be_registered(address: str) -> None:
    assert check_redirects(iter([address])) == {address}


@pytest.mark.parametrize(
    "redirects",
    [
        REGISTERED[1],
        REGISTERED[1].encode(),
        None,
        17,
        [None],
        [""],
        ["/callback"],
        ["app.example.test/callback"],
        ["https:///callback"],
        ["https://user@app.example.test/"],
        ["https://app.example.test;x/"],
        ["https://[::1/"],
        ["https://app.example.test/#fragment"],
        ["https://app.example.test/a b"],
        ["https://app.example.test/\r\nX-Evil: 1"],
        ["https://app.example.test/\N{LATIN SMALL LETTER U WITH DIAERESIS}"],
        [REGISTERED[0], 'https://app.example.test/"'],
    ],
    ids=repr,
)
def test_anything_else_is_refused_with_what_to_pass(redirects: object) -> None:
    with pytest.raises(ConfigurationError, match=r"redirects .*; pass"):
        check_redirects(redirects)  # type: ignore[arg-type] # what callers without types may pass


def test_parameters_follow_the_addresss_own_query_and_precede_nothing_else() -> None:
    assert add_parameters("http://localhost", {"a": "x y&=ü"}) == "http://localhost?a=x%20y%26%3D%C3%BC"
    assert add_parameters("http://localhost/p?q=%20+&r", {"a": "1", "b": ""}) == "http://localhost/p?q=%20+&r&a=1&b="
    assert add_parameters("digime-ca://callback", {"a": "1"}) == "digime-ca://callback?a=1"


def test_an_origin_is_scheme_and_host_or_the_scheme_of_an_application() -> None:
    assert origin_source("http://[::1]:80/a?b") == "http://[::1]:80"
    assert origin_source("digime-ca://callback") == "digime-ca:"
