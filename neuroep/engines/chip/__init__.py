"""A chip behind the local engine's seam: crossbar and event-driven arrays, neuron circuits, attention units, read-out."""
