"""How a person authorizes a contract (OAuth 2.0 with PKCE), and where the tokens are stored.

May import: `_service.authorization`, `_service.crypto`, `_service.endpoints`, `_service.http`, `_service.masking`,
`_service.messages`, `_service.process` and `errors`. Files from bottom to top: ``files/``, ``pages/``, ``tokens/`` <
``private_folder``, ``redirect`` < ``pasted``, ``pending/`` < ``token_store``, ``loopback_server`` < ``loopback`` <
``flow`` < ``authorizations`` < ``completion``, ``consent_status``, ``same_library``.
"""
