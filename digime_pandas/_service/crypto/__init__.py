"""How files are encrypted and decrypted, and requests signed.

May import: `_service.masking`, `_service.streams` and `errors`; no network. Files from bottom to top:
``encrypted_file``, ``envelope``, ``jws`` < ``key_sets``, ``signed_upload``.
"""
