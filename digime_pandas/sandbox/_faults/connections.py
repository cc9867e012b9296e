"""Connections, to which faults happen before a request is known."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

from digime_pandas.sandbox._faults.delivery import end_connection, reset_or_close
from digime_pandas.sandbox._faults.plan import FaultPlan


def connection_class(plan: FaultPlan) -> type[H11Protocol]:
    """Return a class of connections for uvicorn that faults of ``"connect"`` happen to.

    Args:
        plan: The faults. The transport of a connection is in the `state` of the scope of its requests, for the others.
    """

    class FaultyConnection(H11Protocol):
        _is_silent = False

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            self.app_state = {**self.app_state, "transport": transport}
            injected = plan.take(("connect",))
            if injected is None:
                return
            if injected.fault.hang is None:
                reset_or_close(injected, transport)
            else:
                self._is_silent = True
                task: asyncio.Task[None] = self.loop.create_task(end_connection(injected, transport))
                task.add_done_callback(self.tasks.discard)
                self.tasks.add(task)

        def data_received(self, data: bytes) -> None:
            if not self._is_silent:
                super().data_received(data)

    return FaultyConnection
