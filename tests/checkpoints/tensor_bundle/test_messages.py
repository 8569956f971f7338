"""The index keys of slices."""

from ckptcheck.checkpoints.tensor_bundle.messages import Extent, slice_key


def test_slice_keys_preserve_order() -> None:
    """As in ordered_code_test.cc: the bytes of encoded numbers sort like the numbers."""
    starts = [-(2**62), -(2**40), -65, -64, -1, 0, 1, 63, 64, 8191, 8192, 2**34, 2**62]
    keys = [slice_key(b"v", (Extent(start, 1),)) for start in starts]
    assert keys == sorted(keys)
    assert slice_key(b"a\x00b\xff", ()) == b"\x00a\x00\xffb\xff\x00\x00\x01\x00"
