"""The one seam between what is to be run and where: here, in processes of this machine, or on an executor's machines.

Any `concurrent.futures.Executor` will do. What is handed to it is a whole group, which starts its processes where it is
run and sends back what they recorded, so that nothing need be shared but the installed package.
"""

import io
import os
import tarfile
import tempfile
from collections.abc import Iterator, Sequence
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
    """Processes that share a folder: a control and the runs resumed from it, or one training run."""

    first: Any  # the ckptcheck.run.worker_pool.Task to begin with, its folder relative to wherever the group is run
    # Each (None: each that the job says it has) is a task like the first, submitted when the first has emitted that it is past
    # its boundary, and again for each further boundary.
    restores: tuple[str, ...] | None = ()
    also: tuple[Any, ...] = ()  # tasks that wait for nothing


@dataclass(frozen=True)
class Needs:
    """What the processes of all groups need."""

    modules: tuple[str, ...]  # imported before they start
    hash_seeds: tuple[str, ...]
    timeout: float  # the seconds after which one that gives no sign of life is ended
    directory: str = field(
        default_factory=os.getcwd
    )  # that paths are relative to; an executor's machines may have it too


def run(
    groups: Sequence[Group], top: Path, needs: Needs, place: Place | None = None
) -> Iterator[Event]:
    """Run all groups below the folder `top`, side by side; yield what their processes emit.

    Raises `NotVerifiedError` where the framework cannot be imported, or the executor's machines cannot be reached.
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
            for relative in (group.first, *group.also):
                task = replace(relative, folder=str(top / relative.folder))
                workers.submit(task)
                yield Event(task, "submitted", {})
        for event in workers.events():
            if event.kind == "described" and restores.get(event.name, ()) is None:
                restores[event.name] = tuple(event.facts["restores"])
            if event.kind == "boundary":
                for restore in restores.get(event.name) or ():
                    workers.submit(
                        replace(event.task, restore=restore, boundary=event.facts["boundary"])
                    )
            yield event


def _elsewhere(groups: Sequence[Group], top: Path, needs: Needs, place: Place) -> Iterator[Event]:
    waiting = {place.executor.submit(run_alone, group, needs): group for group in groups}
    try:
        for group in waiting.values():
            yield Event(group.first, "submitted", {})
        while waiting:
            # After a second in which nothing came back, the executor is asked whether it is still there.
            ended, _ = wait(waiting, timeout=1.0, return_when=FIRST_COMPLETED)
            for future in [
                future for future in waiting if future in ended
            ]:  # as they were submitted
                yield from _brought_back(future, waiting.pop(future), top)
            if not ended:
                place.check()
    finally:
        for future in waiting:
            future.cancel()


def run_alone(group: Group, needs: Needs) -> tuple[list[Event], bytes]:
    """Run one group where this is called, on one core; return its events and, as a tar archive, what was recorded."""
    with tempfile.TemporaryDirectory(prefix="ckptcheck-", ignore_cleanup_errors=True) as temporary:
        top, packed, folder = Path(temporary), io.BytesIO(), group.first.folder
        events = [
            event
            for event in _here([group], top, needs, cores=1)
            if event.kind not in ("submitted", "step")
        ]
        with tarfile.open(fileobj=packed, mode="w") as archive:
            # A link may lead anywhere; the crash image holds what it led to.
            archive.add(
                top / folder, folder, filter=lambda member: None if member.issym() else member
            )
        return events, packed.getvalue()


def _put(source: Path, target: Path) -> None:
    """Move a folder into its place; where it is there already, move what it holds to what is there."""
    if not target.exists():
        source.replace(target)
        return
    for path in source.iterdir():
        path.replace(target / path.name)


def _trouble(error: Exception) -> str:
    if isinstance(
        error, NotVerifiedError
    ):  # of this one machine; what the others bring back is kept
        return str(error)
    if isinstance(error, CancelledError):
        return "the executor has it no longer: its machines, or the connection to them, were lost"
    needed = (
        "its machines need ckptcheck installed, and memory for one run on each of their threads"
    )
    return f"the executor could not run it ({type(error).__name__}: {error}); {needed}"


def _brought_back(
    future: "Future[tuple[list[Event], bytes]]", group: Group, top: Path
) -> Iterator[Event]:
    try:
        events, packed = future.result()
    except UsageError:
        raise
    except Exception as error:
        yield Event(group.first, "ended", {"status": 3, "trouble": _trouble(error)})
        return
    # A run is there whole or not at all.
    with (
        tempfile.TemporaryDirectory(dir=top) as unpacked,
        tarfile.open(fileobj=io.BytesIO(packed)) as archive,
    ):
        archive.extractall(unpacked, filter="data")
        _put(Path(unpacked) / group.first.folder, top / group.first.folder)
    yield from events
