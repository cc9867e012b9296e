"""What is done when the user imports another package.

May import nothing of this package. Files from bottom to top: ``later_import``.
"""
