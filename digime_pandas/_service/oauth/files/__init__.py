"""What a private folder is made of: checks of what is there, and files that are not at their place yet.

May import: `_service.masking` and `errors`. Files from bottom to top: ``checks``, ``new_files``.
"""
