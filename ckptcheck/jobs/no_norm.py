"""`plain`: the article's network without batch norm."""

from ckptcheck.adapters.tf1 import RESTORES_WITHOUT_EMA
from ckptcheck.jobs.article import ArticleJob
from ckptcheck.jobs.options import Options


class Plain(ArticleJob[Options]):
    """The article's baseline: no layer is normalised."""

    restores = RESTORES_WITHOUT_EMA
