"""Embedders: local, remote, and hashed; torch is known only to the local one's own process."""
