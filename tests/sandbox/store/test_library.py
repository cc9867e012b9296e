from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from digime_pandas._service.contract import Contract
from digime_pandas.sandbox._store.database import Database
from digime_pandas.sandbox._store.library import Library
from digime_pandas.sandbox._wire.error_replies import ErrorReply
from digime_pandas.sandbox._wire.session_scopes import SessionScope

DESCRIPTOR: dict[str, Any] = {"mimeType": "text/csv", "accounts": [{"accountId": "a"}]}


@pytest.fixture
def writer(vendor_keys: dict[str, RSAPrivateKey]) -> Contract:
    return Contract("app", "writer", vendor_keys["contract_w"])


def add(library: Library, writer: Contract, user_id: str, content: bytes = b"x", **changed: Any) -> str:
    arguments: dict[str, Any] = {"protocol": "postbox", "name": "x.csv", "descriptor": DESCRIPTOR, "now": 1.0}
    with library.partial_file(1000) as partial:
        partial.write(content)
        return library.add_file(partial, user_id=user_id, writer=writer, **(arguments | changed))


def test_a_file_is_stored_with_its_descriptor_and_writer(library: Library, writer: Contract) -> None:
    user_id = library.add_person(0)
    descriptor = DESCRIPTOR | {"reference": ["r"], "tags": ["t"], "other": [1]}
    file_id = add(library, writer, user_id, b"content", descriptor=descriptor)
    file = library.file(user_id, file_id)
    assert file is not None
    assert library.files() == library.files(user_id) == [file]
    assert (file.content, file.size, file.name, file.protocol) == (b"content", 7, "x.csv", "postbox")
    assert (file.mime_type, file.accounts, file.reference, file.tags) == ("text/csv", ("a",), ("r",), ("t",))
    assert file.descriptor == descriptor
    assert (file.client_id, file.application_id, file.contract_id) == (writer.client_id, "app", "writer")
    assert file.created.timestamp() == 1.0


def test_a_file_without_a_name_is_called_by_its_first_reference_else_its_id(library: Library, writer: Contract) -> None:
    user_id = library.add_person(0)
    add(library, writer, user_id, name=None, descriptor=DESCRIPTOR | {"reference": ["r", "s"]})
    file_id = add(library, writer, user_id, name=None)
    assert [file.name for file in library.files()] == ["r", file_id]


def test_no_name_leads_out_of_the_folder_or_onto_another_file(
    library: Library, writer: Contract, tmp_path: Path
) -> None:
    user_id = library.add_person(0)
    names = ["../../escaped", "/etc/passwd", "same", "same", ""]
    for name in names:
        add(library, writer, user_id, name.encode(), name=name)
    assert [file.content for file in library.files()] == [name.encode() for name in names]
    assert {file.path.parent for file in library.files()} == {tmp_path / "files"}
    assert len({file.path for file in library.files()}) == len(names)


def test_a_file_is_found_in_its_own_persons_library_alone(library: Library, writer: Contract) -> None:
    one, two = library.add_person(0), library.add_person(0)
    file_id = add(library, writer, one)
    assert library.file(two, file_id) is None
    assert library.files(two) == []
    assert library.file(one, "unknown") is None


def test_the_times_of_a_library_all_differ_in_the_order_of_arrival(library: Library, writer: Contract) -> None:
    user_id = library.add_person(0)
    added = [add(library, writer, user_id, now=now) for now in (2.0, 2.0, 1.0)]
    assert [file.file_id for file in library.files()] == added
    assert [file.created.timestamp() for file in library.files()] == [2.0, 2.001, 2.002]


def test_a_partial_file_is_removed_unless_it_was_added(library: Library, tmp_path: Path) -> None:
    with library.partial_file(1000) as partial:
        partial.write(b"x")
        assert len(list((tmp_path / "files").iterdir())) == 1
    assert list((tmp_path / "files").iterdir()) == []


