from __future__ import annotations

import os
import ssl
import traceback
from collections.abc import Callable
from pathlib import Path

import certifi
import pytest

from digime_pandas._service.http.environment import Proxy, Route, is_loopback_url, route_to, tls_context
from digime_pandas._service.http.transport import Http
from digime_pandas.errors import ConfigurationError

SERVICE = "https://api.digi.me/v1.7/"
PASSWORD = "hunter2"
TLS_VARIABLES = ["SSL_CERT_FILE", "SSL_CERT_DIR", "SSLKEYLOGFILE"]


@pytest.fixture(autouse=True)
def only_these(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.lower().endswith("_proxy") or name in TLS_VARIABLES:
            monkeypatch.delenv(name)
    monkeypatch.delenv("REQUEST_METHOD", raising=False)


def proxy_to(url: str = SERVICE) -> Proxy:
    proxy = route_to(url).proxy
    assert proxy is not None
    Http(route=Route(proxy, secure=False)).close()
    return proxy


class TestProxies:
    @pytest.mark.parametrize(
        ("value", "expected"),
        [
            ("localhost:3128", "http://localhost:3128"),
            ("http://proxy.test:3128/", "http://proxy.test:3128"),
            ("HTTP://Proxy.Test", "http://proxy.test:80"),
            ("  https://proxy.test \n", "https://proxy.test:443"),
            ("http://[::1]:3128", "http://[::1]:3128"),
            ("http://[fe80::1%25eth0]:3128", "http://[fe80::1%eth0]:3128"),
            ("http://ünï.test:1", "http://ünï.test:1"),
            ("socks5://127.0.0.1:9", "socks5://127.0.0.1:9"),
            ("socks5h://proxy.test", "socks5h://proxy.test:1080"),
            ("socks4://proxy.test:1", "socks4://proxy.test:1"),
            ("socks4a://proxy.test:1", "socks4a://proxy.test:1"),
        ],
    )
    def test_an_address_of_a_proxy_is_one(self, monkeypatch: pytest.MonkeyPatch, value: str, expected: str) -> None:
        monkeypatch.setenv("HTTPS_PROXY", value)
        proxy = proxy_to()
        assert f"{proxy.scheme}://{proxy.netloc}" == expected
        assert proxy.credentials is None
        assert proxy.variable == "HTTPS_PROXY"

    @pytest.mark.parametrize(
        ("user_information", "expected"),
        [
            ("user:p@ss", ("user", "p@ss")),
            ("us%40er:p%2Fa%23ss%20", ("us@er", "p/a#ss ")),
            ("user", ("user", "")),
            ("user:", ("user", "")),
            (":pass", ("", "pass")),
            ("user:a:b", ("user", "a:b")),
            ("üser:pässword", ("üser", "pässword")),
        ],
    )
    @pytest.mark.parametrize("scheme", ["", "http://", "socks5://"])
    def test_user_name_and_password_are_decoded_and_do_not_show(
        self, monkeypatch: pytest.MonkeyPatch, scheme: str, user_information: str, expected: tuple[str, str]
    ) -> None:
        monkeypatch.setenv("all_proxy", f"{scheme}{user_information}@proxy.test:1")
        proxy = route_to(SERVICE).proxy
        assert proxy is not None
        assert proxy.credentials is not None
        assert proxy.credentials.reveal() == expected
        assert proxy.host == "proxy.test"
        assert "ss" not in repr(proxy)

    @pytest.mark.parametrize(
        "value",
        [
            "http://",
            "http://:3128",
            f"http://user:{PASSWORD}@",
            f"http://user:{PASSWORD}@[::1",
            f"http://user:{PASSWORD}@host:99999",
            f"http://user:{PASSWORD}@host:0",
            f"http://user:{PASSWORD}@host:x",
            f"http://user:{PASSWORD}@ho st:1",
            f"http://user:{PASSWORD}@ho%2Fst:1",
            f"http://user:{PASSWORD}@a..b:1",
            f"http://user:{PASSWORD}@{'a' * 64}:1",
            f"http://user:{PASSWORD}@999.9.9.9:1",
            f"socks5://user:{PASSWORD}@a..b:1",
            f"http://user:{PASSWORD}/x@host:1",
            f"http://user:{PASSWORD}#x@host:1",
            f"http://user:1?{PASSWORD}@host:1",
            f"http://user:1/{PASSWORD}@host:1",
            f"http://user:{PASSWORD}@host:1/proxy.pac",
            f"http:/user:{PASSWORD}@host:1",
            f"ftp://user:{PASSWORD}@host:1",
            f"socks://user:{PASSWORD}@host:1",
            f"user:{PASSWORD}://host:1",
            f"'http://user:{PASSWORD}@host:1'",
            "direct://",
            "://",
        ],
    )
    @pytest.mark.parametrize("variable", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "All_Proxy"])
    def test_what_is_none_is_named_by_its_variable_and_never_shown(
        self, monkeypatch: pytest.MonkeyPatch, variable: str, value: str
    ) -> None:
        monkeypatch.setenv(variable, value)
        with pytest.raises(ConfigurationError, match=f"^{variable} ") as caught:
            proxy_to()
        # Not through the environment: what a traceback shows of it is in this test's own frame.
        shown = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
        frames = [frame for frame in shown.stack if "digime_pandas" in frame.filename]
        assert frames
        assert PASSWORD not in str(caught.value) + str([frame.locals for frame in frames])
        assert caught.value.__cause__ is caught.value.__context__ is None

    @pytest.mark.parametrize(
        ("variables", "expected"),
        [
            ({}, None),
            ({"HTTPS_PROXY": ""}, None),
            ({"HTTP_PROXY": "nonsense://", "FTP_PROXY": "nonsense://"}, None),
            ({"ALL_PROXY": "all:1"}, "ALL_PROXY"),
            ({"ALL_PROXY": "socks://all:1", "HTTPS_PROXY": "https:1"}, "HTTPS_PROXY"),
            ({"HTTPS_PROXY": "upper:1", "https_proxy": "lower:1"}, "https_proxy"),
            ({"HTTPS_PROXY": "same:1", "https_proxy": "same:1"}, "https_proxy"),
            ({"HTTPS_PROXY": "upper:1", "https_proxy": ""}, None),
        ],
    )
    def test_which_variable_counts(
        self, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], expected: str | None
    ) -> None:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        proxy = route_to(SERVICE).proxy
        assert (None if proxy is None else proxy.variable) == expected

    @pytest.mark.parametrize(
        "url", ["http://127.0.0.1:1/", "https://127.9.9.9/", "http://[::1]:1/", "http://localhost:1/"]
    )
    def test_this_computer_is_behind_no_proxy(self, monkeypatch: pytest.MonkeyPatch, url: str) -> None:
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, "nonsense://")
        assert route_to(url) == Route(None, secure=url.startswith("https"))


