"""Uploads that are signed in one process and sent by another one, which has no key and no refresh token.

Files from bottom to top: ``upload_grant``, ``granting``.
"""
