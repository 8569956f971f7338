"""Which of the saves that a control made are resumed from: once, and for the second time."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any


def kinds_at(seen: Mapping[str, Any], boundary: int) -> set[tuple[str, str]]:
    """Return the kinds of what was saved after so many steps: by which function, named how."""
    return {
        (each["what"], re.sub(r"\d+", "#", Path(each["path"]).name))
        for each in seen["saves"]
        if each["done"] == boundary
    }


def with_first(folder: Path, seen: Mapping[str, Any], kept: list[int]) -> list[int]:
    """Return the saves that are kept, with the first one where only one would be left.

    What is saved first may be of a different kind, such as the best weights.
    """
    images = (each.name.rpartition("@")[2] for each in folder.glob("crash-image@*"))
    first = min(map(int, images))
    is_alike = kinds_at(seen, first) == kinds_at(seen, kept[0])
    return [first, *kept] if len(kept) == 1 and first < kept[0] and is_alike else kept


def next_alike(seen: Mapping[str, Any], kept: Sequence[int], first: int) -> int | None:
    """Return the next save that is kept after one, with all its kinds of files, or None."""
    wanted = kinds_at(seen, first)
    return next((each for each in kept if each > first and kinds_at(seen, each) >= wanted), None)


def saved_in_all(seen: Mapping[str, Any], boundary: int, recorded: int) -> tuple[int, list[int]]:
    """Return after how many steps of the control a resumed run began, and those at its saves.

    Args:
        seen: what was observed of the run. It counts its own steps, of which those before a late
            restore are none of the control's.
        boundary: the steps done at the save that it was resumed from.
        recorded: the steps in its record.
    """
    began = boundary - (int(seen["steps"]) - recorded)
    return began, [began + each for each in seen["saved_after"] if began + each > boundary]
