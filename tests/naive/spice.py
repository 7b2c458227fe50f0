"""A DC operating point of a SPICE netlist, from the netlist's text alone: modified nodal analysis by hand.

Shares no line with what writes netlists. Knows R, V, I, E, F, G, subcircuits and behavioural sources (B, by Newton's
method with numerical slopes), continued lines and comments; and it runs ngspice, where that is installed.

Unknowns are node voltages v and the currents j of voltage sources. Kirchhoff's law at every node, and the law of every
voltage source:

    R, I, F, G    current out of node a through the element to node b
    V, E, B (V)   v_a - v_b = value, current j out of a
"""

from __future__ import annotations

import math
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.linalg import splu

NGSPICE = shutil.which("ngspice")
SLOPE = 1e-6
"""Step of a numerical slope."""


class Element(NamedTuple):
    """One element of the flat netlist."""

    name: str
    nodes: tuple[str, ...]
    words: tuple[str, ...]
    inside: Mapping[str, str]
    """Nodes of the subcircuit it is in, by their names there."""
    place: str
    """Of its instance."""


def statements(text: str) -> list[str]:
    """Return the statements of a netlist without title, comments and continuations, in small letters."""
    found: list[str] = []
    for line in text.splitlines()[1:]:
        line = line.split(";")[0].strip().lower()
        if line.startswith("+"):
            found[-1] += " " + line[1:]
        elif line and not line.startswith("*"):
            found.append(line)
    return found


def flat(text: str) -> list[Element]:
    """Return the elements of a netlist, subcircuits put in place."""
    top: list[list[str]] = []
    subcircuits: dict[str, tuple[list[str], list[list[str]]]] = {}
    current = top
    for statement in statements(text):
        words = statement.split()
        if words[0] == ".subckt":
            current = []
            subcircuits[words[1]] = words[2:], current
        elif words[0] == ".ends":
            current = top
        elif not words[0].startswith("."):
            current.append(words)
    return list(_placed(top, subcircuits, {}, ""))


def _placed(
    lines: list[list[str]],
    subcircuits: Mapping[str, tuple[list[str], list[list[str]]]],
    ports: Mapping[str, str],
    place: str,
) -> Iterator[Element]:
    def node(name: str) -> str:
        return "0" if name == "0" else ports.get(name, f"{place}{name}")

    for words in lines:
        kind = words[0][0]
        if kind == "x":
            names, inside = subcircuits[words[-1]]
            assert len(names) == len(words) - 2, words[0]
            own = dict(zip(names, map(node, words[1:-1]), strict=True))
            yield from _placed(inside, subcircuits, own, f"{place}{words[0]}.")
            continue
        count = 4 if kind in "eg" else 2
        nodes = tuple(node(word) for word in words[1 : 1 + count])
        yield Element(place + words[0], nodes, tuple(words[1 + count :]), ports, place)


class Solution(NamedTuple):
    """An operating point."""

    voltages: dict[str, float]
    """By node, those in instances as x1.node."""
    currents: dict[str, float]
    """Of voltage sources, from their first node through them to the second."""


def solve(text: str, rounds: int = 200) -> Solution:
    """Return the operating point of a netlist."""
    elements = flat(text)
    nodes = sorted({node for e in elements for node in e.nodes} - {"0"})
    place = {node: n for n, node in enumerate(nodes)}
    sources = [e.name for e in elements if e.name.rpartition(".")[2][0] in "ve" or _is_voltage(e)]
    branch = {name: len(nodes) + n for n, name in enumerate(sources)}
    size = len(nodes) + len(sources)
    start = _starts(text)
    x = np.zeros(size)
    for node, value in start.items():
        x[place[node]] = value
    behaviours = [(e, _compiled(e, place, branch)) for e in elements if e.name.rpartition(".")[2][0] == "b"]
    fixed, right = _linear(elements, place, branch)
    for _ in range(rounds):
        entries, side = list(fixed), right.copy()
        for element, behaviour in behaviours:
            _stamp(entries, side, element, behaviour, x, place, branch)
        rows, columns, values = (np.array(part) for part in zip(*entries, strict=True))
        matrix = coo_matrix((values, (rows, columns)), (size, size)).tocsc()
        new = splu(matrix).solve(side)
        moved, x = np.abs(new - x).max(), new
        if not behaviours or moved < 1e-13:
            break
    else:
        raise AssertionError(f"no operating point: still moves by {moved:g}")
    return Solution({n: float(x[k]) for n, k in place.items()}, {n: float(x[k]) for n, k in branch.items()})


def _is_voltage(element: Element) -> bool:
    return element.name.rpartition(".")[2][0] == "b" and element.words[0] == "v"


def _starts(text: str) -> dict[str, float]:
    found = re.findall(r"^\.nodeset v\((\S+)\)=(\S+)$", text.lower(), re.MULTILINE)
    return {node: float(value) for node, value in found}


