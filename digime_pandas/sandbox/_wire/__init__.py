"""The forms of messages: signed tokens, descriptors, multipart bodies, encrypted files and error replies.

May import: `_service.descriptor` and `errors`; no store and no endpoint. Files from bottom to top: ``json_text``,
``envelope``, ``redirect_uris``, ``error_replies`` < ``descriptors``, ``session_scopes``, ``jws``, ``multipart``.
"""
