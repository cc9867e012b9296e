"""Writes over a network that is slower than this computer, and over TLS."""
