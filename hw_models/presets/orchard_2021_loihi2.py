# Tested by tests/hw_models/test_presets.py.
"""An event-driven digital array like Loihi 2: integer weights, sigma-delta neurons that send graded changes of state.

Orchard et al., "Efficient neuromorphic signal processing with Loihi 2", IEEE SiPS 2021 (arXiv 2111.03746); sigma-delta
neurons and integer-valued events on the chip: Shrestha et al., "Efficient video and audio processing with Loihi 2",
ICASSP 2024.

The papers': neurons that send the change of their state, events that carry an integer, work in proportion to them.
Choices made here: 8-bit weights, 12-bit states, a threshold of one step, updates of a copy outside the array.
"""

from __future__ import annotations

from hw_models.chip import Chip, Cost, Events, Timing


def chip() -> Chip:
    """Return the chip."""
    return Chip(
        name="orchard_2021_loihi2",
        citation="G. Orchard et al., IEEE SiPS (2021); S. B. Shrestha et al., ICASSP (2024)",
        url="https://doi.org/10.48550/arXiv.2111.03746",
        caveat=(
            "Loihi 2, whose events carry a number; the first Loihi sends binary spikes and cannot do this. Sums of "
            "what was sent are exact: no cores, routing, delays, fan-in limits, saturating payloads or accumulators, "
            "traces or on-chip learning rules; weights are reloaded from a copy outside, unless events.in_place is set."
        ),
        substrate="event_driven",
        events=Events(
            weight_bits=8,  # ours
            state_bits=12,  # ours
            threshold=0.0,  # ours: a change of one step of the state is sent
        ),
        timing=Timing(digital=0.465e-6),  # s, slowest barrier of the first Loihi, simulated: Davies et al., 2018
        cost=Cost(components=("davies_2018_core", "horowitz_2014_int8")),  # of the first Loihi; updates outside: ours
    )
