"""How far each process is, on standard error: live bars on a terminal, a line per finished process elsewhere."""

from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from ckptcheck.processes import Event

STARTING = "starting; TensorFlow takes some seconds to import"


class ProgressView:
    """Shows events of the processes. Use as a context manager and call it with each event."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bars: dict[str, TaskID] = {}
        self._totals: dict[str, int] = {}
        self._troubled: set[str] = set()
        self._progress = Progress(
            SpinnerColumn(finished_text="✓"),
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )

    def __enter__(self) -> "ProgressView":
        self._progress.start()
        self._start = self._progress.add_task(STARTING, total=None) if self._console.is_terminal else None
        if self._start is None:
            self._console.print(f"ckptcheck: {STARTING} …", highlight=False)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._progress.stop()

    def __call__(self, event: Event) -> None:
        """Show one event."""
        if event.kind == "described":
            self._described(event)
        elif event.kind == "step" and event.name in self._bars:
            self._progress.update(self._bars[event.name], completed=event.facts["done"])
        elif event.kind == "trouble":
            self._troubled.add(event.name)
        elif event.kind == "ended":
            self._ended(event)

    def _described(self, event: Event) -> None:
        if self._start is not None:
            self._progress.remove_task(self._start)
            self._start = None
        total = self._totals[event.name] = event.facts["steps"]
        done = 0 if event.name.endswith(" control") else event.facts["boundary"]
        self._bars[event.name] = self._progress.add_task(event.name, total=total, completed=done)

    def _ended(self, event: Event) -> None:
        if event.name in self._bars:
            self._progress.update(self._bars[event.name], completed=self._totals[event.name])
        if not self._console.is_terminal:
            broken = event.facts["trouble"] or event.name in self._troubled
            self._console.print(f"ckptcheck: {event.name} {'did not finish' if broken else 'done'}", highlight=False)
