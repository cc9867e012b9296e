"""What connects on a route."""

from __future__ import annotations

import ssl
from collections.abc import Callable

from digime_pandas._service.http.backends.backend import Backend
from digime_pandas._service.http.backends.direct import DirectBackend
from digime_pandas._service.http.backends.lookups import Lookups
from digime_pandas._service.http.backends.socks import SocksBackend
from digime_pandas._service.http.backends.tunnel import TunnelBackend
from digime_pandas._service.http.environment import HTTP_PROXIES, Route


def backend_of(route: Route, context: ssl.SSLContext, clock: Callable[[], float]) -> Backend:
    """Return what connects on a route.

    Args:
        route: How requests get to the service.
        context: What TLS to a proxy trusts.
        clock: Monotonic clock, in seconds.

    Raises:
        ConfigurationError: The proxy needs a package that is not installed, or its credentials cannot be sent.
    """
    lookups, proxy = Lookups(route.resolve), route.proxy
    direct = DirectBackend(lookups, clock)
    if proxy is None:
        return direct
    if proxy.scheme in HTTP_PROXIES:
        return TunnelBackend(proxy, context, direct, clock)
    return SocksBackend(proxy, lookups, clock)
