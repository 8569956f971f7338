"""Run groups of processes on this machine or on an executor.

Any `concurrent.futures.Executor` works. It receives whole groups: each starts its processes where
it runs and sends back their records, so machines share nothing but the installed package.
"""

import io
import os
import tarfile
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, wait
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ckptcheck.cores import cores
from ckptcheck.errors import NotVerifiedError, UsageError
from ckptcheck.run.dask import Place
from ckptcheck.run.worker_pool import Event, Workers


@dataclass(frozen=True)
class Group:
    """Processes that share a folder: a control and the runs resumed from it, or one training run.

    Attributes:
        first: The `ckptcheck.run.worker_pool.Task` to begin with; its folder is relative.
        restores: The restores to submit as further tasks each time the first task emits a boundary;
            None: all that the job describes. A resumed run that emits one is resumed, too.
        also: Tasks that wait for nothing.
        files: The contents of files that the processes need, by their path below the top folder.
    """

    first: Any
    restores: tuple[str, ...] | None = ()
    also: tuple[Any, ...] = ()
    files: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True)
class Needs:
    """What the processes of all groups need.

    Attributes:
        modules: The modules to import before the processes start.
        hash_seeds: Every value of PYTHONHASHSEED in use.
        timeout: The seconds of silence after which a process is killed.
        directory: The working directory, used where the machine has it.
    """

    modules: tuple[str, ...]
    hash_seeds: tuple[str, ...]
    timeout: float
    directory: str = field(default_factory=os.getcwd)


def run(
    groups: Sequence[Group], top: Path, needs: Needs, place: Place | None = None
) -> Iterator[Event]:
    """Run all groups in parallel below the folder `top`; yield the events of their processes.

    Raises:
        NotVerifiedError: The framework cannot be imported, or the executor has lost its machines.
    """
    return (
        _here(groups, top, needs, cores())
        if place is None
        else _elsewhere(groups, top, needs, place)
    )


def _here(groups: Sequence[Group], top: Path, needs: Needs, cores: int) -> Iterator[Event]:
    restores = {group.first.name: group.restores for group in groups}
    directory = Path(needs.directory) if Path(needs.directory).is_dir() else top
    with Workers(
        needs.modules, needs.hash_seeds, cores, needs.timeout, logs=top, directory=directory
    ) as workers:
        for group in groups:
            _write(group.files, top)
            for relative in (group.first, *group.also):
                task = replace(relative, folder=str(top / relative.folder))
                workers.submit(task)
                yield Event(task, "submitted", {})
        for event in workers.events():
            if event.kind == "described" and restores.get(event.name, ()) is None:
                restores[event.name] = tuple(event.facts["restores"])
            if event.kind == "boundary":
                for task in _following(event, restores.get(event.name) or ()):
                    workers.submit(task)
            yield event


def _following(event: Event, restores: Sequence[str]) -> Iterator[Any]:
    """Yield the tasks of the runs that are resumed from the boundary that an event reports."""
    task, boundary = event.task, event.facts["boundary"]
    if task.restore is not None:  # a resumed run that saved: it is resumed, too
        yield replace(task, boundary=boundary, after=task.boundary)
    for restore in restores:
        yield replace(task, restore=restore, boundary=boundary)


def _write(files: Mapping[str, bytes], top: Path) -> None:
    for name, content in files.items():
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        (top / name).write_bytes(content)


def _elsewhere(groups: Sequence[Group], top: Path, needs: Needs, place: Place) -> Iterator[Event]:
    waiting = {place.executor.submit(run_alone, group, needs): group for group in groups}
    try:
        for group in waiting.values():
            yield Event(group.first, "submitted", {})
        while waiting:
            ended, _ = wait(waiting, timeout=1.0, return_when=FIRST_COMPLETED)
            in_order = [future for future in waiting if future in ended]
            for future in in_order:
                yield from _unpacked(future, waiting.pop(future), top)
            if not ended:
                place.check()
    finally:
        for future in waiting:
            future.cancel()


def run_alone(group: Group, needs: Needs) -> tuple[list[Event], bytes]:
    """Run one group here, on one core; return its events and its records as a tar archive."""
    with tempfile.TemporaryDirectory(prefix="ckptcheck-", ignore_cleanup_errors=True) as temporary:
        top, packed, folder = Path(temporary), io.BytesIO(), group.first.folder
        events = [
            event
            for event in _here([group], top, needs, cores=1)
            if event.kind not in ("submitted", "step")
        ]
        with tarfile.open(fileobj=packed, mode="w") as archive:
            # A link may point anywhere; the crash image holds a copy of its target.
            archive.add(
                top / folder, folder, filter=lambda member: None if member.issym() else member
            )
        return events, packed.getvalue()


def _merge(source: Path, target: Path) -> None:
    """Move a folder to its target, or its contents if the target exists."""
    if not target.exists():
        source.replace(target)
        return
    for path in source.iterdir():
        path.replace(target / path.name)


def _trouble(error: Exception) -> str:
    if isinstance(error, NotVerifiedError):  # of this one machine: the others' records are kept
        return str(error)
    if isinstance(error, CancelledError):
        return "the executor cancelled it: its machines, or the connection to them, were lost"
    needed = "Install ckptcheck on its machines, with memory for one run on each of their threads"
    return f"the executor could not run it ({type(error).__name__}: {error}). {needed}"


def _unpacked(
    future: "Future[tuple[list[Event], bytes]]", group: Group, top: Path
) -> Iterator[Event]:
    try:
        events, packed = future.result()
    except UsageError:
        raise
    except Exception as error:
        yield Event(group.first, "ended", {"status": 3, "trouble": _trouble(error)})
        return
    # Unpacked beside the target, so that a run is there whole or not at all.
    with (
        tempfile.TemporaryDirectory(dir=top) as unpacked,
        tarfile.open(fileobj=io.BytesIO(packed)) as archive,
    ):
        archive.extractall(unpacked, filter="data")
        _merge(Path(unpacked) / group.first.folder, top / group.first.folder)
    yield from events
