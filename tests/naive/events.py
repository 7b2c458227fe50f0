"""Slow twin of an event-driven array: one sample, one sender, one synapse at a time, in whole numbers of Python."""

from __future__ import annotations


def quantise(value, reach, bits):
    """Integer of a value, 2^bits - 1 of them over [-reach, reach]; round half to even."""
    limit = 2 ** (bits - 1) - 1
    return max(-limit, min(limit, round(float(value) / (reach / limit))))


class Sender:
    """One direction of an array with weights (receivers, senders) as integers."""

    def __init__(self, weights, reach, bits, threshold):
        self.weights = [[int(w) for w in row] for row in weights]
        self.reach, self.bits, self.threshold = reach, bits, threshold
        self.sent = [0] * len(self.weights[0])
        self.received = [0] * len(self.weights)
        self.events = 0

    def send(self, values):
        """Take one sample's new values over; return the accumulators."""
        step = self.reach / (2 ** (self.bits - 1) - 1)
        for j, value in enumerate(values):
            change = quantise(value, self.reach, self.bits) - self.sent[j]
            if change != 0 and abs(change) * step > self.threshold * self.reach:
                self.events += 1
                self.sent[j] += change
                for i, row in enumerate(self.weights):
                    self.received[i] += row[j] * change
        return list(self.received)