def _linear(
    elements: list[Element], place: Mapping[str, int], branch: Mapping[str, int]
) -> tuple[list[tuple[int, int, float]], np.ndarray]:
    """Return the entries of all linear elements, and the right side."""
    entries: list[tuple[int, int, float]] = []
    right = np.zeros(len(place) + len(branch))

    def put(row: str | int, column: str | int, value: float) -> None:
        if row != "0" and column != "0":
            entries.append((place.get(row, row), place.get(column, column), value))  # type: ignore[arg-type]

    for element in elements:
        kind, (a, b, *control), words = element.name.rpartition(".")[2][0], element.nodes, element.words
        if kind == "r":
            s = 1 / float(words[0])
            for one, other in ((a, b), (b, a)):
                put(one, one, s)
                put(one, other, -s)
        elif kind == "i":
            for node, sign in ((a, -1.0), (b, 1.0)):
                if node != "0":
                    right[place[node]] += sign * float(words[-1])
        elif kind == "g":
            for node, sign in ((a, 1.0), (b, -1.0)):
                put(node, control[0], sign * float(words[0]))
                put(node, control[1], -sign * float(words[0]))
        elif kind == "f":
            through = branch[element.place + words[0]]
            put(a, through, float(words[1]))
            put(b, through, -float(words[1]))
        elif kind in "ve" or _is_voltage(element):
            row = branch[element.name]
            for node, sign in ((a, 1.0), (b, -1.0)):
                put(node, row, sign)
                put(row, node, sign)
            if kind == "v":
                right[row] += float(words[-1])
            elif kind == "e":
                put(row, control[0], -float(words[0]))
                put(row, control[1], float(words[0]))
        elif kind != "b":
            raise AssertionError(f"unknown element {element.name}")
    return entries, right


class Behaviour(NamedTuple):
    """The law of a behavioural source."""

    value: Callable[[np.ndarray], float]
    asked: list[int]
    """Unknowns in it."""


def _compiled(element: Element, place: Mapping[str, int], branch: Mapping[str, int]) -> Behaviour:
    """Return the law behind "V =" or "I =", whose voltages are those of nodes, one or two."""
    assert element.words[1] == "="
    text, asked = "".join(element.words[2:]), []

    def node(name: str) -> str:
        name = element.inside.get(name, f"{element.place}{name}")
        if name == "0":
            return "0.0"
        asked.append(place[name])
        return f"x[{place[name]}]"

    def voltage(found: re.Match[str]) -> str:
        first, _, second = found[1].partition(",")
        return f"({node(first)}-{node(second)})" if second else node(first)

    def current(found: re.Match[str]) -> str:
        asked.append(branch[element.place + found[1]])
        return f"x[{asked[-1]}]"

    text = re.sub(r"\bv\(([\w.,]+)\)", voltage, text)
    text = re.sub(r"\bi\(([\w.]+)\)", current, text)
    names = {"min": min, "max": max, "tanh": math.tanh, "sinh": math.sinh, "exp": math.exp}
    code = compile(text, element.name, "eval")
    return Behaviour(lambda x: float(eval(code, {"__builtins__": {}, "x": x, **names})), sorted(set(asked)))


def _stamp(
    entries: list[tuple[int, int, float]],
    right: np.ndarray,
    element: Element,
    behaviour: Behaviour,
    x: np.ndarray,
    place: Mapping[str, int],
    branch: Mapping[str, int],
) -> None:
    """Add a behavioural source, made linear where it is now."""
    value, rest = behaviour.value(x), behaviour.value(x)
    slopes = {}
    for asked in behaviour.asked:
        step = SLOPE * max(1.0, abs(x[asked]))
        ahead, behind = x.copy(), x.copy()
        ahead[asked] += step
        behind[asked] -= step
        slopes[asked] = (behaviour.value(ahead) - behaviour.value(behind)) / (2 * step)
        rest -= slopes[asked] * x[asked]
    assert math.isfinite(value)
    if _is_voltage(element):
        row = branch[element.name]
        entries += [(row, asked, -slope) for asked, slope in slopes.items()]
        right[row] += rest
        return
    for node, sign in zip(element.nodes, (1.0, -1.0), strict=True):
        if node != "0":
            entries += [(place[node], asked, sign * slope) for asked, slope in slopes.items()]
            right[place[node]] -= sign * rest


def ngspice(file: Path) -> Solution:
    """Return the operating point that ngspice finds; see ``NGSPICE``."""
    raw = file.with_suffix(".raw")
    command = [NGSPICE or "ngspice", "-b", "-r", str(raw), "-o", str(file.with_suffix(".log")), str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert raw.exists(), done.stderr + file.with_suffix(".log").read_text()
    head, _, data = raw.read_bytes().partition(b"Binary:\n")
    lines = head.decode().splitlines()
    first = next(n for n, line in enumerate(lines) if line.startswith("Variables:"))
    names = [line.split()[1] for line in lines[first + 1 :] if line.strip()]
    values = np.frombuffer(data, dtype=np.float64)
    assert len(values) == len(names), (len(values), len(names))
    voltages, currents = {}, {}
    for name, value in zip(names, values.tolist(), strict=True):
        inside = re.fullmatch(r"([vi])\((.*)\)", name)
        if inside is None:
            voltages[name] = value
        elif inside[1] == "v":
            voltages[inside[2]] = value
        else:
            currents[inside[2]] = value
    return Solution(voltages, currents)
