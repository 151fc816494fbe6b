"""The page at `/`: files that a browser loads, as package data. No build step: they are served as is."""

from pathlib import Path

STATIC = Path(__file__).parent / "static"
