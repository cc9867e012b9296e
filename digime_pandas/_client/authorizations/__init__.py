"""The part of the client that is about people's consent: asking, completing, and how things stand.

May import `_service` and `errors`. Files from bottom to top: ``tables``, ``invitations`` < ``consent_client``.
"""
