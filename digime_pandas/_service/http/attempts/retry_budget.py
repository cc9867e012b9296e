"""How many further attempts the calls of one client may make together.

The numbers are those of the standard retry mode of the AWS SDKs (botocore, `StandardRetryConditions`): while the
service fails for all, calls fail at once instead of burdening it with several times the requests.
"""

from __future__ import annotations

import threading

FULL = 500
_RETRY, _RETRY_AFTER_TIMEOUT, _SUCCESS = 5, 10, 1


class RetryBudget:
    """Tokens that further attempts take and successes give back. Threads may share one.

    Attributes:
        tokens: How many there are.
    """

    def __init__(self) -> None:
        self.tokens = FULL
        self._lock = threading.Lock()

    def take(self, *, timed_out: bool) -> int:
        """Take what a further attempt costs; return that, or 0 where there is less.

        Args:
            timed_out: Whether the attempt before it ended in a time-out, which costs the service more.
        """
        cost = _RETRY_AFTER_TIMEOUT if timed_out else _RETRY
        with self._lock:
            if self.tokens < cost:
                return 0
            self.tokens -= cost
            return cost

    def give_back(self, taken: int = 0) -> None:
        """Note a success; `taken` is what the attempt took that succeeded, if it was a further one."""
        with self._lock:
            self.tokens = min(FULL, self.tokens + (taken or _SUCCESS))
