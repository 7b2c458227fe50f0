"""What bits may depend on besides the code: processor, compilers, libraries."""

from __future__ import annotations

import hashlib
import importlib.metadata
import platform
from pathlib import Path

PACKAGES = ("numpy", "scipy", "numba", "llvmlite", "torch")


def fingerprint() -> dict[str, str]:
    """Return processor, the compilers' targets and versions; equal ones should give equal bits."""
    import llvmlite.binding as llvm
    import numba
    import numpy  # noqa: F401  (its BLAS is looked for)
    import scipy.linalg  # noqa: F401
    import threadpoolctl
    import torch

    features = numba.config.CPU_FEATURES or llvm.get_host_cpu_features().flatten()
    libraries = {
        f"{each['internal_api']} {each['version']} {each.get('architecture')}"
        for each in threadpoolctl.threadpool_info()
        if each["user_api"] == "blas"
    }
    return {
        "processor": f"{platform.machine()} {_processor()}",
        "python": platform.python_version(),
        **{name: importlib.metadata.version(name) for name in PACKAGES},
        "compiler target": numba.config.CPU_NAME or llvm.get_host_cpu_name(),
        "compiler features": hashlib.sha256(features.encode()).hexdigest()[:16],
        "compiled": "no" if numba.config.DISABLE_JIT else "yes",
        "blas": ", ".join(sorted(libraries)),
        "torch kernels": torch.backends.cpu.get_cpu_capability(),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
