"""What a run gives to those who compare and show it."""

from ckptcheck.kinds import Kind
from ckptcheck.run.snapshots import boundary_point
from tests.builder import BOUNDARY, EARLIER, control


def test_without_values_the_state_keeps_its_names_and_moving_statistics() -> None:
    whole = control()
    light = whole.without_values()
    assert light.boundary.keys() == whole.boundary.keys()
    assert light.boundary["mean"] is whole.boundary["mean"]
    others = [each for each in light.final.values() if each.kind is not Kind.MOVING_STATISTIC]
    assert len(others) == 5
    assert all(each.value.size == 0 for each in others)
    assert light.final["w"].value.dtype == whole.final["w"].value.dtype
    assert light.losses == whole.losses


def test_without_values_only_what_is_shown_is_kept() -> None:
    light = control().without_values()
    assert boundary_point(BOUNDARY) in light.snapshots
    assert boundary_point(EARLIER) not in light.snapshots
    assert light.after_boundary is None
