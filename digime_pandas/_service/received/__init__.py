"""What keeps bytes of others within bounds: sizes, JSON text, decompression.

May import: `errors`. Files from bottom to top: ``byte_limit``, ``json_text``, ``decompression``.
"""
