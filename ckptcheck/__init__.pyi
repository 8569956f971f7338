"""ckptcheck: does a training job restored from its checkpoint continue as if never interrupted?"""

from .checkpoints.find import open_checkpoint as open_checkpoint
from .errors import CkptcheckError as CkptcheckError
from .errors import NotVerifiedError as NotVerifiedError
from .errors import UsageError as UsageError
from .filetools.diff import diff as diff
from .filetools.fsck import fsck as fsck
from .filetools.inspect import inspect as inspect
from .job.protocol import Job as Job
from .job.protocol import Loop as Loop
from .job.protocol import LoopingJob as LoopingJob
from .job.protocol import Restored as Restored
from .job.protocol import RestoreRefusedError as RestoreRefusedError
from .job.protocol import Step as Step
from .job.protocol import Tensor as Tensor
from .kinds import Kind as Kind
from .pipeline import verify as verify
from .report.case import Case as Case
from .report.outputs.figure import plot as plot
from .report.rejudge import compare_runs as compare_runs
from .report.rejudge import judge_folder as judge_folder
from .report.report import Report as Report
from .run.script import record as record
from .studies.plot import plot_study as plot_study
from .studies.run import study as study
from .studies.summary import Study as Study
from .tolerance import Tolerance as Tolerance
