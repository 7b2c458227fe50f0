"""Crossbars as SPICE netlists: what a circuit simulator needs to check a read, device by device.

Devices are resistors, or sources with the law of their current, wires are resistors, driven lines voltage sources, and
sensed lines end in ammeters at 0 V. Units in a netlist are those of SPICE: ohm, V, A.

    tiles      one side of one tile as a subcircuit, and its solution here
    reads      one product: sources, tiles, ammeters, and what the currents mean as numbers
    text       lines of a netlist
"""
