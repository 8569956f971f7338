"""`plain`: the article's network without batch norm."""

from collections.abc import Sequence

from ckptcheck.adapters.tf1 import RESTORES_WITHOUT_EMA
from ckptcheck.jobs.article import ArticleJob
from ckptcheck.jobs.options import Options


class Plain(ArticleJob[Options]):
    """The baseline: nothing is normalised."""

    @property
    def restores(self) -> Sequence[str]:
        """The restores that need no `ExponentialMovingAverage`."""
        return RESTORES_WITHOUT_EMA
