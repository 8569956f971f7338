"""The rows of savers: save twice, enumerate the crash states of the second save, restore each."""

import json
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ckptcheck.crash_states.operations import Act
from ckptcheck.crash_states.states import CrashState, crash_states, write
from ckptcheck.crash_states.strace_log import read
from ckptcheck.drills.savers import processes
from ckptcheck.drills.savers.answers import Answer, Crash, Outcome, Row, State, Tried, judged
from ckptcheck.drills.savers.catalogue import Saver
from ckptcheck.drills.savers.places import Place
from ckptcheck.errors import NotVerifiedError
from ckptcheck.text_safety import first_sentence

# The numbers of the two saves.
OLD, NEW = 1, 2


@dataclass(frozen=True)
class _Saved:
    """A saver that has saved twice.

    Attributes:
        saver: the saver.
        place: where its files are.
        states: the crash states of the second save.
        trouble: why there are none; empty: there are.
    """

    saver: Saver
    place: Place
    states: Sequence[CrashState] = field(default=(), repr=False)
    trouble: str = ""

    def items(self) -> list[dict[str, str]]:
        """Return what is restored: both whole saves, and each crash state."""
        if self.trouble:
            return []
        numbers = [-OLD, -NEW, *(state.number for state in self.states)]
        item = _item(self.saver, self.place)
        return [{**item, "found": str(self.place.found(number))} for number in numbers]

    def write_states(self) -> None:
        """Write what is restored, each into a folder of its own."""
        for number in (OLD, NEW) if not self.trouble else ():
            shutil.copytree(self.place.image(number), self.place.found(-number), symlinks=True)
        for state in self.states:
            write(state, self.place.found(state.number))


def rows_of(savers: Sequence[Saver], top: Path) -> list[Row]:
    """Return the rows of savers that one process can import.

    Args:
        savers: the savers.
        top: the folder for their files.
    """
    folder = Path(tempfile.mkdtemp(dir=top))
    items = [_item(saver, Place(folder / saver.name)) for saver in savers]
    log = folder / "strace.log"
    trouble = processes.write(items, folder, log)
    saved = [_saved(saver, Place(folder / saver.name), log, trouble) for saver in savers]
    for each in saved:
        each.write_states()
    try:
        answers = processes.restore([item for each in saved for item in each.items()], folder)
    except NotVerifiedError as error:
        return [Row(saver, trouble=str(error)) for saver in savers]
    rows = []
    for each in saved:
        count = len(each.items())
        rows.append(_row(each, answers[:count]))
        del answers[:count]
    return rows


def _item(saver: Saver, place: Place) -> dict[str, str]:
    return {"name": saver.name, "script": saver.script, "folder": str(place.folder)}


def _saved(saver: Saver, place: Place, log: Path, trouble: str) -> _Saved:
    """Return what a saver came to, given why its process ended badly, if it did."""
    try:
        return _Saved(saver, place, _states(place, log, trouble))
    except NotVerifiedError as error:
        return _Saved(saver, place, trouble=str(error))


def _states(place: Place, log: Path, trouble: str) -> list[CrashState]:
    if place.trouble.exists():
        *_, last = place.trouble.read_text(encoding="utf-8").strip().splitlines()
        raise NotVerifiedError(f"It does not save: {first_sentence(last)}")
    if not place.states.exists() or len(_both(place)) < NEW:
        raise NotVerifiedError(trouble or "It does not save twice.")
    marks = {each.path: each.time for each in read(log, place.marks) if each.act is Act.CREATE}
    begins, ends = marks[place.goes_on(OLD)], marks[place.done(NEW)]
    of_save = [each for each in read(log, place.run) if begins < each.time < ends]
    if not of_save:
        raise NotVerifiedError("Its second save changes no file.")
    return list(crash_states(place.image(OLD), place.image(NEW), of_save, apart=True))


def _both(place: Place) -> list[State]:
    """Return the states that were saved."""
    states: list[State] = json.loads(place.states.read_text(encoding="utf-8"))
    return states


def _row(saved: _Saved, answers: Sequence[Answer]) -> Row:
    """Return the row of a saver, given what each of its `items` restores to."""
    if saved.trouble:
        return Row(saved.saver, trouble=saved.trouble)
    old, new, *_ = _both(saved.place)
    for answer, expected in zip(answers, (Outcome.OLD, Outcome.NEW), strict=False):
        outcome, reason = judged(answer, old, new)
        if outcome is not expected:  # then the restores below prove nothing
            why = f"The {expected.value} state was saved whole and is not restored. {reason}"
            return Row(saved.saver, trouble=why.strip())
    tried = [
        Tried(Crash.of(state.family), state.description, *judged(answer, old, new))
        for state, answer in zip(saved.states, answers[NEW:], strict=True)
    ]
    return Row(saved.saver, tried)
