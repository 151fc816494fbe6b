"""Reads files, cuts them, and finds things in them again."""
