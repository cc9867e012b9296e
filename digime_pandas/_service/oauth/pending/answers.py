"""Answers of the token endpoint: what is used up for one is not sent before the answer can be verified and kept."""

from __future__ import annotations

from collections.abc import Callable

from digime_pandas._service.endpoints import Endpoints
from digime_pandas._service.masking.secret import Secret
from digime_pandas._service.messages import TokenReply
from digime_pandas._service.oauth.pending.lifecycle import PendingAuthorizations
from digime_pandas.errors import APIError

_KEPT = (
    "The service's answer is kept, and is verified again at the next try. Where that does not help, authorize again."
)


def verified_answer(
    api: Endpoints, pending: PendingAuthorizations, spent: Secret[str], ask: Callable[[], TokenReply]
) -> TokenReply:
    """Return the service's answer to a code or a refresh token.

    The keys that verify it are fetched before. An answer that cannot be verified even so is kept, and verified by the
    next call, in whatever process, instead of asking anew.

    Args:
        api: The contract's endpoints, which hand such answers to `pending`.
        pending: Where they are kept.
        spent: The code or the refresh token.
        ask: Sends it.

    Raises:
        APIError: There is no answer, or it cannot be verified.
    """
    kept = pending.kept_answer(spent)
    try:
        if kept is not None and kept.answer is not None:
            return api.verify_tokens(kept.answer, kept.begun)
        api.fetch_keys()
        return ask()
    except APIError as error:
        if pending.kept_answer(spent) is not None:
            error.add_note(_KEPT)
        raise
