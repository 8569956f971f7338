"""Put the edge to PyTorch in place: report what a process does with it."""

from collections.abc import Mapping
from typing import Any

from ckptcheck.adapters.torch import determinism
from ckptcheck.adapters.torch.arrays import added, as_loose_array
from ckptcheck.adapters.torch.observer import made, ranks, saves, steps
from ckptcheck.adapters.torch.observer.live import Live
from ckptcheck.observer.observation import Observation
from ckptcheck.observer.program import Program
from ckptcheck.observer.request import Request
from ckptcheck.observer.wrapping import note_failures_in


def observe(document: Mapping[str, Any]) -> None:
    """Observe this process from now on.

    Args:
        document: what the launcher asks for, see `Request.of`.
    """
    note_failures_in(document["folder"])
    program = Program(as_loose_array, added)
    request = Request.of(document)
    if request.setting:
        determinism.apply(request.setting)
    live = Live(program, request.is_accumulating)
    observation = Observation(request, live.read, live.counts, program, live.poison, ranks.rank)
    observation.sealed = live.sealed
    made.watch()
    ranks.watch()
    saves.watch(observation)
    steps.watch(observation, live)
