"""What a write ends in."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from hashlib import sha256
from typing import Any, Literal, Protocol

from digime_pandas._authorization import Authorization
from digime_pandas._descriptor import FileDescriptor
from digime_pandas.errors import DigestMismatchError, FileNotInLibraryError

Status = Literal["delivered", "pending"]
WRITE_ID_PREFIX = "urn:uuid:"
SCHEMA_PREFIX = "urn:x-digime-pandas:schema:"


class _Readable(Protocol):
    def read(self) -> bytes: ...


class _Library(Protocol):
    def files(self, account_id: str, *, reference: Sequence[str] | None) -> Sequence[_Readable]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What is known about a write that the service accepted. Prints, pickles and converts without secrets.

    Attributes:
        status: ``"delivered"``, or ``"pending"`` when the service took the file without saying that it is there yet.
        file_name: The name given to the write.
        rows: Rows written, or None for bytes that were not made from a frame.
        size: Size in bytes of the file as the person will read it, before sealing.
        sha256: SHA-256 of those bytes, as hex digits.
        expires: The service's `expires` (Unix milliseconds, inferred), or None where it gave none (direct import).
        attempts: Requests that carried the file, the successful one included.
        elapsed: Seconds from the call to the answer.
        environment: Base URL of the API that took the file.
        descriptor: What the library was told about the file.
        authorization: The authorization that worked, with the tokens a refresh may have brought. None in a receipt
            that was pickled, since tokens do not leave the process that way.
    """

    status: Status
    file_name: str
    rows: int | None
    size: int
    sha256: str
    expires: float | None
    attempts: int
    elapsed: float
    environment: str
    descriptor: FileDescriptor
    authorization: Authorization | None = field(repr=False, compare=False)

    @property
    def mime_type(self) -> str:
        """Media type that was declared for the file."""
        return self.descriptor.mime_type

    @property
    def write_id(self) -> str | None:
        """The ``urn:uuid:…`` by which a reader drops the duplicate a repeated upload can leave, if there is one."""
        return next((text for text in self.descriptor.reference if text.startswith(WRITE_ID_PREFIX)), None)

    def verify(self, client: _Library) -> bool:
        """Read back what was delivered and compare its digest with this receipt's.

        Args:
            client: A client with a read contract that this person has authorized.

        Returns:
            True. Anything else is an error.

        Raises:
            FileNotInLibraryError: Nothing in the library carries this receipt's references.
            DigestMismatchError: The file is there and its bytes are not the ones that were written.
        """
        found = client.files(self.descriptor.accounts[0], reference=self.descriptor.reference or None)
        if not found:
            raise FileNotInLibraryError(
                f"{self.file_name!r} is not in the library of account {self.descriptor.accounts[0]!r}. "
                "A service may take a moment to deliver; try again, then write the file again."
            )
        if not any(sha256(file.read()).hexdigest() == self.sha256 for file in found):
            raise DigestMismatchError(
                f"{self.file_name!r} was read back and differs from what was written (SHA-256). Write it again."
            )
        return True

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON or a row of a frame, without the authorization."""
        values = {item.name: getattr(self, item.name) for item in fields(self)}
        del values["authorization"]
        values["descriptor"] = self.descriptor.to_dict()
        values["mime_type"] = self.mime_type
        return values

    def __reduce__(self) -> tuple[Any, ...]:
        values = {item.name: getattr(self, item.name) for item in fields(self)}
        return _restore, (values | {"authorization": None},)

    def __copy__(self) -> Receipt:
        return self

    def __deepcopy__(self, memo: object) -> Receipt:
        return self

    def _repr_html_(self) -> str:
        rows = {
            "status": self.status,
            "file": f"{self.file_name} ({self.mime_type})",
            "account": ", ".join(self.descriptor.accounts),
            "rows": "not known" if self.rows is None else f"{self.rows:,}",
            "size": f"{self.size:,} bytes",
            "sha256": self.sha256,
            "sent": f"{self.elapsed:.2f} s, {self.attempts} attempt{'s' if self.attempts != 1 else ''}",
            "environment": self.environment,
        }
        cells = "".join(
            f'<tr><th scope="row" style="text-align:left">{name}</th>'
            f'<td style="text-align:left">{html.escape(value)}</td></tr>'
            for name, value in rows.items()
        )
        return f"<table><caption>digi.me receipt</caption><tbody>{cells}</tbody></table>"


def _restore(values: dict[str, Any]) -> Receipt:
    return Receipt(**values)
