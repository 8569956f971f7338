"""Progress on standard error: live bars on a terminal, else a line now and then."""

import time

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)

from ckptcheck.counts import counted
from ckptcheck.run.worker_pool import Event

STARTING = "starting the first processes"
ALL = "all runs"
# Where there is no terminal: seconds between two lines that say how far a process has come.
EVERY = 30.0


class ProgressView:
    """Show events of the processes: a context manager to call with each event.

    `counted`: for many processes of a known number, show how many are done instead of their bars.
    """

    def __init__(self, console: Console, *, counted: bool = False) -> None:
        self._console = console
        self._counted = counted
        self._bars: dict[str, TaskID] = {}
        self._totals: dict[str, int | None] = {}
        self._next_line = time.monotonic() + EVERY
        self._troubled: set[str] = set()
        self._start: TaskID | None = None
        self._all: TaskID | None = None
        self._kept = self._submitted = self._done = 0
        self._progress = Progress(
            SpinnerColumn(finished_text="✓"),
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )

    def __enter__(self) -> "ProgressView":
        self._progress.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._progress.stop()
        if not self._submitted:
            self._show_reused()

    def __call__(self, event: Event) -> None:
        """Show one event."""
        if event.kind == "kept":
            self._kept += 1
        elif event.kind == "submitted":
            self._submit()
        elif event.kind == "planned":
            text = f"ckptcheck: {event.name}: {event.facts['text']}"
            self._console.print(text, highlight=False, markup=False, soft_wrap=True)
        elif event.kind == "described":
            self._described(event)
        elif event.kind == "step" and event.name in self._bars:
            self._progress.update(self._bars[event.name], completed=event.facts["done"])
            self._say_how_far(event)
        elif event.kind in ("trouble", "raised"):
            self._troubled.add(event.name)
        elif event.kind == "ended":
            self._ended(event)

    def _submit(self) -> None:
        self._submitted += 1
        if self._submitted > 1:
            return
        self._show_reused()
        if self._console.is_terminal:
            self._start = self._progress.add_task(STARTING, total=None)
        else:
            self._console.print(f"ckptcheck: {STARTING} …", highlight=False)

    def _show_reused(self) -> None:
        if self._kept:
            runs = counted(self._kept, "finished run")
            self._console.print(f"ckptcheck: reusing {runs}", highlight=False)

    def _described(self, event: Event) -> None:
        if self._start is not None:
            self._progress.remove_task(self._start)
            self._start = None
            if self._counted:
                self._all = self._progress.add_task(
                    ALL, total=self._submitted, completed=self._done
                )
        total = self._totals[event.name] = event.facts["steps"]
        self._bars[event.name] = self._progress.add_task(
            event.name, total=total, completed=event.facts["first"]
        )

    def _say_how_far(self, event: Event) -> None:
        """Print how far a process has come, where there are no bars, and not too often."""
        if self._console.is_terminal or time.monotonic() < self._next_line:
            return
        self._next_line = time.monotonic() + EVERY
        total = self._totals[event.name]
        text = f"{event.name}: step {event.facts['done']}{f' of {total}' if total else ''}"
        self._console.print(f"ckptcheck: {text}", highlight=False, soft_wrap=True)

    def _ended(self, event: Event) -> None:
        self._done += 1
        done = event.facts.get("done")  # of a command: how long it is was not known before
        if event.name in self._bars:
            total = self._totals[event.name] if done is None else done
            self._progress.update(self._bars[event.name], total=total or 0, completed=total or 0)
            if self._counted:
                self._progress.remove_task(self._bars.pop(event.name))
        if self._all is not None:
            self._progress.update(self._all, completed=self._done)
        if not self._console.is_terminal:
            broken = event.facts["trouble"] or event.name in self._troubled
            count = f" ({self._done} of {self._submitted})" if self._counted else ""
            count += "" if done is None else f" at step {done}"
            text = f"ckptcheck: {event.name} {'did not finish' if broken else 'done'}{count}"
            self._console.print(text, highlight=False, soft_wrap=True)
