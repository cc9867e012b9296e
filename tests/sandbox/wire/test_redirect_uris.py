from __future__ import annotations

import pytest

from digime_pandas.sandbox._wire.redirect_uris import add_parameters, is_registered, origin_source


@pytest.mark.parametrize(
    "address",
    ["http://127.0.0.1", "https://localhost:65535/a?b=c", "http://[::1]/", "digime-ca://callback"],
)
def test_loopback_and_the_registered_address_are_accepted(address: str) -> None:
    assert is_registered(address, "digime-ca://callback")


@pytest.mark.parametrize(
    "address",
    [
        "",
        "digime-ca://callback/more",
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
    assert not is_registered(address, "digime-ca://callback")
    assert not is_registered(address, None)


def test_parameters_follow_the_addresss_own_query_and_precede_nothing_else() -> None:
    assert add_parameters("http://localhost", {"a": "x y&=ü"}) == "http://localhost?a=x%20y%26%3D%C3%BC"
    assert add_parameters("http://localhost/p?q=%20+&r", {"a": "1", "b": ""}) == "http://localhost/p?q=%20+&r&a=1&b="
    assert add_parameters("digime-ca://callback", {"a": "1"}) == "digime-ca://callback?a=1"


def test_an_origin_is_scheme_and_host_or_the_scheme_of_an_application() -> None:
    assert origin_source("http://[::1]:80/a?b") == "http://[::1]:80"
    assert origin_source("digime-ca://callback") == "digime-ca:"
