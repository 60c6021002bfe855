"""Names that settings hold as text, and that a package above gives a meaning: strategies, verification modes.

The framework imports no stage. So a table of such names is itself named, as `module:attribute`, and imported when
settings are checked.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from pydantic_core import PydanticKnownError

Entry = TypeVar("Entry")


@dataclass(frozen=True, slots=True)
class Registry(Generic[Entry]):
    """A table by name that lies in another package; `place` is its `module:attribute`."""

    place: str

    def entries(self) -> Mapping[str, Entry]:
        module, _, attribute = self.place.partition(":")
        found: Mapping[str, Entry] = getattr(importlib.import_module(module), attribute)
        return found

    def check(self, name: Any) -> Any:
        """The name as it is: a validator of settings, which refuses as pydantic does for a `Literal`.

        Raises:
            PydanticKnownError: there is no such name; it lists those that there are.
        """
        known = list(self.entries())
        if not isinstance(name, str) or name not in known:
            *most, last = map(repr, known)
            raise PydanticKnownError("literal_error", {"expected": f"{', '.join(most)} or {last}"})
        return name

    def check_or_function(self, name: Any) -> Any:
        """As `check`, for a setting that may also name a function of the user's, as `module:function`."""
        return name if isinstance(name, str) and all(name.partition(":")) else self.check(name)
