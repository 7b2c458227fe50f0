"""Counter-based random numbers keyed by meaning: see :mod:`hw_models.kernels.random`, where they live."""

from hw_models.kernels.random import generator

__all__ = ["generator"]
