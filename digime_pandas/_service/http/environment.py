"""What variables of the environment say of the way to a service: its proxy, and which certificates are trusted.

A client speaks to one address only. So this is decided once, when it is made: a variable that cannot be used is an
error then, not in the middle of a write, and one that does not concern the address is not looked at.
"""

from __future__ import annotations

import os
import re
import socket
import ssl
import sys
from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, getproxies_environment, proxy_bypass

from digime_pandas._service.masking.secret import MaskedMapping, Secret
from digime_pandas.errors import ConfigurationError

Resolve: TypeAlias = Callable[..., list[tuple[Any, ...]]]

HTTP_PROXIES = frozenset({"http", "https"})
SOCKS_PROXIES = frozenset({"socks4", "socks4a", "socks5", "socks5h"})
_DEFAULT_PORTS = {"http": 80, "https": 443}
_SOCKS_PORT = 1080
_NO_HOST_CHARACTER = re.compile(r"[^\w.:%-]")
_BRACKETED = re.compile(r"\[(?P<address>[^]]*)\](?P<length>/\d+)?(:(?P<port>\d+))?")
# The names under which OpenSSL looks for an authority in a folder.
_HASHED_NAME = re.compile(r"[0-9a-f]{8}\.\d+")
_UNSET = "or unset it: then the authorities that the package certifi names are trusted."


@dataclass(frozen=True, slots=True)
class Proxy:
    """The proxy that a variable of the environment names.

    Attributes:
        variable: The variable, as it is spelt in the environment; else the words for the system's own settings.
        scheme: One of `HTTP_PROXIES` and `SOCKS_PROXIES`.
        host: Its name or address; an IPv6 address has no brackets.
        port: Its port.
        credentials: User name and password, or None. Masked.
    """

    variable: str
    scheme: str
    host: str
    port: int
    credentials: Secret[tuple[str, str]] | None

    @property
    def netloc(self) -> str:
        """Host and port, as an address has them."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Route:
    """How requests get to a service.

    Attributes:
        proxy: The proxy between, or None.
        secure: Whether TLS protects them, so that certificates are needed.
        context: What TLS trusts; None for what the environment says.
        resolve: Looks names up, as `socket.getaddrinfo`.
    """

    proxy: Proxy | None = None
    secure: bool = True
    context: ssl.SSLContext | None = None
    resolve: Resolve = socket.getaddrinfo


def route_to(url: str, ca: object = None) -> Route:
    """Return the way to a service, as the environment has it. What is on this computer is never behind a proxy.

    Args:
        url: The service's base address.
        ca: What to trust instead of what the environment says: the path of a file or folder with certificates of
            authorities, or an `ssl.SSLContext`.

    Raises:
        ConfigurationError: `ca`, or the variable that names the proxy, cannot be used. The message has the variable's
            name and no value.
    """
    context = None if ca is None else _context_of(ca)
    return Route(None if is_loopback_url(url) else _proxy_for(url), url.startswith("https:"), context)


def is_loopback_url(url: str) -> bool:
    """Tell whether a URL leads to this machine itself."""
    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def is_host(text: str) -> bool:
    """Tell whether a text can be the host of an address: a name, or an address without brackets."""
    try:
        text.encode("idna")  # as connecting does
    except UnicodeError:
        return False
    return bool(text) and not _NO_HOST_CHARACTER.search(text)


def tls_context(default: Callable[[], ssl.SSLContext]) -> ssl.SSLContext:
    """Return a TLS context that trusts the authorities which ``SSL_CERT_FILE`` or else ``SSL_CERT_DIR`` names.

    Args:
        default: Makes the context where neither is set.

    Raises:
        ConfigurationError: One of these variables, or ``SSLKEYLOGFILE``, names what cannot be used.
    """
    _check_key_log()
    if path := os.environ.get("SSL_CERT_FILE"):
        return _context_of_file("SSL_CERT_FILE", path, _UNSET)
    if path := os.environ.get("SSL_CERT_DIR"):
        return _context_of_folders("SSL_CERT_DIR", path, _UNSET)
    return default()


def _proxy_for(url: str) -> Proxy | None:
    service = urlsplit(url)
    settings = MaskedMapping(getproxies())
    name = next((name for name in (service.scheme, "all") if settings.get(name)), None)
    host = (service.hostname or "").rstrip(".")
    if name is None or _is_excepted(host, service.port or _DEFAULT_PORTS[service.scheme]):
        return None
    value = Secret(settings[name])
    variable = _spelling(f"{name}_proxy", value)
    proxy = _parsed(value, variable)
    if isinstance(proxy, str):
        raise ConfigurationError(
            f"{variable} {proxy}. Set it to an address such as 'http://proxy.example:3128' or "
            "'socks5://user:password@proxy.example:1080', with special characters of user name and password "
            f"percent-encoded (@ is %40, / is %2F, # is %23); or name {host} in NO_PROXY to connect without a proxy."
        )
    return proxy


def _spelling(name: str, value: Secret[str]) -> str:
    """Return a variable's name as it is spelt in the environment; a name in lower case counts before any other."""
    spelt = [each for each in os.environ if each.lower() == name and os.environ[each] == value.reveal()]
    return min(spelt, key=lambda each: each != name, default="The proxy in the system's settings")


