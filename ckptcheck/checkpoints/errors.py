"""Errors of checkpoint files; each names the file, the offset and the tensor."""

from pathlib import Path

from ckptcheck.errors import CkptcheckError
from ckptcheck.text_safety import clipped, shown

# Most characters of a quoted name: a forged file may hold a name of millions.
_LONGEST = 300


class DamagedError(CkptcheckError):
    """A checkpoint file is truncated, corrupt, forged, or from a different save."""

    exit_code = 3

    def __init__(
        self,
        what: str,
        file: Path,
        offset: int | None = None,
        tensor: str | None = None,
        remedy: str = "",
    ) -> None:
        self.what, self.file, self.offset, self.tensor = what, file, offset, tensor
        self.remedy = remedy
        at = "" if offset is None else f", byte {offset:,}"
        of_tensor = "" if tensor is None else f", tensor {clipped(shown(tensor), _LONGEST)}"
        fix = f"; {remedy}" if remedy else ""
        super().__init__(f"{shown(str(file))}{at}{of_tensor}: {what}{fix}.")


class TooShortError(DamagedError):
    """A file ends before the bytes that it should hold."""


class WrongChecksumError(DamagedError):
    """Bytes are not those that a checksum was made of: a reader that compares none loads them."""


class NotReadableError(DamagedError):
    """A file shows no damage, but its content is not supported."""
