"""How a person authorizes a contract (OAuth 2.0 with PKCE), and where the tokens are stored.

May import: `_service.authorization`, `_service.crypto`, `_service.endpoints`, `_service.masking`, `_service.messages`,
`_service.process` and `errors`. Files from bottom to top: ``token_store``, ``redirect`` < ``pasted``,
``loopback_server`` < ``loopback`` < ``flow`` < ``authorizations`` < ``same_library``.
"""
