"""Where else to run: any `concurrent.futures.Executor`, or a Dask cluster by its address."""

import contextlib
import logging
import re
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from ckptcheck.errors import NotVerifiedError, UsageError

CONNECT_TIMEOUT = 10.0  # seconds
# How long a cluster may be without workers, in seconds: one that grows on demand begins with none.
WITHOUT_WORKERS = 30.0


@dataclass(frozen=True)
class Place:
    """An executor, and a way to ask whether it still has machines: `check` raises NotVerifiedError if it has not."""

    executor: Executor
    check: Callable[[], None] = lambda: None


@contextmanager
def opened(executor: Executor | str | None) -> Iterator[Place | None]:
    """Yield the place that is meant: None is this machine, a text is the address of a cluster."""
    if executor is None:
        yield None
    elif isinstance(executor, str):
        with _dask(executor) as place:
            yield place
    else:
        yield Place(executor)


@contextmanager
def _dask(address: str) -> Iterator[Place]:
    match = re.fullmatch(r"dask://((?:[\w.-]+|\[[0-9a-fA-F:]+\]):\d+)", address)
    if not match:
        raise UsageError(
            f"An executor is given as dask://HOST:PORT, the address of a Dask scheduler, not {address!r}."
        )
    host = match[1]  # and its port
    try:
        import distributed  # an extra: not everybody has it
    except ModuleNotFoundError as error:
        raise UsageError(
            f"{address} needs the package {error.name}, which is not installed: pip install 'ckptcheck[dask]'."
        ) from None
    # What it logs of lost connections, with tracebacks, is said here in a sentence. Its client has a level of its own.
    levels = {
        logger: logger.level
        for logger in map(logging.getLogger, ("distributed", "distributed.client"))
    }
    for logger in levels:
        logger.setLevel(logging.CRITICAL)
    try:
        client: Any = distributed.Client(
            f"tcp://{host}", timeout=CONNECT_TIMEOUT, set_as_default=False
        )  # type: ignore[no-untyped-call]
    except (OSError, TimeoutError) as error:
        why = str(error).splitlines()[0]
        raise NotVerifiedError(
            f"No Dask scheduler answers at {host}: {why}. Is it running, and is this its address?"
        ) from error
    try:
        with contextlib.closing(client):
            # Not pure: every run is a fresh one, whatever the cluster has computed before.
            yield Place(client.get_executor(pure=False), _watch(client, host))
    finally:
        for logger, level in levels.items():
            logger.setLevel(level)


def _watch(client: Any, address: str) -> Callable[[], None]:
    """Return what asks a Dask client whether its cluster is still there."""
    with_workers = time.monotonic()

    def check() -> None:
        nonlocal with_workers
        if client.status == "closed":
            raise NotVerifiedError(f"The Dask scheduler at {address} no longer answers.")
        if client.status != "running" or client.scheduler_info(n_workers=-1)["workers"]:
            with_workers = time.monotonic()
        elif time.monotonic() - with_workers > WITHOUT_WORKERS:
            raise NotVerifiedError(
                f"The Dask cluster at {address} has had no workers for {WITHOUT_WORKERS:g} s. "
                f"Start some with `dask worker {address}`."
            )

    return check