class TestExceptions:
    @pytest.mark.parametrize(
        ("entries", "host"),
        [
            ("*", "api.digi.me"),
            ("other, *", "api.digi.me"),
            ("api.digi.me", "api.digi.me"),
            ("API.Digi.Me", "api.digi.me"),
            ("digi.me", "api.digi.me"),
            (".digi.me", "api.digi.me"),
            ("*.digi.me", "api.digi.me"),
            ("api.*", "api.digi.me"),
            ("api.digi.me.", "api.digi.me"),
            ("api.digi.me", "api.digi.me."),
            (" , ,,\tother api.digi.me ,", "api.digi.me"),
            ("other;api.digi.me", "api.digi.me"),
            ("api.digi.me:443", "api.digi.me"),
            ("api.digi.me:8443", "api.digi.me:8443"),
            ("https://api.digi.me/", "api.digi.me"),
            ("10.1.2.3", "10.1.2.3"),
            ("10.1.2.3:443", "10.1.2.3"),
            ("10.0.0.0/8", "10.1.2.3:8443"),
            ("10.9.9.9/8", "10.1.2.3"),
            ("10.0.0.0/255.0.0.0", "10.1.2.3"),
            ("192.168.*", "192.168.7.7"),
            ("2001:db8::1", "[2001:db8::1]"),
            ("2001:DB8:0::1", "[2001:db8::1]:8443"),
            ("[2001:db8::1]", "[2001:db8::1]"),
            ("[2001:db8::1]:443", "[2001:db8::1]"),
            ("2001:db8::/32", "[2001:db8::1]"),
            ("[2001:db8::]/32", "[2001:db8::1]"),
            ("fe80::1%eth0", "[fe80::1%25eth0]"),
        ],
    )
    @pytest.mark.parametrize("variable", ["NO_PROXY", "no_proxy"])
    def test_what_no_proxy_names_is_reached_directly(
        self, monkeypatch: pytest.MonkeyPatch, variable: str, entries: str, host: str
    ) -> None:
        monkeypatch.setenv("HTTPS_PROXY", "proxy.test:1")
        assert route_to(f"https://{host}/").proxy is not None
        monkeypatch.setenv(variable, entries)
        assert route_to(f"https://{host}/").proxy is None

    @pytest.mark.parametrize(
        ("entries", "host"),
        [
            ("", "api.digi.me"),
            ("gi.me", "api.digi.me"),
            ("api.digi.me.test", "api.digi.me"),
            ("api.digi.me:444", "api.digi.me"),
            ("[2001:db8::1]:444", "[2001:db8::1]"),
            ("10.0.0.0/8", "11.1.1.1"),
            ("10.0.0.0/8", "api.digi.me"),
            ("::/0", "10.1.2.3"),
            ("127.0.0.1,::1,[::1],fe80::1%eth0,[fe80::1%25eth0]:1,fe11::/16,localhost", "api.digi.me"),
            ("[,],[[::1]],::::,/8,a/b,%,:,:443,://,https://,.,..,10.0.0.0/99,[]", "api.digi.me"),
        ],
    )
    def test_nothing_else_is_and_no_entry_is_an_error(
        self, monkeypatch: pytest.MonkeyPatch, entries: str, host: str
    ) -> None:
        monkeypatch.setenv("HTTPS_PROXY", "proxy.test:1")
        monkeypatch.setenv("NO_PROXY", entries)
        assert route_to(f"https://{host}/").proxy is not None

    def test_a_proxy_that_is_not_used_may_be_anything(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("ALL_PROXY", "nonsense://")
        monkeypatch.setenv("NO_PROXY", "digi.me")
        assert route_to(SERVICE) == Route()


def default() -> ssl.SSLContext:
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def authorities(context: ssl.SSLContext) -> int:
    return context.cert_store_stats()["x509_ca"]


def one_certificate() -> str:
    text = Path(certifi.where()).read_text(encoding="utf-8")
    begin = text.index("-----BEGIN")
    end = "-----END CERTIFICATE-----\n"
    return text[begin : text.index(end) + len(end)]


def _missing(folder: Path) -> Path:
    return folder / "gone" / "cacert.pem"


def _empty(folder: Path) -> Path:
    (folder / "empty").touch()
    return folder / "empty"


def _no_certificate(folder: Path) -> Path:
    (folder / "text").write_text("no certificate\n")
    return folder / "text"


def _damaged(folder: Path) -> Path:
    (folder / "damaged").write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    return folder / "damaged"


def _binary(folder: Path) -> Path:
    (folder / "binary").write_bytes(ssl.PEM_cert_to_DER_cert(one_certificate()))
    return folder / "binary"


def _folder(folder: Path) -> Path:
    return folder


class TestCertificates:
    def test_without_a_variable_it_is_the_default(self) -> None:
        expected = default()
        assert tls_context(lambda: expected) is expected

    def test_a_file_of_certificates_is_trusted(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        (tmp_path / "own.pem").write_text(one_certificate())
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "own.pem"))
        monkeypatch.setenv("SSL_CERT_DIR", "/nonexistent")
        context = tls_context(default)
        assert authorities(context) == 1
        assert context.verify_mode is ssl.CERT_REQUIRED
        assert context.check_hostname

    @pytest.mark.parametrize("make", [_missing, _empty, _no_certificate, _damaged, _binary, _folder])
    def test_a_file_that_is_none_is_named_with_its_variable(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, make: Callable[[Path], Path]
    ) -> None:
        path = str(make(tmp_path))
        monkeypatch.setenv("SSL_CERT_FILE", path)
        with pytest.raises(ConfigurationError, match=r"^SSL_CERT_FILE is .*unset it") as caught:
            Http()
        assert repr(path) in str(caught.value)

    def test_folders_of_certificates_are_trusted(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        (tmp_path / "0a1b2c3d.0").write_text(one_certificate())
        monkeypatch.setenv("SSL_CERT_DIR", os.pathsep.join(["/nonexistent", str(tmp_path)]))
        assert tls_context(default).verify_mode is ssl.CERT_REQUIRED

    @pytest.mark.parametrize("make", [_missing, _no_certificate, _folder])
    def test_folders_without_any_are_named_with_their_variable(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, make: Callable[[Path], Path]
    ) -> None:
        (tmp_path / "own.pem").write_text(one_certificate())
        monkeypatch.setenv("SSL_CERT_DIR", str(make(tmp_path)))
        with pytest.raises(ConfigurationError, match=r"^SSL_CERT_DIR is .*openssl rehash"):
            Http()

    @pytest.mark.parametrize("make", [_missing, _folder])
    def test_a_key_log_that_cannot_be_written_is_named_with_its_variable(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, make: Callable[[Path], Path]
    ) -> None:
        monkeypatch.setenv("SSLKEYLOGFILE", str(make(tmp_path)))
        with pytest.raises(ConfigurationError, match=r"^SSLKEYLOGFILE is .*unset it"):
            Http()

    def test_a_key_log_that_can_be_written_is(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / "keys"))
        Http().close()
        assert (tmp_path / "keys").exists()

    def test_without_tls_no_variable_is_looked_at(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        for name in TLS_VARIABLES:
            monkeypatch.setenv(name, str(tmp_path / "nonexistent" / "file"))
        route = route_to("http://127.0.0.1:1/")
        Http(route=route).close()
        with pytest.raises(ConfigurationError, match="SSLKEYLOGFILE"):
            Http()


def test_loopback_is_told_by_the_host_alone() -> None:
    assert all(map(is_loopback_url, ["http://127.9.9.9/", "https://[::1]:5/", "http://localhost/"]))
    assert not any(
        map(is_loopback_url, ["http://128.0.0.1/", "https://localhost.test/", "http://127.0.0.1@evil.test/"])
    )
