"""Rows, queue and event log, on SQLite or PostgreSQL."""
