"""Engines: what turns a prompt into text and tool calls."""
