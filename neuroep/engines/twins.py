"""Twins: engines of their own in the state of another one, to be measured on while that one stays as it is."""

from __future__ import annotations

from neuroep.engines.engine import Engine


def twin(engine: Engine, age: float = 0.0) -> Engine:
    """Return an engine with the weights, moments and devices of another one, and memory of its own.

    What it does leaves the other one untouched: its draws, counts, clocks, ranges and rules.

    Parameters
    ----------
    engine : Engine
        On any substrate.
    age : float
        Read a chip's devices so long after their last write [s]; 0 as while they learn.
    """
    network, parameters = engine.network, engine.parameters()
    made = Engine(
        engine.name, network, parameters, engine.make,
        optimiser=engine.optimiser, seed=engine.seed, dtype=engine.dtype, repeats=engine.repeats,
    )  # fmt: skip
    made.read_at(age)  # before it takes over the devices, which would age by it otherwise
    made.load_optimiser_state(engine.optimiser_state(), engine.device_state())
    return made
