"""The types of errors, and names that are safe to print."""

from pathlib import Path

import numpy as np
import pytest

from ckptcheck.checkpoints import open_checkpoint
from ckptcheck.checkpoints.errors import NotReadableError, TooShortError
from tests.checkpoints.bundles import COMPRESSED, changed, write
from tests.checkpoints.refusals import ROW, TENSOR, read, refusal


def test_a_long_name_is_clipped(tmp_path: Path) -> None:
    assert (
        len(refusal(write(tmp_path / "long", {}, **{"x" * 100_000: changed(ROW, dtype=0)}))) < 500
    )


def test_types_of_errors(tmp_path: Path) -> None:
    prefix = write(tmp_path / "short", TENSOR, weight=changed(ROW, offset=4))
    with pytest.raises(TooShortError):
        read(prefix)
    Path(f"{prefix}.index").write_bytes(COMPRESSED)
    with pytest.raises(NotReadableError):
        read(prefix)


def test_control_characters_in_names_are_escaped(tmp_path: Path) -> None:
    prefix = write(
        tmp_path / "odd", {"a\x1b[2Jb\nc": np.zeros(2, "float32"), "ü": np.zeros(1, "int8")}
    )
    assert [each.shown for each in open_checkpoint(prefix).entries.values()] == [
        "a\\x1b[2Jb\\nc",
        "ü",
    ]
    data = Path(f"{prefix}.data-00000-of-00001")
    data.write_bytes(b"\1" * 9)
    assert "tensor a\\x1b[2Jb\\nc: the checksum of its 8 bytes" in refusal(prefix)
