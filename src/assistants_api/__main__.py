"""`python -m assistants_api` is `assistants-api`."""

from assistants_api.cli import app

app()
