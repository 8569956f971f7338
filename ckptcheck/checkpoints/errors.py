"""What is wrong with a checkpoint's files, as an error that names the file, the place in it, and the tensor."""

from pathlib import Path

from ckptcheck.errors import CkptcheckError
from ckptcheck.text_safety import clipped, shown

# Characters of a name in a sentence; a forged one may have millions.
_LONGEST = 300


class DamagedError(CkptcheckError):
    """A file of a checkpoint cannot be read as what it is: torn, corrupt, forged, or of another save."""

    exit_code = 3

    def __init__(
        self, what: str, file: Path, offset: int | None = None, tensor: str | None = None
    ) -> None:
        self.what, self.file, self.offset, self.tensor = what, file, offset, tensor
        at = "" if offset is None else f", byte {offset:,}"
        whose = "" if tensor is None else f", tensor {clipped(shown(tensor), _LONGEST)}"
        super().__init__(f"{shown(str(file))}{at}{whose}: {what}.")


class TooShortError(DamagedError):
    """A file ends before what should be in it."""


class NotReadableError(DamagedError):
    """What the file holds is whole, as far as can be told, but not of a kind that can be read here."""
