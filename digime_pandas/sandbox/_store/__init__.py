"""What the sandbox keeps: keys, people, files, consents, tokens and sessions.

May import: `_wire`, `_service.contract` and `errors`. Files from bottom to top: ``data_folder``, ``keys``,
``database``, ``records`` < ``authorizations``, ``library``.
"""
