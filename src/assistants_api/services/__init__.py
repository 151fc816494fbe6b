"""Verbs: one call is one transaction."""
