"""How requests are sent, repeated and answered.

May import: `_service.masking`, `_service.process`, `_service.streams` and `errors`; no contract and no key. Files from
bottom to top: ``attempts/``, ``error_replies``, ``request``, ``request_body`` < ``carrying/``, ``environment``,
``answers`` < ``backends/``, ``opening`` < ``connections`` < ``lines`` < ``service_url``, ``exchange`` < ``transport``.
"""
