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
    observer="ckptcheck.adapters.torch.observer.edge:observe",
    restores_at_once=True,
    remedies="ckptcheck.adapters.torch.remedies:REMEDIES",
)
