"""What the launcher asks of the observer, as a JSON file that an environment variable names."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any


@dataclass(frozen=True)
class Fault:
    """What is wrong with the disk of a program from one of its steps on.

    Attributes:
        after: the steps done at which it begins, right before the next step.
        limit: the size that no file can grow past, in bytes; None: the folder is read-only.
    """

    after: int
    limit: int | None = None


@dataclass(frozen=True)
class Request:
    """What one run of a command is to record.

    Attributes:
        role: `control` or `resumed`.
        job: the name of the command in the report.
        restore: the name of the restore in a resumed run; None in a control.
        folder: the folder of the record.
        writes: the folder that the command writes its checkpoints into.
        images: the folder that crash images are copied into.
        saves: the numbers of the saves to keep an image of, counted from 1; empty: the last.
        falls_back: whether the first save will do, where the program makes only one.
        boundary: the steps in the checkpoint that a resumed run starts from.
        max_steps: end the program after so many steps; 0: never.
        kinds: the declared kinds of tensors, by pattern of their names.
        is_accumulating: whether the control held gradients of an unfinished step there.
        late_files: the files outside of `writes` that the control wrote after that checkpoint.
        setting: what the framework shall do to make the run reproducible; empty: nothing.
        restored: the digests of the control's tensors at the boundary of a resumed run.
        image_after: the steps of its own after which a resumed run's folder is copied; 0: never.
        points: the steps done at which the control's state is recorded, saved or not.
        shows_each_step: whether the progress shows every step at once, for one who kills by it.
        reports_itself: whether the program reports its steps; its framework is not watched then.
        fault: what is wrong with the disk; None: nothing.
    """

    role: str
    job: str
    restore: str | None
    folder: str
    writes: str
    images: str
    saves: tuple[int, ...] = (2, 3, 4)
    falls_back: bool = True
    boundary: int = 0
    max_steps: int = 0
    kinds: Mapping[str, str] = field(default_factory=dict)
    is_accumulating: bool = False
    late_files: tuple[str, ...] = ()
    restored: tuple[str, ...] = ()
    setting: str = ""
    image_after: int = 0
    points: tuple[int, ...] = ()
    shows_each_step: bool = False
    reports_itself: bool = False
    fault: Fault | None = None

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> "Request":
        """Return the request in a JSON document, which holds more than that."""
        known = {each.name: document[each.name] for each in fields(cls) if each.name in document}
        lists = {
            name: tuple(document.get(name, ()))
            for name in ("saves", "restored", "late_files", "points")
        }
        fault = document.get("fault")
        return cls(**known | lists | {"fault": Fault(**fault) if fault else None})

    @property
    def is_control(self) -> bool:
        """Whether the run is a control."""
        return self.restore is None
