"""Physics of analog and neuromorphic chips: devices, converters, crossbars, wires, presets.

This release holds no chip model yet: every array of :mod:`neuroep` is ideal. The package marks the place and its
rule: it will be physics alone, known by its fields, units and sources, and it imports neither :mod:`neuroep` nor
:mod:`analysis`.
"""
