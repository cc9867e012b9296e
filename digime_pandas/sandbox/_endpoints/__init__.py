"""The endpoints: each checks a request, reads or changes the stores, and answers.

May import: `_context`, `_store` and `_wire`. Files from bottom to top: ``worker_threads``,
``request_bodies``, ``request_checks``, ``pages`` < ``oauth``, ``uploads``, ``downloads``, ``consent_page``,
``root_page``, ``contents``, ``file_page``.
"""
