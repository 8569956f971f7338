"""The callback that records a script's `fit` with `ckptcheck.record`."""

from collections.abc import Collection
from pathlib import Path
from typing import Any

from ckptcheck.adapters.tensorflow.created import Created
from ckptcheck.adapters.tensorflow.evaluation import evaluation_loss
from ckptcheck.adapters.tensorflow.watch import Watch
from ckptcheck.errors import UsageError
from ckptcheck.job.protocol import Step
from ckptcheck.run.script import Recording


class Record(Watch):
    """Records each step of `fit`, and the state after each epoch; see `Recording.callback`."""

    framework = "keras"
    # What a `Loop` of a job has; a script saves by itself.
    folder, restore, saves = Path(), None, False

    def __init__(
        self,
        recording: Recording,
        validation: Any,
        boundaries: Collection[int],
        steps_per_epoch: int | None,
    ) -> None:
        super().__init__(self, steps_per_epoch or 0, Created())
        self._recording = recording
        self._data = validation
        self._boundaries = boundaries
        self._is_epoch_edge = False

    def on_train_begin(self, logs: Any = None) -> None:
        """Find out how many steps an epoch has.

        Raises:
            UsageError: Keras does not know it before the first epoch ends, or `fit` executes
                several steps at once.
        """
        if self.model.steps_per_execution not in (1, None):
            raise UsageError(
                "Only single steps can be recorded. Compile the model with steps_per_execution=1."
            )
        self._steps_per_epoch = self._steps_per_epoch or self.params.get("steps") or 0
        if not self._steps_per_epoch:
            raise UsageError(
                "The data have no length, so the number of steps in an epoch is unknown. Write "
                "run.callback(steps_per_epoch=N)."
            )
        super().on_train_begin(logs)

    def before_step(self) -> None:
        """Record the state where the script may have saved, or has restored."""
        done = self._recording.done
        is_resumed = done is None and self.position > 0
        done = self.position if done is None else done
        if self._is_epoch_edge or is_resumed or done in self._boundaries:
            self._is_epoch_edge = False
            self._recording.boundary(done)
            if self._data is not None:
                self._recording.evaluation(evaluation_loss(self.model, self._data))

    def after_step(self, step: Step) -> None:
        """Record a step."""
        self._recording.step(step.loss, step.batch, step.learning_rate)

    def may_save(self) -> None:
        """Note the end of an epoch, where checkpoints are saved."""
        self._is_epoch_edge = True
