"""Makes what a sandbox serves of its options: keys, contracts, stores."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from digime_pandas._service.contract import Contract
from digime_pandas.sandbox._context import Registration, SandboxContext, ScriptedReplies, Settings
from digime_pandas.sandbox._store.authorizations import AuthorizationStore
from digime_pandas.sandbox._store.data_folder import open_data_folder
from digime_pandas.sandbox._store.database import Database
from digime_pandas.sandbox._store.keys import ServiceKeys, key_id, load_keys
from digime_pandas.sandbox._store.library import Library

_APPLICATION_ID = "digime-pandas-sandbox"


def open_context(
    data_dir: Path | None,
    settings: Settings,
    scripted_replies: ScriptedReplies,
    resources: ExitStack,
    *,
    contracts: tuple[Contract, Contract] | None,
    postbox_key: RSAPrivateKey | None,
) -> tuple[SandboxContext, tuple[Contract, Contract]]:
    """Open the stores of a sandbox.

    Args:
        data_dir: Folder of everything that is kept; None: a temporary one.
        settings: The options.
        scripted_replies: Which of the next replies differ from the normal ones.
        resources: Closes what is opened here.
        contracts: The write and the read contract; None: generated ones.
        postbox_key: Decrypts postbox writes; None: a generated one.

    Returns:
        What all endpoints share, and the contracts.

    Raises:
        ConfigurationError: Another sandbox uses the folder, or a key in it is damaged.
    """
    folder = open_data_folder(data_dir, resources)
    write, read, signing, postbox = load_keys(folder / "keys", ("write", "read", "signing", "postbox"))
    contracts = contracts or (_contract("write", write), _contract("read", read))
    database = Database(folder / "index.sqlite")
    resources.callback(database.close)
    authorizations = AuthorizationStore(
        database,
        access_lifetime=settings.access_token_lifetime,
        refresh_lifetime=settings.refresh_token_lifetime,
        random_bytes=settings.random_bytes,
    )
    registrations = {
        contracts[0].client_id: Registration(contracts[0], "write"),
        contracts[1].client_id: Registration(contracts[1], "read"),
    }
    library = Library(database, folder / "files", settings.random_bytes)
    for contract in contracts:
        library.add_contract(contract)
    keys = ServiceKeys(signing=signing, postbox=postbox_key or postbox)
    return SandboxContext(settings, registrations, keys, authorizations, library, scripted_replies), contracts


def contracts_of(data_dir: Path) -> tuple[Contract, Contract]:
    """Return the write and the read contract of a folder that a sandbox, of this process or another one, uses.

    Raises:
        ConfigurationError: A key in it is damaged.
    """
    write, read = load_keys(data_dir / "keys", ("write", "read"))
    return _contract("write", write), _contract("read", read)


def _contract(access: str, key: RSAPrivateKey) -> Contract:
    # Named after its key: a new key is a new contract, so that tokens stored for an earlier sandbox do not match it.
    return Contract(_APPLICATION_ID, f"{access}-{key_id(key)}", key)
