"""How requests are sent, repeated and answered.

May import: `_service.masking`, `_service.process`, `_service.streams` and `errors`; no contract and no key. Files from
bottom to top: ``error_replies``, ``request``, ``request_body``, ``environment`` < ``socks`` < ``transport``.
"""
