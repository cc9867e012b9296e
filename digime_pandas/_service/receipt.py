"""The receipt of a write."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import InitVar, dataclass, fields
from datetime import UTC, datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeVar

from digime_pandas._service.authorization import Access, Authorization
from digime_pandas._service.descriptor import WRITE_ID_PREFIX, FileDescriptor
from digime_pandas._service.display import html
from digime_pandas._service.display.texts import count_text, size_text, time_text
from digime_pandas._service.masking.secret import HoldsSecret, Revealed, Secret
from digime_pandas._service.receipt_members import DESCRIPTOR_MEMBERS, RECEIPT_MEMBERS, VERSION, problems_of
from digime_pandas.errors import (
    AuthorizationError,
    DigestMismatchError,
    FileNotInLibraryError,
    InputError,
    in_words,
    printable,
)
from digime_pandas.errors.calls.attributes import NearNames
from digime_pandas.errors.calls.explained import explains_calls

Status = Literal["delivered", "pending"]
_SHOWN = 3  # problems of a receipt that was read


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
class Receipt(NearNames, HoldsSecret):
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
        account_id: The account into whose library it was written: the authorization's where there is one, else the
            descriptor's first where none is given.
        delivered_at: When the answer came, in UTC. None in a receipt that was pickled before receipts had it.
        contract_id: The contract that wrote the file. None as for `delivered_at`.
        consent_id: The consent's id at the service, if it was told.
        losses: What the `FidelityWarning` of this write said, one text per sentence: what of the frame is not in the
            file, or is there in another form.
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
    account_id: str = ""
    delivered_at: datetime | None = None
    contract_id: str | None = None
    consent_id: str | None = None
    losses: tuple[str, ...] = ()
    if TYPE_CHECKING:
        authorization: Authorization | None = None
    else:
        authorization: InitVar[Authorization | None] = Revealed()

        def __post_init__(self, authorization: Authorization | None) -> None:
            object.__setattr__(self, "_secret", Secret(authorization))
            account_id = self.account_id or self.descriptor.accounts[0]
            account_id = account_id if authorization is None else authorization.account_id
            object.__setattr__(self, "account_id", account_id)

    @property
    def mime_type(self) -> str:
        """Media type that was declared for the file."""
        return self.descriptor.mime_type

    @property
    def write_id(self) -> str | None:
        """The ``urn:uuid:…`` by which a reader drops the duplicate a repeated upload can leave, if there is one."""
        return next((text for text in self.descriptor.reference if text.startswith(WRITE_ID_PREFIX)), None)

    @explains_calls()
    def verify(self, client: _Library) -> bool:
        """Read back what was delivered and compare its digest with this receipt's.

        Where the contract that wrote it (the client's write contract, if the receipt names none) has such a file, it
        alone counts; else any file with this receipt's references does.

        Args:
            client: A client with a read contract that this person has authorized. It need not be the one that wrote.

        Returns:
            True. Anything else is an error.

        Raises:
            FileNotInLibraryError: Nothing in the library carries this receipt's references.
            DigestMismatchError: The file is there and its bytes are not the ones that were written.
            AuthorizationError: The stored read authorization opens another library than the one written into.
            InputError: `client` is no client.
        """
        if not callable(getattr(client, "files", None)):
            given = in_words(client)
            remedy = "Pass what digime.connect() returned: receipt.verify(client)."
            raise InputError(f"client is {given}.", remedy=remedy)
        found = client.files(self._to_read(client) or self.account_id, reference=self.descriptor.reference or None)
        if not found:
            raise FileNotInLibraryError(
                f"{self.file_name!r} is not in the library of account {self.account_id!r}. "
                "A service may take a moment to deliver; try again, then write the file again."
            )
        writer = client.contract if self.contract_id is None else self
        if not any(sha256(file.read()).hexdigest() == self.sha256 for file in written_by(writer, found)):
            raise DigestMismatchError(
                f"{self.file_name!r} was read back and differs from what was written (SHA-256). Write it again."
            )
        return True

    def _to_read(self, client: _Library) -> Authorization | None:
        """Return the read authorization of the library written into, or None where that is not known here."""
        if self.authorization is None or self.authorization.user_id is None:
            return None
        read = client.authorization(self.account_id, access="read")
        if read.user_id in {None, self.authorization.user_id}:
            return read
        call = f"({self.account_id!r}, access='read')"
        raise AuthorizationError(
            f"{self.file_name!r} was written into another library than the one that the stored read authorization of "
            f"account {self.account_id!r} opens.",
            remedy="Where consent to write was given anew before this write, authorize reading again, which is linked "
            f"to it: digime.authorize{call}, or digime.AuthorizationWidget{call} in a notebook. Where consent was "
            "given anew since, write the file again.",
        )

    @explains_calls()
    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON or a row of a frame, without the authorization.

        `version` numbers the form; `mime_type` and `write_id` are the descriptor's. `from_dict` is the inverse.
        """
        values = {item.name: getattr(self, item.name) for item in fields(self)}
        delivered_at = None if self.delivered_at is None else self.delivered_at.astimezone(UTC).isoformat()
        return {
            "version": VERSION,
            **values,
            "descriptor": self.descriptor.to_dict(),
            "delivered_at": delivered_at,
            "losses": list(self.losses),
            "mime_type": self.mime_type,
            "write_id": self.write_id,
        }

    @classmethod
    @explains_calls()
    def from_dict(cls, values: Mapping[str, Any]) -> Receipt:
        """Build a receipt back from what `to_dict` returned. It can `verify`, and has no authorization.

        Args:
            values: What `to_dict` returned, or what JSON made of it.

        Raises:
            InputError: It is of a later version, or members are missing, not known or not what they must be. The
                message names each of them.
        """
        if not isinstance(values, Mapping):
            raise InputError(
                f"values is {in_words(values)}.",
                remedy="Pass what Receipt.to_dict() returned.",
                command="Give what write --json printed.",
            )
        version = values.get("version")
        if isinstance(version, int) and version > VERSION:
            raise InputError(
                f"This receipt has version {version}, and this package reads versions up to {VERSION}. Update it: "
                "pip install -U digime-pandas"
            )
        problems = problems_of(values, RECEIPT_MEMBERS)
        if not problems:
            problems = problems_of(values["descriptor"], DESCRIPTOR_MEMBERS, optional=("reference", "tags"))
        if problems:
            more = f"; and {len(problems) - _SHOWN} more" if len(problems) > _SHOWN else ""
            raise InputError(
                f"This is no receipt as a dictionary: {'; '.join(problems[:_SHOWN])}{more}.",
                remedy="Pass what Receipt.to_dict() returned.",
                command="Give what write --json printed.",
            )
        return _read(values)

    def __reduce__(self) -> tuple[Any, ...]:
        values = {item.name: getattr(self, item.name) for item in fields(self)}
        return _restore, (values | {"authorization": None},)

    def __copy__(self) -> Receipt:
        return self

    def __deepcopy__(self, memo: object) -> Receipt:
        return self

    def __repr__(self) -> str:
        lost = " with losses" if self.losses else ""
        return printable(f"<Receipt {self.status}{lost}: {self.file_name!r} for {self.account_id!r}, {self._extent()}>")

    def _repr_html_(self) -> str:
        return html.card(
            *([_losses(self.losses)] if self.losses else []),
            self._head(),
            html.facts(
                {
                    "Accounts": ", ".join(self.descriptor.accounts),
                    "Content": f"{self._extent()}, {self.mime_type}",
                    "Delivered" if self.status == "delivered" else "Answered": time_text(self.delivered_at),
                    "Tags": ", ".join(self.descriptor.tags),
                    "Losses": "" if self.losses else "none",
                }
            ),
            *self._read_back(),
            html.folded("Details", html.facts(self._details())),
        )

    def _head(self) -> html.Html:
        if self.status == "delivered":
            return html.head("✓ Delivered", "good", self.file_name)
        taken = "The service took it without saying yet that it is in the library."
        return html.head("Pending", "careful", self.file_name, taken)

    def _extent(self) -> str:
        rows = "" if self.rows is None else f"{count_text(self.rows, 'row')}, "
        return rows + size_text(self.size)

    def _read_back(self) -> list[html.Html]:
        """Return the line that reads the file back, where it has a name by which that finds it."""
        if not self.descriptor.reference:
            return []
        read = "read_file" if self.rows is None else "read_frame"
        arguments = f"{self.descriptor.reference[0]!r}, account_id={self.account_id!r}, sha256={self.sha256!r}"
        return [html.line("Read it back:"), html.code(f"digime.{read}({arguments})")]

    def _details(self) -> dict[str, str]:
        return {
            "Contract": self.contract_id or "not known",
            "Consent": self.consent_id or "not known",
            "Write id": self.write_id or "none",
            "Size": f"{self.size:,} bytes",
            "SHA-256": self.sha256,
            "Sent in": f"{self.elapsed:.2f} s, {count_text(self.attempts, 'attempt')}",
            "Environment": self.environment,
        }


def _losses(losses: Sequence[str]) -> html.Html:
    return html.notice("careful", "Losses", losses)


def _restore(values: dict[str, Any]) -> Receipt:
    return Receipt(**values)


def _read(values: Mapping[str, Any]) -> Receipt:
    """Return the receipt that values of the right types stand for."""
    descriptor, time = values["descriptor"], values["delivered_at"]
    read = {
        "descriptor": FileDescriptor(
            descriptor["mimeType"],
            [each["accountId"] for each in descriptor["accounts"]],
            descriptor.get("reference", ()),
            descriptor.get("tags", ()),
        ),
        "delivered_at": None if time is None else datetime.fromisoformat(time).astimezone(UTC),
        "losses": tuple(values["losses"]),
    }
    receipt = Receipt(**{item.name: read.get(item.name, values[item.name]) for item in fields(Receipt)})
    for name in ("mime_type", "write_id"):
        if getattr(receipt, name) != values[name]:
            raise InputError(f"This is not what Receipt.to_dict() returns: {name!r} is not the descriptor's.")
    return receipt
