"""Saves as file events show them from outside of a process."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ckptcheck.checkpoints.contents import ARRAYS
from ckptcheck.observer.files import may_be_checkpoint

CREATE, MODIFY, CLOSE, MOVE, DELETE = "create", "modify", "close", "move", "delete"
# The share of the steps at which a record of the training is written.
_NEARLY = 0.8


@dataclass(frozen=True)
class FileEvent:
    """A change of a file in the folder of a command.

    Attributes:
        done: the steps that the command had done.
        at: the time, in seconds since 1970.
        path: the file, relative to the folder.
        what: `create`, `modify`, `close`, `move` or `delete`.
    """

    done: int
    at: float
    path: str
    what: str


@dataclass(frozen=True)
class Save:
    """A save, as a run that was not killed made it.

    Attributes:
        done: the steps done before it.
        begins: the steps that were seen to be done when it began: one less, where steps are
            noticed late.
        ended: the steps done at its last event: more than `done` if a thread saves.
        seconds: the time from its first file event to the last.
        uncommitted: the number of its file events before the last rename, or else the last close.
    """

    done: int
    begins: int
    ended: int
    seconds: float
    uncommitted: int


def is_of_save(event: FileEvent, begins: int) -> bool:
    """Return whether an event is part of a save that begins after so many steps.

    While no step is made, every file counts; later, what may be a log does not.
    """
    return event.done == begins or (event.done > begins and may_be_checkpoint(event.path))


def routine_of(wrote: Mapping[str, Sequence[int]], steps: int, *, is_known: bool) -> frozenset[str]:
    """Return the files of arrays that are written at nearly each step, while checkpoints are not.

    Such a file is a record of the training, as of its losses.

    Args:
        wrote: the steps done at each write, by file.
        steps: the length of the run.
        is_known: whether a framework saved the checkpoints; else, they are among these files.
    """
    often = {path for path, dones in wrote.items() if len(dones) >= max(3, _NEARLY * steps)}
    routine = frozenset(path for path in often if path.endswith(ARRAYS))
    return routine if is_known or often < wrote.keys() else frozenset()


def saves_of(dones: Sequence[int], steps: int, events: Iterable[FileEvent]) -> list[Save]:
    """Return the saves of a run: each has the events up to the next one, or to the end.

    Args:
        dones: the steps done at each save, rising.
        steps: the length of the run. What is saved after the last step is of no save.
        events: the file events, in order.
    """
    events = [each for each in events if each.done < steps]
    is_late = not any(each.done in dones for each in events)
    begins = [done - is_late for done in dones]
    return [
        # In the step before the next save, a file of that save may be opened already.
        _save(done, begun, [each for each in events if each.done < max(begun + 1, later - 1)])
        for done, begun, later in zip(dones, begins, [*begins[1:], steps], strict=True)
    ]


def without_repeats(events: Iterable[FileEvent]) -> list[FileEvent]:
    """Return events without the further writes to a file that follow one at once.

    How many of them are reported depends on how fast they are read.
    """
    kept: list[FileEvent] = []
    for event in events:
        is_further = event.what == MODIFY and bool(kept)
        if not (is_further and (kept[-1].path, kept[-1].what) == (event.path, MODIFY)):
            kept.append(event)
    return kept


def _save(done: int, begins: int, events: Sequence[FileEvent]) -> Save:
    found = without_repeats(each for each in events if is_of_save(each, begins))
    ended = max([done, *(each.done for each in found)])
    seconds = found[-1].at - found[0].at if found else 0.0
    return Save(done, begins, ended, seconds, _commit(found))


def _commit(events: Sequence[FileEvent]) -> int:
    """Return the place of the last rename among events, or else of the last close."""
    places = [place for place, each in enumerate(events) if each.what in (MOVE, CLOSE)]
    return places[-1] if places else len(events)
