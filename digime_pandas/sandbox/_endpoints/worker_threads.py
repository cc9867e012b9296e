"""Where endpoints do what would hold up other requests: files and ciphers."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar

from starlette.concurrency import run_in_threadpool

P = ParamSpec("P")
T = TypeVar("T")


async def in_worker_thread(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call a function in a worker thread.

    Not with `asyncio.to_thread`: its threads end before the sandbox does when the interpreter exits, and a script's
    last request may still be answered then.

    Args:
        function: What to call. Here in the event loop's own thread where no thread can be started, as from Python 3.12
            on once the main thread has ended.
        args: Its arguments.
        kwargs: Its keyword arguments.

    Returns:
        What it returns.
    """
    is_begun = False

    def call() -> T:
        nonlocal is_begun
        is_begun = True
        return function(*args, **kwargs)

    try:
        return await run_in_threadpool(call)
    except RuntimeError:
        if is_begun:
            raise
        return call()
