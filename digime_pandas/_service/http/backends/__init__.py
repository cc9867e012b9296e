"""How connections are opened: directly, or by way of a proxy. Nothing of a request goes through here.

May import: `_service.http.attempts`, `_service.http.environment`, `_service.masking`, `_service.streams` and `errors`.
Files from bottom to top: ``lookups``, ``backend`` < ``tcp``, ``tls`` < ``direct`` < ``socks``, ``tunnel`` <
``choice``.
"""
