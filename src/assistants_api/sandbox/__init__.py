"""The jail in which `code_interpreter` runs: tiers, sessions, limits.

`docs/sandbox.md` says what it guarantees.
"""
