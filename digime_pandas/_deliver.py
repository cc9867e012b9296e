"""Send one file under one authorization, refreshing it once where the service asks for that."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from hashlib import sha256

from digime_pandas._api import Api
from digime_pandas._authorization import Authorization
from digime_pandas._pipeline import closing_iter
from digime_pandas._receipt import Receipt
from digime_pandas._wire import Buffer, Delivery, Upload
from digime_pandas.errors import APIError, DigimeError, InvalidTokenError


def deliver(
    api: Api, upload: Upload, authorization: Authorization, *, refresh: Callable[[Authorization], Authorization]
) -> Receipt:
    """Send a file: to the postbox if the authorization has one, by direct import otherwise.

    A 401 about the token, or the answer ``pending`` (which the vendor's Node SDK takes for an expired token), leads
    to one refresh and one more sending. A second ``pending`` is a normal result.

    Args:
        api: The write contract's endpoints.
        upload: What to send.
        authorization: The person's consent.
        refresh: Gives a new authorization for an old one, and stores it before it returns.

    Returns:
        The receipt, with `rows` left open.
    """
    started = time.monotonic()
    measured = _Measured(upload)
    measured_upload = replace(upload, chunks=measured.chunks)
    attempts = 0
    doubt: str | None = None
    refreshed = False
    while True:
        try:
            delivery = _send(api, measured_upload, authorization)
        except APIError as error:
            attempts += error.attempts
            if refreshed or not isinstance(error, InvalidTokenError):
                error.attempts = attempts
                if doubt is not None:
                    error.outcome = "unknown"
                    error.add_note(doubt)
                raise
            if error.outcome == "unknown":
                doubt = "An earlier attempt got no answer: whether the file was delivered is not known."
        else:
            attempts += delivery.attempts
            if refreshed or delivery.status == "delivered":
                break
            doubt = "The service answered 'pending' before: whether it keeps the file is not known."
        try:
            authorization = refresh(authorization)
        except DigimeError as error:
            error.add_note(doubt or "The file was not delivered: the service refused the token.")
            raise
        refreshed = True
    return Receipt(
        status=delivery.status,
        file_name=upload.file_name,
        rows=None,
        size=measured.size,
        sha256=measured.sha256,
        expires=delivery.expires,
        attempts=attempts,
        elapsed=time.monotonic() - started,
        environment=api.base_url,
        descriptor=upload.descriptor,
        authorization=authorization,
    )


def _send(api: Api, upload: Upload, authorization: Authorization) -> Delivery:
    token = authorization.user_access_token.access_token.secret
    if authorization.postbox is None:
        return api.import_file(upload, token)
    return api.deliver_to_postbox(upload, authorization.postbox, token)


class _Measured:
    """Counts and hashes the bytes of the latest attempt."""

    def __init__(self, upload: Upload) -> None:
        self._upload = upload
        self._latest = _Measure(())

    @property
    def size(self) -> int:
        return self._latest.size

    @property
    def sha256(self) -> str:
        return self._latest.digest.hexdigest()

    def chunks(self) -> Iterator[Buffer]:
        # A measure of its own for each attempt: what is left of an earlier one cannot touch it.
        self._latest = _Measure(self._upload.chunks())
        return self._latest.pass_on()


class _Measure:
    """Counts and hashes what it passes on."""

    def __init__(self, chunks: Iterable[Buffer]) -> None:
        self._chunks = chunks
        self.size = 0
        self.digest = sha256()

    def pass_on(self) -> Iterator[Buffer]:
        with closing_iter(self._chunks) as chunks:
            for chunk in chunks:
                self.size += memoryview(chunk).nbytes
                self.digest.update(chunk)
                yield chunk
