"""How much of a write has been sent, shown as the place where the program runs can show it.

May import: `_service.streams`, `_service.display`, `_tabular` and `errors`. Files from bottom to top: ``counts``,
``rows``, ``places``, ``displays``, ``show``.
"""
