"""The declaration of PyTorch. Imports nothing of it."""

from ckptcheck.job.frameworks import Framework

FRAMEWORK = Framework(
    name="torch",
    styles={"torch": "a PyTorch loop"},
    packages=("torch",),
    # Environment variables of PyTorch, oneDNN, OpenMP and cuBLAS that can change the last bits of a
    # result.
    switches=(
        "CUBLAS_WORKSPACE_CONFIG",
        "CUDA_VISIBLE_DEVICES",
        "MKL_NUM_THREADS",
        "ONEDNN_DEFAULT_FPMATH_MODE",
        "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE",
    ),
    module="torch",
    op_determinism="ckptcheck.adapters.torch.determinism:is_deterministic",
    numerics="ckptcheck.adapters.torch.determinism:numerics",
    settings={
        "torch.backends.cudnn.deterministic = True": True,
        "torch.use_deterministic_algorithms(True)": False,
    },
    apply="ckptcheck.adapters.torch.determinism:apply",
    state_of="ckptcheck.adapters.torch.recording:state_of",
    style_of="ckptcheck.adapters.torch.recording:style_of",
    arrays_of="ckptcheck.adapters.torch.batches:arrays_of",
    observer="ckptcheck.adapters.torch.observer.edge:observe",
    restores_at_once=True,
    remedies="ckptcheck.adapters.torch.remedies:REMEDIES",
)
