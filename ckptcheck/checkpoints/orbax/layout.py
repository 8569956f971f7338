"""The folders of Orbax: an item, a step with its items, and the root of a CheckpointManager.

An item is the folder of one tree, with `_METADATA`. A step has items, or is one. A save writes
`NAME.orbax-checkpoint-tmp` and renames it at its end. On gs://, where nothing can be renamed, it
writes `commit_success.txt` last instead; release 0.12 writes that file everywhere.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ckptcheck.checkpoints.format import name_of

TREE, STEP, MANIFEST = "_METADATA", "_CHECKPOINT_METADATA", "manifest.ocdbt"
COMMITTED = "commit_success.txt"
# What the handlers of JSON and of metrics write.
TEXTS = ("metadata", "metrics")
OLD = "checkpoint"  # in which old releases keep small values
DEFAULT = "default"  # the item of a step that was saved without a name

_TEMPORARY = ".orbax-checkpoint-tmp"
_OF_PROCESS = "ocdbt.process_"
_NUMBERED = re.compile(r"(?:.*_)?(\d{1,18})")
_TREE_HANDLERS = ("StandardCheckpointHandler", "PyTreeCheckpointHandler")
_DEEPEST = 3  # an item of random keys holds items
_LARGEST = 1 << 24  # bytes of a step's metadata
_HIDDEN = (".zarray", ".zgroup", ".zattrs")  # of those that Orbax writes


def is_temporary(folder: Path) -> bool:
    """Return whether a folder is that of an unfinished save."""
    return _TEMPORARY in folder.name and folder.is_dir()


def number(folder: Path) -> int | None:
    """Return the step that the name of a folder says, as `5`, `00005` or `prefix_5`."""
    numbered = _NUMBERED.fullmatch(name_of(folder))
    return int(numbered[1]) if numbered else None


def is_item(folder: Path) -> bool:
    """Return whether a folder holds one tree."""
    return (folder / TREE).is_file()


def is_step(folder: Path) -> bool:
    """Return whether a folder is an item, or has items: old releases mark no step."""
    if is_item(folder) or (folder / STEP).is_file():
        return True
    return number(folder) is not None and any(
        is_item(each) and number(each) is None and not (each / STEP).is_file()
        for each in _subfolders(folder)
    )


def numbered(root: Path) -> list[Path]:
    """Return the folders that CheckpointManager takes for steps by their names, by number."""
    found = [each for each in _subfolders(root) if number(each) is not None]
    return sorted(found, key=lambda each: number(each) or 0)


def steps(root: Path) -> list[Path]:
    """Return the folders that are steps by name and content, by number."""
    return [each for each in numbered(root) if is_step(each)]


def trees(folder: Path, deepest: int = _DEEPEST) -> Iterator[Path]:
    """Yield the items of a step that are trees: the folder itself, or those in it."""
    if is_item(folder):
        yield folder
    elif deepest:
        for each in _subfolders(folder):
            yield from trees(each, deepest - 1)


def texts(folder: Path, deepest: int = _DEEPEST) -> Iterator[Path]:
    """Yield the JSON files of a step's items."""
    if is_item(folder) or not deepest:
        return
    for each in _subfolders(folder):
        if not is_item(each):
            yield from (file for name in TEXTS if (file := each / name).is_file())
            yield from texts(each, deepest - 1)


def files(folder: Path) -> Iterator[Path]:
    """Yield the files of a step or an item."""
    for each in sorted(folder.rglob("*")):
        is_own = not each.name.startswith(".") or each.name in _HIDDEN
        if is_own and each.is_file():
            yield each


def lacks(step: Path) -> str:
    """Return what an incomplete step lacks; empty: nothing that its metadata name."""
    named = _handlers(step)
    for name, handler in named.items():
        if not (step / name).is_dir():
            return f"the folder of its item {name}"
        if str(handler).endswith(_TREE_HANDLERS) and not is_item(step / name):
            return f"{name}/{TREE}"
        if not any(files(step / name)):
            return f"the content of its item {name}"
    found = list(trees(step))
    for item in found:
        if any(item.glob(f"{_OF_PROCESS}*")) and not (item / MANIFEST).is_file():
            return (item / MANIFEST).relative_to(step).as_posix()
    if not found and not named and not any(texts(step)):
        return TREE
    return ""


def _handlers(step: Path) -> dict[str, Any]:
    """Return the items that a step's metadata name, with their handlers; none of a sole tree."""
    try:
        if (step / STEP).stat().st_size > _LARGEST:
            return {}
        document = json.loads((step / STEP).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    named = document.get("item_handlers") if isinstance(document, dict) else None
    return {
        name: handler
        for name, handler in (named if isinstance(named, dict) else {}).items()
        if name and Path(name).name == name and name.isprintable() and len(name) < 200
    }


def _subfolders(folder: Path) -> list[Path]:
    """Return the subfolders of a folder, but none that is hidden or temporary."""
    if not folder.is_dir():
        return []
    return sorted(
        each
        for each in folder.iterdir()
        if not each.name.startswith((".", _OF_PROCESS)) and each.is_dir() and not is_temporary(each)
    )
