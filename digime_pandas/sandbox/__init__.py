"""An embedded digi.me: the same protocol over real HTTP on this computer, without an account.

::

    from digime_pandas.sandbox import Sandbox

    with Sandbox() as sandbox:
        client = digime_pandas.Client(sandbox.contract, base_url=sandbox.base_url, onboard_url=sandbox.onboard_url)
        flow = client.begin_authorization("patient-17")
        authorization = flow.complete(sandbox.approve(flow.url))
"""

from __future__ import annotations

from digime_pandas.errors import ConfigurationError

try:
    import jinja2  # noqa: F401 - imported here, so that one message covers every missing package
    import python_multipart  # noqa: F401
    import starlette  # noqa: F401
    import uvicorn  # noqa: F401
except ImportError as error:
    raise ConfigurationError(
        f"The sandbox needs a part that is not installed ({error.name}). Run: pip install 'digime-pandas[sandbox]'"
    ) from error

from digime_pandas.sandbox._sandbox import Sandbox
from digime_pandas.sandbox._shared import SandboxElsewhere, shared_sandbox
from digime_pandas.sandbox._store.library import SandboxFile

__all__ = ["Sandbox", "SandboxElsewhere", "SandboxFile", "shared_sandbox"]
