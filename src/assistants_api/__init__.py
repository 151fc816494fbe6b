"""A server that speaks the OpenAI Assistants API v2 on your own machine."""

__version__ = "0.1.0"
