"""Which requested model names are served, and by what."""

from dataclasses import dataclass
from datetime import datetime

from assistants_api.domain.errors import InvalidRequest


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The served models and the names that stand for them.

    `served` is the default one, `others` are loaded when they are asked for. `aliases` maps a requested name
    to a served one; the key `*` stands for every other name, so that old code which names `gpt-4o` runs.
    """

    served: str
    aliases: dict[str, str]
    created_at: datetime
    others: tuple[str, ...] = ()

    def resolve(self, requested: str) -> str:
        """The served model for a requested name; `InvalidRequest` when there is none."""
        if requested == self.served or requested in self.others:
            return requested
        target = self.aliases.get(requested, self.aliases.get("*"))
        if target is None:
            raise InvalidRequest(
                f"The requested model '{requested}' does not exist.", param="model", code="model_not_found"
            )
        return target

    @property
    def names(self) -> tuple[str, ...]:
        """Every name that can be listed: the served ones first."""
        served = (self.served, *self.others)
        return (*served, *(name for name in self.aliases if name not in ("*", *served)))
