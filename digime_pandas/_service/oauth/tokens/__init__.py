"""What is needed beside a token store: words, the secrets of PKCE, and memory for what a store did not take.

May import: `_service.authorization`, `_service.masking`, `_service.process` and `errors`. Files from bottom to top:
``advice``, ``pairs``, ``pkce``, ``unstored``.
"""
