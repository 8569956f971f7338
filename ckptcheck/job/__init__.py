"""What a job is, for the author of one: its protocols, its values, and when it saves."""

from ckptcheck.job.loading import load as load
from ckptcheck.job.protocol import POISON as POISON
from ckptcheck.job.protocol import Job as Job
from ckptcheck.job.protocol import Loop as Loop
from ckptcheck.job.protocol import LoopingJob as LoopingJob
from ckptcheck.job.protocol import Restored as Restored
from ckptcheck.job.protocol import RestoreRefusedError as RestoreRefusedError
from ckptcheck.job.protocol import Score as Score
from ckptcheck.job.protocol import Step as Step
from ckptcheck.job.protocol import Tensor as Tensor
from ckptcheck.kinds import Kind as Kind
