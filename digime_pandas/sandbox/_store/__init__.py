"""_store."""
