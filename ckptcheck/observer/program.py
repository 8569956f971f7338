"""The numbers that a program keeps outside of its variables: globals, and what they lead to."""

import sys
from collections.abc import Mapping, Sequence
from types import FunctionType, ModuleType
from typing import Any


class Program:
    """The program of this process, as an object whose attributes can be read like a job's.

    Its attributes are the globals of the main module.
    """

    def __init__(self) -> None:
        self._remembered: dict[str, Any] = {}
        self._decisive: dict[str, str] = {}

    def remember(self, things: Sequence[Any], decisive: Mapping[str, str]) -> None:
        """Remember objects that the program passed to its framework, such as callbacks."""
        self._remembered = {type(each).__name__: each for each in things}
        self._decisive = dict(decisive)

    def remembers(self) -> Mapping[str, Any]:
        """Return these objects by class name."""
        return self._remembered

    def decisive(self) -> Mapping[str, str]:
        """Return the attributes of these objects that change the training."""
        return self._decisive

    @property
    def __dict__(self) -> dict[str, Any]:  # type: ignore[override]
        main = sys.modules.get("__main__")
        return (
            {
                name: value
                for name, value in vars(main).items()
                if not isinstance(value, ModuleType | FunctionType | type)
            }
            if main is not None
            else {}
        )
