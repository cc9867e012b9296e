"""What bytes of others go through: bounds of sizes, JSON text, decompression, memory.

May import: `errors`. Files from bottom to top: ``byte_limit``, ``large_memory``, ``json_text``, ``decompression``.
"""
