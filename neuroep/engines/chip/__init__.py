"""A chip behind the local engine's seam: arrays, neuron circuits, attention units, read-out of the phases."""
