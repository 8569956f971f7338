"""Run on any `concurrent.futures.Executor`, or on a Dask cluster by its address."""

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
# Seconds that a cluster may be without workers: an adaptive cluster starts with none.
WITHOUT_WORKERS = 30.0


@dataclass(frozen=True)
class Place:
    """An executor, and a `check` that raises `NotVerifiedError` once it has lost its machines."""

    executor: Executor
    check: Callable[[], None] = lambda: None


@contextmanager
def opened(executor: Executor | str | None) -> Iterator[Place | None]:
    """Yield the place to run: None is this machine, a string the address of a cluster."""
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
            f"The executor {address!r} is not the address of a Dask scheduler. "
            "Write dask://HOST:PORT."
        )
    host = match[1]  # with its port
    try:
        import distributed  # an optional extra
    except ModuleNotFoundError as error:
        raise NotVerifiedError(
            f"The executor {address} needs the package {error.name}, which is not installed. "
            "Install it: pip install 'ckptcheck[dask]'"
        ) from None
    # Errors here replace Dask's logged tracebacks. Its client has its own log level.
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
            f"No Dask scheduler answers at {host}: {why}. Check the address, or start the "
            "scheduler with `dask scheduler`."
        ) from error
    try:
        with contextlib.closing(client):
            # Not pure: the cluster must not reuse an earlier result.
            yield Place(client.get_executor(pure=False), _watch(client, host))
    finally:
        for logger, level in levels.items():
            logger.setLevel(level)


def _watch(client: Any, address: str) -> Callable[[], None]:
    """Return a check that a Dask client still has its scheduler and workers."""
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
