"""What exists while a sandbox is served, and what a forked child does with it."""

from __future__ import annotations

import ctypes
import os
import sys
from contextlib import ExitStack
from dataclasses import dataclass

from digime_pandas._service.contract import Contract
from digime_pandas.sandbox._app import build_app
from digime_pandas.sandbox._context import SandboxContext
from digime_pandas.sandbox._faults.connections import connection_class
from digime_pandas.sandbox._faults.middleware import FaultMiddleware
from digime_pandas.sandbox._faults.plan import FaultPlan
from digime_pandas.sandbox._server import Server


@dataclass(frozen=True, slots=True)
class Running:
    """What exists from `start` to `close`.

    Attributes:
        context: What all endpoints share.
        contract: The contract that writes.
        read_contract: The contract that reads.
        server: The HTTP server.
        faults: The faults that are arranged.
        resources: Everything to close, the server included.
        process: Id of the process that started it.
    """

    context: SandboxContext
    contract: Contract
    read_contract: Contract
    server: Server
    faults: FaultPlan
    resources: ExitStack
    process: int


# A dict by id, since each change of one is atomic: a fork never finds it half changed.
all_running: dict[int, Running] = {}


def serve(context: SandboxContext, contracts: tuple[Contract, Contract], port: int, resources: ExitStack) -> Running:
    """Start serving.

    Args:
        context: What all endpoints share.
        contracts: The write and the read contract.
        port: TCP port; 0: any free one.
        resources: What was opened before; it is closed with the server.
    """
    plan = FaultPlan()
    app = FaultMiddleware(build_app(context), plan, context)
    server = resources.enter_context(Server(app, port, connection_class(plan)))
    resources.callback(plan.heal)  # what hangs would hold up the end
    running = Running(context, *contracts, server, plan, resources.pop_all(), os.getpid())
    all_running[id(running)] = running
    return running


def _release_all() -> None:
    """Release, in a forked child, what belongs to the parent."""
    for running in all_running.values():
        running.server.release_sockets()
        if sys.implementation.name == "cpython":
            # Never freed, because freeing it would act on the parent's database and its lock on `data_dir`.
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(running))
    all_running.clear()


if hasattr(os, "register_at_fork"):  # Windows has no fork
    os.register_at_fork(after_in_child=_release_all)
