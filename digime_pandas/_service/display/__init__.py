"""How objects show themselves in a notebook.

Nothing here knows what is shown. Files from bottom to top: ``texts``, ``html``.
"""
