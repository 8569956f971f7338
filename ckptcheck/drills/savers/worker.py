"""A process that runs savers: it writes their checkpoints, or restores from crash states.

    python -m ckptcheck.drills.savers.worker write JOB.json
    python -m ckptcheck.drills.savers.worker restore JOB.json ANSWERS.jsonl

A framework takes seconds to import, so one process runs all the savers of a framework.
"""

import importlib
import json
import shutil
import sys
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ckptcheck.drills.savers.places import Place
from ckptcheck.run.digests import digest
from ckptcheck.text_safety import first_sentence

# The arrays of a restored state by name, of each its digest.
State = dict[str, str]
_Functions = tuple[Callable[..., None], Callable[[Path], Mapping[str, Any] | None]]


def main(arguments: list[str]) -> int:
    """Do what the arguments ask for; the exit status is 0 once all was tried."""
    what, job, *more = arguments
    items = json.loads(Path(job).read_text(encoding="utf-8"))
    if what == "write":
        for item in items:
            _write(item)
        return 0
    with Path(more[0]).open("a", encoding="utf-8") as answers:
        for item in items:
            print(json.dumps(_restored(item)), file=answers, flush=True)
    return 0


def _functions(item: Mapping[str, str]) -> _Functions:
    functions: _Functions = importlib.import_module(item["script"]).SAVERS[item["name"]]
    return functions


def _write(item: Mapping[str, str]) -> None:
    place = Place(Path(item["folder"]))
    for folder in (place.run, place.marks, place.images):
        folder.mkdir(parents=True)
    states: list[State] = []

    def saved(state: Mapping[str, Any]) -> None:
        number = len(states) + 1
        (place.marks / place.done(number)).touch()
        states.append(_digests(state))
        shutil.copytree(place.run, place.image(number), symlinks=True)
        (place.marks / place.goes_on(number)).touch()

    try:
        _functions(item)[0](place.run, saved)
    except Exception:  # one saver that fails must not stop the rest
        place.trouble.write_text(traceback.format_exc(), encoding="utf-8")
    place.states.write_text(json.dumps(states), encoding="utf-8")


def _restored(item: Mapping[str, str]) -> dict[str, Any]:
    """Restore from a folder, in the place where it was written: some savers keep whole paths."""
    run = Place(Path(item["folder"])).run
    shutil.rmtree(run, ignore_errors=True)
    Path(item["found"]).rename(run)
    try:
        state = _functions(item)[1](run)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # that of torch.distributed.checkpoint is no Exception
        return {"raised": f"{type(error).__name__}: {first_sentence(str(error))}"}
    return {"restored": None if state is None else _digests(state)}


def _digests(state: Mapping[str, Any]) -> State:
    return {name: digest(np.asarray(value)) for name, value in state.items()}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