def _parsed(value: Secret[str], variable: str) -> Proxy | str:
    """Return the proxy that a value stands for, or what is wrong with it in words that do not quote it."""
    text = value.reveal().strip()
    try:
        parts = urlsplit(text if "://" in text else f"http://{text}")
        port = parts.port
    except ValueError:
        return "does not name a host and a port (1 to 65535)"
    if parts.scheme not in HTTP_PROXIES | SOCKS_PROXIES:
        kinds = ", ".join(sorted(HTTP_PROXIES | SOCKS_PROXIES))
        return f"is for a kind of proxy that is not supported; an address begins with one of {kinds}"
    host = unquote(parts.hostname or "")  # an address may have a zone, behind "%25"
    if not is_host(host) or port == 0:
        return "does not name a host and a port (1 to 65535)"
    # What follows the first "/", "?" or "#" of a password that is not percent-encoded would end here, too.
    if parts.path not in {"", "/"} or parts.query or parts.fragment:
        return "has something after host and port"
    port = port or _DEFAULT_PORTS.get(parts.scheme, _SOCKS_PORT)
    credentials = unquote(parts.username or ""), unquote(parts.password or "")
    return Proxy(variable, parts.scheme, host, port, Secret(credentials) if any(credentials) else None)


def _is_excepted(host: str, port: int) -> bool:
    """Tell whether the environment's ``NO_PROXY`` or the system's settings except a host from its proxies."""
    entries = re.split(r"[\s,;]+", getproxies_environment().get("no", "").lower())
    return bool(proxy_bypass(host)) or any(_names(entry, host, port) for entry in entries if entry)


def _names(entry: str, host: str, port: int) -> bool:
    """Tell whether an entry of ``NO_PROXY`` names a host: as address, network, name, end of a name, or pattern."""
    entry = entry.rpartition("://")[2].rstrip("/")
    bracketed = _BRACKETED.fullmatch(entry)
    name, only = (bracketed["address"] + (bracketed["length"] or ""), bracketed["port"]) if bracketed else (entry, None)
    network = _network(name)
    if network is None:
        name, _, only = name.partition(":")
    if only and only != str(port):
        return False
    if network is not None:
        return _is_in(host, network)
    name = name.strip(".")
    return fnmatchcase(host, name) if "*" in name else bool(name) and f".{host}".endswith(f".{name}")


def _network(text: str) -> IPv4Network | IPv6Network | None:
    address, slash, length = text.partition("/")
    try:
        return ip_network(address.partition("%")[0] + slash + length, strict=False)
    except ValueError:
        return None


def _is_in(host: str, network: IPv4Network | IPv6Network) -> bool:
    try:
        return ip_address(host.partition("%")[0]) in network
    except ValueError:
        return False


def _check_key_log() -> None:
    path = os.environ.get("SSLKEYLOGFILE")
    if not path or sys.flags.ignore_environment or not hasattr(ssl.SSLContext, "keylog_filename"):
        return
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).keylog_filename = path
    except OSError as error:
        raise ConfigurationError(
            f"SSLKEYLOGFILE is {path!r}, which cannot be written ({error.strerror or type(error).__name__}). Name a "
            "file that can be written, in a folder that exists, or unset it."
        ) from error


def _context_of(ca: object) -> ssl.SSLContext:
    """Return the TLS context that an argument `ca` stands for."""
    if isinstance(ca, ssl.SSLContext):
        if ca.protocol == ssl.PROTOCOL_TLS_SERVER:
            raise ConfigurationError(
                "ca is an ssl.SSLContext of a server; pass one that ssl.create_default_context() made."
            )
        return ca
    if not isinstance(ca, str | os.PathLike) or isinstance(path := os.fspath(ca), bytes):
        raise ConfigurationError(
            f"ca is a {type(ca).__name__}; pass the path of a file or folder with certificates of authorities, or an "
            "ssl.SSLContext."
        )
    make = _context_of_folders if Path(path).is_dir() else _context_of_file
    return make("ca", path, "or leave it out: then the authorities of the environment are trusted.")


def _context_of_file(name: str, path: str, otherwise: str) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=path)
    except OSError as error:
        is_content = isinstance(error, ssl.SSLError)
        reason = "it holds no certificate that can be used" if is_content else error.strerror
        raise ConfigurationError(
            f"{name} is {path!r}, which cannot be used ({reason}). Set it to a file with certificates of authorities "
            f"in PEM form, {otherwise}"
        ) from error


def _context_of_folders(name: str, paths: str, otherwise: str) -> ssl.SSLContext:
    # OpenSSL does not tell: it would look there at each connection, and trust nothing.
    if not any(_HASHED_NAME.fullmatch(file.name) for path in paths.split(os.pathsep) if path for file in _files(path)):
        raise ConfigurationError(
            f"{name} is {paths!r}, where no certificate is found. Set it to a folder with certificates of authorities "
            f"under the names that 'openssl rehash' gives them, {otherwise}"
        )
    return ssl.create_default_context(capath=paths)


def _files(path: str) -> list[Path]:
    try:
        return list(Path(path).iterdir())
    except OSError:
        return []
