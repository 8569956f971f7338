"""How a crash state comes about, in a few words."""

from collections.abc import Sequence

from ckptcheck.crash_states.operations import Act, Operation
from ckptcheck.text_safety import in_one_line

# The names of files that a description holds; of more, their number.
_MOST_NAMES = 2


def done_so_far(operation: Operation, done: int, total: int) -> str:
    """Describe the state right after an operation."""
    return f"{_when(done, total)}: {_what(operation)}"


def half_done(operation: Operation, count: int, done: int, total: int) -> str:
    """Describe the state in the middle of a write."""
    path, size = in_one_line(operation.path), operation.size
    part = "half" if count == size // 2 else "the first"
    return f"{_when(done, total)}: {part} of {size:,} bytes is written to {path}"


def unsynced(lost: Sequence[str], done: int, total: int) -> str:
    """Describe the state in which names are on disk, and the data of some files is not."""
    owner = "their names are" if len(lost) > 1 else "its name is"
    return f"power loss {_when(done, total)}: data of {_listed(lost)} not on disk, {owner}"


def committed(done: int, total: int, is_synced: bool) -> str:
    """Describe the state in which only the last `fsync` is on disk."""
    what = "nothing after the last fsync" if is_synced else "nothing of the save"
    return f"power loss {_when(done, total)}: {what} is on disk"


def _when(done: int, total: int) -> str:
    if done == total:
        return "after the save"
    return f"after {done:,} of {total:,} operations"


def _what(operation: Operation) -> str:
    """Describe an operation that changes names or bytes."""
    path, target = in_one_line(operation.path), in_one_line(operation.target)
    size = f"{operation.size:,} byte{'s' * (operation.size != 1)}"
    return {
        Act.CREATE: f"{path} is created",
        Act.WRITE: f"{size} {'is' if operation.size == 1 else 'are'} written to {path}",
        Act.TRUNCATE: f"{path} is set to {size}" if operation.size else f"{path} is emptied",
        Act.EXTEND: f"{path} is extended to {size}",
        Act.RENAME: f"{path} is renamed to {target}",
        Act.EXCHANGE: f"{path} and {target} are swapped",
        Act.UNLINK: f"{path} is deleted",
        Act.LINK: f"{target} is made a second name of {path}",
        Act.SYMLINK: f"{path} is made a link to {target}",
        Act.MKDIR: f"the folder {path} is made",
        Act.RMDIR: f"the folder {path} is deleted",
        Act.ARRIVE: f"{path} is moved in",
    }[operation.act]


def _listed(paths: Sequence[str]) -> str:
    names = ", ".join(in_one_line(path) for path in paths[:_MOST_NAMES])
    more = len(paths) - _MOST_NAMES
    return f"{names} and {more} more" if more > 0 else names
