"""Put the edge to TensorFlow in place: report what a process does with it."""

from collections.abc import Mapping
from typing import Any

from ckptcheck.adapters.tensorflow.observer import fit, loops, saves, sessions
from ckptcheck.adapters.tensorflow.observer.live import Live
from ckptcheck.observer.observation import Observation
from ckptcheck.observer.request import Request
from ckptcheck.observer.wrapping import note_failures_in


def observe(document: Mapping[str, Any]) -> None:
    """Observe this process from now on.

    Args:
        document: what the launcher asks for, see `Request.of`.
    """
    note_failures_in(document["folder"])
    live = Live()
    counts = loops.Counts(live)
    observation = Observation(Request.of(document), live.read, counts.read, poison=live.poison)
    saves.watch(observation, live)
    sessions.watch(observation, live, counts)
    watcher = loops.Watcher(observation, counts)
    watcher.watch()
    fit.watch(observation, watcher, counts)
