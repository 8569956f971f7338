"""Memory in a process that reads checkpoints once and ends.

What comes and goes thousands of times is kept from the system between: arrays of a chunk's elements.

glibc gives memory of such sizes back with each `free`, and the kernel clears it anew with each `malloc`: of a comparison of
two checkpoints of 1 GB that differ throughout, that was three quarters of the time.
"""

import ctypes
import gc
import sys

# From malloc.h.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
KEPT = 1 << 24  # bytes


def for_one_read() -> None:
    """Let this process keep up to 16 MiB of memory that was freed (where the C library is glibc), and look for no cycles.

    What is read is no cycle; looking for them among ten thousands of tensors takes a tenth of the time.
    """
    gc.disable()
    if not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, KEPT)
        mallopt(_M_TRIM_THRESHOLD, KEPT)
