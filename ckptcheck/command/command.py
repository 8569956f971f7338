"""A command that trains, saves, and goes on when it is started again."""

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ckptcheck.command.metrics import pattern
from ckptcheck.counts import counted
from ckptcheck.errors import UsageError

# Stands for the folder that the command writes into.
RUN = "{run}"
# Modules that start the script in several processes.
_LAUNCHERS = ("torch.distributed.run", "torch.distributed.launch", "accelerate.commands.launch")


@dataclass(frozen=True)
class Saves:
    """Which saves of the control a run is resumed from.

    Attributes:
        numbers: the numbers of the saves, from 1; empty: the last.
        falls_back: whether one of them will do: the first that the command resumes from, or the
            only one that it makes.
    """

    # The first may be made before anything has moved. Of several kinds of saves, such as the best
    # weights, the next ones may be of the kind to resume from.
    numbers: tuple[int, ...] = (2, 3, 4)
    falls_back: bool = True

    @classmethod
    def parse(cls, text: str | int | None) -> "Saves":
        """Return what `N`, `last` or `K of N` asks for: K saves spread over the first N.

        Raises:
            UsageError: the text is none of these.
        """
        if text is None:
            return cls()
        words = str(text).split()
        if words == ["last"]:
            return cls((), falls_back=False)
        numbers = [int(word) for word in words if word.isdecimal()]
        if len(words) == 1 and numbers and numbers[0] > 0:
            return cls((numbers[0],), falls_back=False)
        if (
            len(words) == 3
            and words[1] == "of"
            and len(numbers) == 2
            and 0 < numbers[0] <= numbers[1]
        ):
            count, total = numbers
            spread = (round(total * place / count) for place in range(1, count + 1))
            return cls(tuple(dict.fromkeys(spread)), falls_back=False)
        raise UsageError(
            f"There is no save {text!r}. Write its number, `last`, or `2 of 10` for 2 saves spread "
            "over the first 10."
        )

    def and_next(self) -> "Saves":
        """Return these saves and the one after them, to resume from twice.

        Raises:
            UsageError: they are more than two, or there is none after them.
        """
        if not self.numbers or (len(self.numbers) > 2 and not self.falls_back):
            named = "the last save" if not self.numbers else counted(len(self.numbers), "save")
            raise UsageError(
                f"A run is resumed twice from two saves, not from {named}. Name one with --save, "
                "and the next one follows."
            )
        if self.falls_back or len(self.numbers) == 2:
            return self
        return replace(self, numbers=(*self.numbers, self.numbers[0] + 1))


@dataclass(frozen=True)
class Command:
    """A command and how it is to be verified.

    Attributes:
        arguments: the program and its arguments. `{run}` stands for the folder that it writes into.
        resume: further arguments when it is started again.
        writes: the folder that it writes into; None: it is named by `{run}`.
        saves: the saves to resume from.
        max_steps: the steps after which each run ends; 0: when it ends by itself.
        metric: the pattern of a metric in the output of a command that is not observed.
        title: how it is called in the report; empty: after its script or module.
        reports_itself: whether it reports its steps to the observer, instead of being watched.
    """

    arguments: tuple[str, ...]
    resume: tuple[str, ...] = ()
    writes: Path | None = None
    saves: Saves = Saves()
    max_steps: int = 0
    metric: re.Pattern[str] | None = None
    title: str = ""
    reports_itself: bool = False

    @property
    def name(self) -> str:
        """The script or the module that the command runs, as it is called in the report."""
        if self.title:
            return self.title
        for place, word in enumerate(self.arguments):
            after = self.arguments[place + 1 : place + 2]
            if word == "-m" and after and after[0] not in _LAUNCHERS:
                return after[0]
            if word.endswith((".py", ".sh")):
                return Path(word).name
        return Path(self.arguments[0]).name

    def words(self, run: Path, is_resumed: bool) -> list[str]:
        """Return the program and its arguments for a run that writes into a folder."""
        words = (*self.arguments, *(self.resume if is_resumed else ()))
        return [word.replace(RUN, str(run)) for word in words]


def as_command(
    arguments: Sequence[str],
    resume: str | Sequence[str] | None = None,
    writes: Path | str | None = None,
    save: str | int | None = None,
    max_steps: int | None = None,
    metric: str | None = None,
) -> Command:
    """Return a command as a user gives it.

    Raises:
        UsageError: it is empty, or does not say which folder it writes into.
    """
    arguments = _words(arguments)
    if not arguments or not arguments[0]:
        raise UsageError("The command is empty. Write it after --: -- python train.py --out {run}.")
    if RUN in arguments[0]:
        raise UsageError(
            f"{RUN} is a folder. Write the program before it: -- python train.py {RUN}."
        )
    further = _words(resume or ())
    if max_steps is not None and max_steps < 2:
        raise UsageError(
            f"A run of {counted(max_steps, 'step')} cannot be resumed. Ask for at least 2."
        )
    if writes is not None and Path(writes).exists() and not Path(writes).is_dir():
        raise UsageError(f"{writes} is no folder. Name the folder that the command writes into.")
    command = Command(
        tuple(map(str, arguments)),
        tuple(further),
        None if writes is None else Path(writes).resolve(),
        Saves.parse(save),
        max_steps or 0,
        None if metric is None else pattern(metric),
    )
    if writes is None and not any(RUN in word for word in (*arguments, *further)):
        raise UsageError(
            "The command does not say where it writes its checkpoints. Put {run} in place of that "
            "folder, as in -- python train.py --out {run}, or name the folder with --writes DIR."
        )
    return command


def _words(given: str | Sequence[str]) -> list[str]:
    """Return words as a shell would split them, where they are one text."""
    try:
        return shlex.split(given) if isinstance(given, str) else list(given)
    except ValueError as error:
        raise UsageError(f"{given!r} cannot be split into words: {error}.") from error
