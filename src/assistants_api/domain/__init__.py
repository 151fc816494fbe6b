"""Nouns, rules, events and errors; the standard library only."""
