"""Rows of a comparison as tests look at them."""

from ckptcheck import Case
from ckptcheck.comparison.comparison import TensorComparison


def at_boundary(case: Case) -> dict[str, TensorComparison]:
    """Return the tensors at the boundary by name."""
    assert case.comparison is not None
    return {row.name: row for row in case.comparison.boundary}
