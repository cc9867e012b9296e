"""No cookie that an answer sets goes out with another request."""

from __future__ import annotations

import pytest

from digime_pandas._service.http.request import Request
from digime_pandas._service.http.transport import Http
from digime_pandas.errors import RefusedError

from .forked import Echo, served


def test_no_cookie_is_kept_not_even_one_of_a_redirect() -> None:
    app = Echo()
    with served(app) as url:
        http = Http(max_attempts=1)
        for path in ("/ana", "/ben", "/ana"):
            http.send(lambda path=path: Request("GET", url + path, {}), what="ask")  # type: ignore[misc] # mypy cannot infer lambdas with defaults
        with pytest.raises(RefusedError):
            http.send(lambda: Request("GET", f"{url}/moved", {}), what="ask")
        http.send(lambda: Request("GET", f"{url}/ana", {}), what="ask")
        http.close()
    assert sum(app.peers.values()) == 5
    assert app.cookies == []
