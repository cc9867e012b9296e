"""Authorizations that people have not answered yet, kept so that any process can complete them.

May import: `_service.authorization`, `_service.endpoints`, `_service.http`, `_service.masking`, `_service.messages`,
`_service.process`, ``private_folder`` and ``redirect`` of `_service.oauth`, and `errors`. Files from bottom to top:
``record`` < ``stores`` < ``lifecycle`` < ``answers``.
"""
