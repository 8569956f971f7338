"""The jobs that every trial varies recover: what a trial shows is of its variation."""

import pytest

from ckptcheck import verify

pytestmark = pytest.mark.trials


@pytest.mark.parametrize("job", ["F", "C"])
def test_unchanged_it_recovers(job: str) -> None:
    verify(f"{__file__.replace('test_base', 'base')}:{job}").assert_recovered()
