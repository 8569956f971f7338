"""Kinds of state that a job's author declares, by pattern of the names of tensors."""

from collections.abc import Mapping
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Any

from ckptcheck.errors import UsageError, unknown
from ckptcheck.job.protocol import Tensor
from ckptcheck.kinds import Kind


def as_kinds(declared: Mapping[str, Any] | None, where: str) -> dict[str, str]:
    """Return declared kinds as their values.

    Args:
        declared: A `Kind` or its value, by pattern of names such as `grad_acc*`.
        where: What holds them, for an error.

    Raises:
        UsageError: They are no mapping, or a kind does not exist.
    """
    if declared is not None and not isinstance(declared, Mapping):
        raise UsageError(
            f"{where} must be a mapping such as {{'grad_acc*': 'accumulator'}}, not {declared!r}."
        )
    known = [kind.value for kind in Kind]
    kinds: dict[str, Any] = {
        pattern: getattr(kind, "value", kind) for pattern, kind in (declared or {}).items()
    }
    for kind in kinds.values():
        if kind not in known:
            raise unknown(f"kind of state for {where}", str(kind), known)
    return dict(kinds)


def with_kinds(state: Mapping[str, Tensor], kinds: Mapping[str, str]) -> dict[str, Tensor]:
    """Return a state with declared kinds: a pattern matches a whole name, or its last part."""
    if not kinds:
        return dict(state)
    return {
        name: replace(tensor, kind=Kind(kind)) if (kind := _kind_of(name, kinds)) else tensor
        for name, tensor in state.items()
    }


def _kind_of(name: str, kinds: Mapping[str, str]) -> str | None:
    parts = (name, name.rpartition("/")[2])
    return next(
        (
            kind
            for pattern, kind in kinds.items()
            if any(fnmatchcase(part, pattern) for part in parts)
        ),
        None,
    )
