"""Addresses of hosts: a name server that does not answer holds no call longer than its time.

The system's look-up takes no time-out and cannot be ended. So it runs in a thread of its own, which is waited for as
long as there is time, and left to itself then.
"""

from __future__ import annotations

import socket
import threading
from concurrent.futures import Future
from ipaddress import ip_address
from typing import TypeAlias

import httpcore

from digime_pandas._service.http.environment import Resolve

Addresses: TypeAlias = "Future[list[str]]"


class Lookups:
    """Looks names up, each of them in one thread at a time, however many calls wait for it.

    Args:
        resolve: As `socket.getaddrinfo`.
    """

    def __init__(self, resolve: Resolve = socket.getaddrinfo) -> None:
        self._resolve = resolve
        self._lock = threading.Lock()
        self._running: dict[str, Addresses] = {}

    def addresses(self, host: str, timeout: float | None) -> list[str]:
        """Return the addresses of a host, in the order in which they are to be tried.

        Args:
            host: A name or an address.
            timeout: Seconds to wait at most; None: as long as it takes.

        Raises:
            httpcore.ConnectTimeout: The name was not looked up in time. That goes on, and a later call waits for it.
            httpcore.ConnectError: There is no such host.
        """
        if _is_address(host):
            return [host]
        running = self._begun(host)
        try:
            found = running.result(timeout)
        except TimeoutError as error:
            raise httpcore.ConnectTimeout(f"the name {host} was not looked up in time") from error
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError(str(error)) from error
        if not found:
            raise httpcore.ConnectError(f"{host} has no address")
        return found

    def _begun(self, host: str) -> Addresses:
        """Return the look-up of a name that is under way; a new one where there is none."""
        with self._lock:
            if (running := self._running.get(host)) is not None:
                return running
            begun = self._running[host] = Future()
        try:
            threading.Thread(target=self._run, args=(host, begun), name="digime-lookup", daemon=True).start()
        except RuntimeError:  # no thread can be started, as at the end of an interpreter
            self._run(host, begun)
        return begun

    def _run(self, host: str, begun: Addresses) -> None:
        try:
            found = self._resolve(host, None, type=socket.SOCK_STREAM)
            addresses = list({str(each[4][0]): None for each in found})
        except BaseException as error:  # noqa: BLE001 - raised again by those who wait
            self._forget(host)
            begun.set_exception(error)
        else:
            self._forget(host)
            begun.set_result(addresses)

    def _forget(self, host: str) -> None:
        """Let the next call look the name up anew."""
        with self._lock:
            del self._running[host]


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
