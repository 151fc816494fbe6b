"""The tools that this server runs itself. They know no run, step or message."""
