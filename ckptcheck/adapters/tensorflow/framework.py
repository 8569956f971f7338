"""The declaration of TensorFlow, and of Keras on it. Imports neither."""

from ckptcheck.job.frameworks import Framework

BACKUP_DELETED = (
    "BackupAndRestore deletes its backup at the end of each call of fit: call fit once for all "
    "epochs."
)

FRAMEWORK = Framework(
    name="tensorflow",
    styles={
        "tf1": "a TensorFlow 1 graph",
        "tf2": "a loop with tf.train.Checkpoint",
        "keras": "Keras' fit",
    },
    packages=("tensorflow", "keras", "tf-keras"),
    # Environment variables of TensorFlow, oneDNN and XLA that can change the last bits of a result.
    switches=(
        "TF_ENABLE_ONEDNN_OPTS",
        "TF_DETERMINISTIC_OPS",
        "TF_USE_LEGACY_KERAS",
        "TF_NUM_INTRAOP_THREADS",
        "TF_NUM_INTEROP_THREADS",
        "XLA_FLAGS",
    ),
    module="tensorflow",
    op_determinism="ckptcheck.adapters.tensorflow._internals:has_deterministic_ops",
    state_of="ckptcheck.adapters.tensorflow.variables:state_of",
    style_of="ckptcheck.adapters.tensorflow.variables:style_of",
    fit_callback="ckptcheck.adapters.tensorflow.recording:Record",
    observer="ckptcheck.adapters.tensorflow.observer.edge:observe",
    remedies="ckptcheck.adapters.tensorflow.remedies:REMEDIES",
    saved_nothing={("keras", "backup"): BACKUP_DELETED},
)
