"""The receipt of a write."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from dataclasses import InitVar, dataclass, fields
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeVar

from digime_pandas._service.authorization import Access, Authorization
from digime_pandas._service.descriptor import WRITE_ID_PREFIX, FileDescriptor
from digime_pandas._service.masking.secret import HoldsSecret, Revealed, Secret
from digime_pandas.errors import AuthorizationError, DigestMismatchError, FileNotInLibraryError

Status = Literal["delivered", "pending"]


class _OfContract(Protocol):
    @property
    def contract_id(self) -> str | None: ...


class _Written(_OfContract, Protocol):
    def read(self) -> bytes: ...


class _Library(Protocol):
    @property
    def contract(self) -> _OfContract: ...

    def authorization(self, account_id: str, *, access: Access) -> Authorization: ...

    def files(self, account: str | Authorization, *, reference: Sequence[str] | None) -> Sequence[_Written]: ...


W = TypeVar("W", bound=_Written)


def written_by(contract: _OfContract, files: Iterable[W]) -> list[W]:
    """Return the files that a contract wrote; where it wrote none of them, all of them.

    References are no secret to those who may read a library: a file of another contract may carry the same ones.
    """
    every = list(files)
    return [file for file in every if file.contract_id == contract.contract_id] or every


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt(HoldsSecret):
    """What is known about a write that the service accepted. Prints, pickles and converts without secrets.

    ``pd.DataFrame([receipt, ...])`` has a row for each and a column for each attribute but the authorization.

    Attributes:
        status: ``"delivered"``, or ``"pending"`` when the service took the file without saying that it is there yet.
        file_name: The name given to the write.
        rows: Rows written, or None for bytes that were not made from a frame.
        size: Size in bytes of the file as the person will read it, before encryption.
        sha256: SHA-256 of those bytes, as hex digits.
        expires: The service's `expires` (Unix milliseconds, inferred), or None where it gave none (direct import).
        attempts: Requests that carried the file, the successful one included.
        elapsed: Seconds from the call to the answer.
        environment: Base URL of the API that took the file.
        descriptor: What the library was told about the file.
        authorization: The authorization that worked, with the tokens a refresh may have brought. It is no field. None
            in a receipt that was pickled, since tokens do not leave the process that way.
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
    if TYPE_CHECKING:
        authorization: Authorization | None = None
    else:
        authorization: InitVar[Authorization | None] = Revealed()

        def __post_init__(self, authorization: Authorization | None) -> None:
            object.__setattr__(self, "_secret", Secret(authorization))

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

        Where the client's write contract has such a file, it alone counts; else any file with this receipt's
        references does.

        Args:
            client: A client with a read contract that this person has authorized.

        Returns:
            True. Anything else is an error.

        Raises:
            FileNotInLibraryError: Nothing in the library carries this receipt's references.
            DigestMismatchError: The file is there and its bytes are not the ones that were written.
            AuthorizationError: The stored read authorization opens another library than the one written into.
        """
        account_id = self._account_id
        found = client.files(self._to_read(client) or account_id, reference=self.descriptor.reference or None)
        if not found:
            raise FileNotInLibraryError(
                f"{self.file_name!r} is not in the library of account {account_id!r}. "
                "A service may take a moment to deliver; try again, then write the file again."
            )
        if not any(sha256(file.read()).hexdigest() == self.sha256 for file in written_by(client.contract, found)):
            raise DigestMismatchError(
                f"{self.file_name!r} was read back and differs from what was written (SHA-256). Write it again."
            )
        return True

    @property
    def _account_id(self) -> str:
        return self.descriptor.accounts[0] if self.authorization is None else self.authorization.account_id

    def _to_read(self, client: _Library) -> Authorization | None:
        """Return the read authorization of the library written into, or None where that is not known here."""
        if self.authorization is None or self.authorization.user_id is None:
            return None
        read = client.authorization(self._account_id, access="read")
        if read.user_id in {None, self.authorization.user_id}:
            return read
        call = f"({self._account_id!r}, access='read')"
        raise AuthorizationError(
            f"{self.file_name!r} was written into another library than the one that the stored read authorization of "
            f"account {self._account_id!r} opens. Where consent to write was given anew before this write, authorize "
            f"reading again, which is linked to it: digime.authorize{call}, or digime.AuthorizationWidget{call} in a "
            "notebook. Where consent was given anew since, write the file again."
        )

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON or a row of a frame, without the authorization."""
        values = {item.name: getattr(self, item.name) for item in fields(self)}
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