def test_a_partial_file_has_at_most_its_limit(library: Library) -> None:
    with library.partial_file(3) as partial:
        partial.write(b"abc")
        with pytest.raises(ErrorReply) as raised:
            partial.write(b"d")
    assert raised.value.code == "FileTooLarge"


def test_partial_files_of_an_earlier_run_are_removed(database: Database, tmp_path: Path) -> None:
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "0123.part").write_bytes(b"half")
    Library(database, tmp_path / "files", bytes)
    assert list((tmp_path / "files").iterdir()) == []


def test_a_file_of_a_person_who_was_removed_is_not_kept(library: Library, writer: Contract, tmp_path: Path) -> None:
    user_id = library.add_person(0)
    library.remove_person(user_id)
    with pytest.raises(ErrorReply) as raised:
        add(library, writer, user_id)
    assert raised.value.code == "InvalidToken"
    assert list((tmp_path / "files").iterdir()) == []


def test_a_removed_person_takes_no_others_files_along(library: Library, writer: Contract) -> None:
    one, two = library.add_person(0), library.add_person(0)
    add(library, writer, one, b"one")
    add(library, writer, two, b"two")
    library.remove_person(one)
    assert [file.content for file in library.files()] == [b"two"]
    assert library.person(one) is None


def test_people_are_listed_newest_first_with_their_files_and_accounts(library: Library, writer: Contract) -> None:
    one, two, three = (library.add_person(now) for now in (1, 2, 2))
    add(library, writer, one, descriptor=DESCRIPTOR | {"accounts": [{"accountId": "b"}, {"accountId": "a"}]})
    add(library, writer, one)
    assert [person.user_id for person in library.people(2)] == [three, two]
    person = library.person(one)
    assert person is not None
    assert (person.files, person.accounts, person.created.timestamp()) == (2, ("b", "a"), 1)


def test_a_contract_keeps_its_names_once_stored(library: Library, writer: Contract) -> None:
    library.add_contract(writer)
    library.add_contract(writer)
    user_id = library.add_person(0)
    add(library, writer, user_id)
    assert len(library.files()) == 1


def test_accounts_are_of_people_each_of_one(library: Library) -> None:
    first = library.people_of(["a", "b"], 1.0)
    assert len(set(first)) == 2
    assert library.people_of(["c", "b", "a"], 2.0)[1:] == first[::-1]
    assert library.person_of("a") == first[0]
    assert library.person_of("d") is None
    library.name_person(first[1], "a")
    library.name_person(first[1], "a")
    assert library.person_of("a") == first[1]
    person = library.person(first[1])
    assert person is not None
    assert sorted(person.accounts) == ["a", "b"]
    library.remove_person(first[1])
    assert library.person_of("a") is None
    assert library.count() == (2, 0)


def test_a_person_is_shown_with_the_accounts_of_consents_and_files(library: Library, writer: Contract) -> None:
    (user_id,) = library.people_of(["named"], 0)
    for account in ("b", "named", "a", "b"):
        add(library, writer, user_id, b"xyz", descriptor=DESCRIPTOR | {"accounts": [{"accountId": account}]})
    (person,) = library.people(10)
    assert (person.accounts, person.files, person.size) == (("named", "b", "a"), 4, 12)
    assert library.count() == (1, 4)


def test_a_listing_is_of_one_person_and_scope_oldest_first(library: Library, writer: Contract) -> None:
    mine, other = library.add_person(0), library.add_person(0)
    ids = [add(library, writer, mine, descriptor=DESCRIPTOR | {"tags": [tag]}, now=5.0) for tag in "aba"]
    theirs = add(library, writer, other)
    scope = SessionScope(({"metadata": {"tags": ["a"]}},))
    assert library.listing(mine, None) == list(zip(ids, [5000, 5001, 5002], strict=True))
    assert [file_id for file_id, _ in library.listing(mine, scope)] == [ids[0], ids[2]]
    assert [library.file(mine, each, scope) is not None for each in [*ids, theirs]] == [True, False, True, False]
    assert [file.file_id for file in library.newest_files(mine, 2)] == ids[:0:-1]
