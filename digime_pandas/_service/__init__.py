"""_service."""
