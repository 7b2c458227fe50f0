"""Counter-based random numbers keyed by meaning: see :mod:`hw_models.randomness`, where they live."""

from hw_models.randomness import generator

__all__ = ["generator"]
