"""Prints `.env.example` from the settings, so that the two cannot differ."""

from assistants_api.settings import Settings

_SHOWN = {"data_dir": "~/.local/share/assistants-api", "model_aliases": "*"}


def text() -> str:
    """Every setting with its meaning and default, commented out."""
    lines = ["# Settings of assistants-api; copy to .env or export. Every line shows the default.", ""]
    for name, field in Settings.model_fields.items():
        default = _SHOWN.get(name, "" if field.default in (None, (), {}) else field.default)
        lines += [f"# {field.description}", f"# ASSISTANTS_{name.upper()}={default}", ""]
    return "\n".join(lines)


if __name__ == "__main__":
    print(text(), end="")
