"""An event-driven digital array like Loihi: integer weights, neurons that send changes of their state.

Davies et al., "Loihi: A neuromorphic manycore processor with on-chip learning", IEEE Micro 38(1), 82, 2018.

The paper's: weights of up to 9 signed bits in the cores' memory (8 are used here), events, work in proportion to them.
Choices made here: sigma-delta neurons with graded events, which the successor Loihi 2 offers (Orchard et al., IEEE SiPS
2021), 12-bit states, a threshold of one step, updates of a copy outside the array.
"""

from __future__ import annotations

from hw_models.chip import Chip, Events


def chip() -> Chip:
    """Return the chip."""
    return Chip(
        name="davies_2018_loihi",
        citation="M. Davies et al., IEEE Micro 38(1), 82 (2018)",
        url="https://doi.org/10.1109/MM.2018.112130359",
        caveat=(
            "Loihi-like: Loihi itself sends binary spikes of leaky integrate-and-fire neurons; sigma-delta neurons "
            "with graded events stand for them. No cores, routing, delays, fan-in limits, traces or on-chip learning "
            "rules; weights are reloaded from a copy outside, unless events.in_place is set."
        ),
        substrate="event_driven",
        events=Events(
            weight_bits=8,  # the paper's: up to 9
            state_bits=12,  # ours
            threshold=0.0,  # ours: a change of one step of the state is sent
        ),
    )
