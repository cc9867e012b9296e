"""The page that a person sees after the consent page.

May import the standard library only. Files from bottom to top: ``page``.
"""
