"""How a client is described, and how it shows itself.

May import ``_service``. Files from bottom to top: ``services``, ``client_card``.
"""
