"""What carries requests, as `exchange` knows it.

May import: `_service.http`'s attempts, request and request_body. Files from bottom to top: ``line``.
"""
