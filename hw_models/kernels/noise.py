"""Kernels of random numbers and of converters: Philox 4x32-10, normals, quantisers, sensed currents.

A row of n numbers has its own stream. With m = ceil(n/4) its element i comes from word i div m of the block with
counter (i mod m, row, tile, step), so that a row is the same in any block of rows and on any thread.

Normals by inversion: with the top bit as sign and the other 31 bits u, t = (u + 1/2) 2^-31, x = 1 - t,

    z = sign sqrt(2) x p(w),    w = -ln(1 - x^2) = -ln(t (2 - t)),    p(w) = erfinv(x)/x

with the two polynomials for p of Giles, GPU Computing Gems Jade Edition, chapter 10, 2011, single precision, both
computed and one chosen, so that the loop vectorises: 3e-7 of the value, out to the last of 32 bits at 6.3 standard
deviations. Generator: Salmon et al., SC 2011.

Converters: step > 0 quantises, round half to even, then clips to [low, high]; 0 clips; below 0 does nothing. They
return how many values were at the stop: rounded to a level beyond the last one, and so cut; NaN is not. They go without
fast-math flags: a reciprocal would move their ties. Sums are in the type of the values; NaN passes through. All arrays
are C-contiguous.
"""

from __future__ import annotations

import numpy as np

from hw_models.kernels.compiling import VECTOR, fma, kernel, wide

CHUNK = 256
"""Blocks of random words made at a time; they stay in the first-level cache."""
LANES = 16
"""They are made in multiples of so many, which a loop over them takes at a time."""
M0, M1 = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
W0, W1 = np.uint64(0x9E3779B9), np.uint64(0xBB67AE85)
LOW, HALF = np.uint64(0xFFFFFFFF), np.uint64(32)
ALONE, LEFT = 48, 8
"""Fewest blocks of a row that is drawn alone, and one block in how many may be left over there."""
HELD = 4096
"""Noisy currents that are converted at a time: the first-level cache holds them, and all vectors but one are full."""
ROUNDS = 10
F = np.float32


@kernel
def _round(c0, c1, c2, c3, k0, k1):
    p0, p1 = np.uint64(c0) * M0, np.uint64(c2) * M1
    return np.uint32(p1 >> HALF) ^ c1 ^ k0, np.uint32(p1 & LOW), np.uint32(p0 >> HALF) ^ c3 ^ k1, np.uint32(p0 & LOW)


@kernel
def schedule(key):
    """Return the keys of the rounds, (10, 2)."""
    keys = np.empty((ROUNDS, 2), np.uint32)
    for r in range(ROUNDS):
        keys[r, 0] = np.uint32((np.uint64(key[0]) + np.uint64(r) * W0) & LOW)
        keys[r, 1] = np.uint32((np.uint64(key[1]) + np.uint64(r) * W1) & LOW)
    return keys


@kernel
def round_keys(keys):
    """Return both keys of every round as plain numbers: an array's would be loaded again in every block."""
    a = keys[0, 0], keys[1, 0], keys[2, 0], keys[3, 0], keys[4, 0], keys[5, 0], keys[6, 0], keys[7, 0], keys[8, 0]
    b = keys[0, 1], keys[1, 1], keys[2, 1], keys[3, 1], keys[4, 1], keys[5, 1], keys[6, 1], keys[7, 1], keys[8, 1]
    return (*a, keys[9, 0]), (*b, keys[9, 1])


@kernel
def rounds(c0, c1, c2, c3, a, b):
    """Return the words of one block; written out, as a loop would keep a loop over blocks from vectorising."""
    c0, c1, c2, c3 = _round(c0, c1, c2, c3, a[0], b[0])
    c0, c1, c2, c3 = _round(c0, c1, c2, c3, a[1], b[1])
    c0, c1, c2, c3 = _round(c0, c1, c2, c3, a[2], b[2])
    c0, c1, c2, c3 = _round(c0, c1, c2, c3, a[3], b[3])
    c0, c1, c2, c3 = _round(c0, c1, c2, c3, a[4], b[4])
    c0, c1, c2, c3 = _round(c0, c1, c2, c3, a[5], b[5])
    c0, c1, c2, c3 = _round(c0, c1, c2, c3, a[6], b[6])
    c0, c1, c2, c3 = _round(c0, c1, c2, c3, a[7], b[7])
    c0, c1, c2, c3 = _round(c0, c1, c2, c3, a[8], b[8])
    return _round(c0, c1, c2, c3, a[9], b[9])


@kernel
def words(keys, first, row, tile, step, count, out):
    """Write the blocks with counters (first + i, row, tile, step), i < count, as out[:, i]; out (4, count or more)."""
    wide()
    out0, out1, out2, out3 = out[0], out[1], out[2], out[3]
    a, b = round_keys(keys)
    row, tile, step = np.uint32(row), np.uint32(tile), np.uint32(step)
    for i in range(count):
        out0[i], out1[i], out2[i], out3[i] = rounds(np.uint32(first + i), row, tile, step, a, b)


@kernel
def scratch():
    """Return memory for :func:`panel`, (6, CHUNK)."""
    return np.empty((6, CHUNK), np.uint32)


@kernel
def together(n, rows):
    """Return how many of the rows of n numbers are drawn at a time."""
    return min(rows, max(1, CHUNK // max((n + 3) // 4, 1)))


@kernel
def panel(keys, first, count, row, rows, tile, step, out):
    """Write the blocks with counters (first + i, row + r, tile, step) as out[:4, r count + i], i < count, r < rows.

    ``out`` is a :func:`scratch`. Loops over a few elements do not vectorise, so that rows are made together, and what
    is left over of a multiple of LANES is made up with blocks that nobody looks at. Returns their number.
    """
    wide()
    whole = (rows * count + LANES - 1) // LANES * LANES
    if rows == 1:
        words(keys, first, row, tile, step, whole, out)
        return whole
    out0, out1, out2, out3, place, line = out[0], out[1], out[2], out[3], out[4], out[5]
    a, b = round_keys(keys)
    tile, step = np.uint32(tile), np.uint32(step)
    for r in range(rows):
        for i in range(count):
            place[r * count + i], line[r * count + i] = np.uint32(first + i), np.uint32(row + r)
    for i in range(whole):
        out0[i], out1[i], out2[i], out3[i] = rounds(place[i], line[i], tile, step, a, b)
    return whole


@kernel
def normal_panel(keys, first, count, row, rows, tile, step, bits, out):
    """As :func:`panel` of standard normals, ``bits`` a :func:`scratch`, out (4, CHUNK) float32."""
    wide()
    whole = panel(keys, first, count, row, rows, tile, step, bits)
    for word in range(4):
        drawn, z = bits[word], out[word]
        for i in range(whole):
            z[i] = normal(drawn[i])


@kernel
def normal(bits):
    """Return the standard normal of 32 random bits."""
    u = np.int32(bits & np.uint32(0x7FFFFFFF))
    t = (F(u) + F(0.5)) * F(2.0**-31)
    # Numba would go on in 64 bits, of which a vector holds half as many.
    x = (F(np.int32(np.int32(0x7FFFFFFF) - u)) + F(0.5)) * F(2.0**-31)
    whole = np.float32(t * (F(2) - t)).view(np.int32)
    exponent = np.int32(np.int32(whole - np.int32(0x3F3504F3)) >> np.int32(23))  # mantissa from sqrt(1/2) to sqrt(2)
    f = np.int32(whole - np.int32(exponent << np.int32(23))).view(np.float32) - F(1)
    p = F(-0.10134056750776837)
    p = fma(p, f, F(0.16234189799279654))
    p = fma(p, f, F(-0.17247013303968396))
    p = fma(p, f, F(0.19898565048225017))
    p = fma(p, f, F(-0.24970071685046746))
    p = fma(p, f, F(0.333351141403472))
    p = fma(p, f, F(-0.5000036309272999))
    p = fma(p, f, F(0.9999999425426719))
    w = -fma(p, f, F(exponent) * F(0.6931471805599453))
    a, b = w - F(2.5), np.sqrt(w) - F(3)
    q = F(2.81022636e-08)
    q = fma(q, a, F(3.43273939e-07))
    q = fma(q, a, F(-3.5233877e-06))
    q = fma(q, a, F(-4.39150654e-06))
    q = fma(q, a, F(0.00021858087))
    q = fma(q, a, F(-0.00125372503))
    q = fma(q, a, F(-0.00417768164))
    q = fma(q, a, F(0.246640727))
    q = fma(q, a, F(1.50140941))
    tail = F(-0.000200214257)
    tail = fma(tail, b, F(0.000100950558))
    tail = fma(tail, b, F(0.00134934322))
    tail = fma(tail, b, F(-0.00367342844))
    tail = fma(tail, b, F(0.00573950773))
    tail = fma(tail, b, F(-0.0076224613))
    tail = fma(tail, b, F(0.00943887047))
    tail = fma(tail, b, F(1.00167406))
    tail = fma(tail, b, F(2.83297682))
    z = (q if w < F(5) else tail) * (F(1.4142135623730951) * x)
    return z if bits < np.uint32(0x80000000) else -z


@kernel
def span(word, n, first, count):
    """Return begin and end of the elements of a row of n that come from ``word`` of blocks [first, first + count)."""
    begin = min(word * ((n + 3) // 4) + first, n)
    return begin, min(begin + count, n)


@kernel
def whole_row(n):
    """Tell whether rows of n numbers are best drawn one by one: they are long, and little is left over of blocks."""
    count = (n + 3) // 4
    return ALONE <= count <= CHUNK and LEFT * (-count % LANES) <= count


@kernel
def normal_row(keys, n, row, tile, step, bits, z):
    """Write the standard normals of one row of n to the front of z, (4 CHUNK + LANES,) float32; see whole_row."""
    wide()
    count = (n + 3) // 4
    whole = (count + LANES - 1) // LANES * LANES
    words(keys, 0, row, tile, step, whole, bits)
    for word in range(4):
        # What is left over of a word is written over by the next.
        drawn, part = bits[word], z[word * count : word * count + whole]
        for i in range(whole):
            part[i] = normal(drawn[i])


@kernel
def fill_normals(key, step, tile, first_row, out):
    """Write standard normals, out (rows, n) float32."""
    wide()
    keys, bits, z, (rows, n) = schedule(key), scratch(), np.empty((4, CHUNK), np.float32), out.shape
    lines = together(n, rows)
    for row in range(0, rows, max(lines, 1)):
        lines = min(lines, rows - row)
        for first in range(0, (n + 3) // 4, CHUNK):
            count = min(CHUNK, (n + 3) // 4 - first)
            normal_panel(keys, first, count, first_row + row, lines, tile, step, bits, z)
            for r in range(lines):
                for word in range(4):
                    begin, end = span(word, n, first, count)
                    part, drawn = out[row + r, begin:end], z[word, r * count :]
                    for i in range(end - begin):
                        part[i] = drawn[i]


@kernel
def fill_uniforms(key, step, tile, first_row, out):
    """Write uniforms in [0, 1), out (rows, n) float32."""
    keys, bits, (rows, n) = schedule(key), scratch(), out.shape
    lines = together(n, rows)
    for row in range(0, rows, max(lines, 1)):
        lines = min(lines, rows - row)
        for first in range(0, (n + 3) // 4, CHUNK):
            count = min(CHUNK, (n + 3) // 4 - first)
            panel(keys, first, count, first_row + row, lines, tile, step, bits)
            for r in range(lines):
                for word in range(4):
                    begin, end = span(word, n, first, count)
                    part, drawn = out[row + r, begin:end], bits[word, r * count :]
                    for i in range(end - begin):
                        part[i] = F(drawn[i] >> np.uint32(8)) * F(2.0**-24)


@kernel
def fill_words(key, first, out):
    """Write the random words with numbers first, first + 1, ... of one endless stream, out (n,) uint32.

    Word i is word i mod 4 of the block with counter (i div 4, its low half ahead of its high half), so that a
    stream has the same words however it is cut.
    """
    keys, bits, done = schedule(key), np.empty((4, CHUNK), np.uint32), 0
    while done < out.shape[0]:
        block, skipped = (first + done) // 4, (first + done) % 4
        count = min(CHUNK, (out.shape[0] - done + skipped + 3) // 4, (1 << 32) - block % (1 << 32))
        words(keys, block % (1 << 32), block >> 32, 0, 0, count, bits)
        end = min(4 * count - skipped, out.shape[0] - done)
        for i in range(end):
            out[done + i] = bits[(skipped + i) % 4, (skipped + i) // 4]
        done += end


@kernel
def _clipped(value, low, high):
    """Clip, NaN passing through."""
    value = low if value < low else value
    return high if value > high else value


@kernel
def _beyond(value, bottom, top):
    """Return 1 where a value lies outside [bottom, top], else 0; counted in 64 bits, half as many fit into a vector."""
    return np.int32(np.int32(value > top) + np.int32(value < bottom))


@kernel
def convert(values, out, step, low, high):
    """Write the quantised values, both (rows, n), may be in place; return how many were at the stop."""
    wide()
    real, stops, held = values.dtype.type, 0, np.empty(CHUNK, values.dtype)
    step, low, high = real(step), real(low), real(high)
    for row in range(values.shape[0]):
        for first in range(0, values.shape[1], CHUNK):
            given, target, own = values[row, first : first + CHUNK], out[row, first : first + CHUNK], np.int32(0)
            source = held[: given.shape[0]]  # in place, a loop that reads what it writes takes one value at a time
            for i in range(source.shape[0]):
                source[i] = given[i]
            if step > 0:
                bottom, top = np.rint(low / step), np.rint(high / step)
                for i in range(source.shape[0]):
                    level = np.rint(source[i] / step)
                    own = np.int32(own + _beyond(level, bottom, top))
                    target[i] = _clipped(level * step, low, high)
            elif step == 0:
                for i in range(source.shape[0]):
                    own = np.int32(own + _beyond(source[i], low, high))
                    target[i] = _clipped(source[i], low, high)
            else:
                target[:] = source
            stops += own
    return stops


@kernel
def convert_stochastic(values, out, step, low, high, key, draw_step, tile, first_row):
    """Write values rounded up or down at random, rint(x/step + U(-1/2, 1/2)) step, clipped; may be in place.

    Returns how many were at the stop.
    """
    wide()
    keys, bits, (rows, n), stops = schedule(key), scratch(), values.shape, 0
    real, lines, held = values.dtype.type, together(n, rows), np.empty(CHUNK, values.dtype)
    step, low, high = real(step), real(low), real(high)
    bottom, top = np.rint(low / step), np.rint(high / step)
    for row in range(0, rows, max(lines, 1)):
        lines = min(lines, rows - row)
        for first in range(0, (n + 3) // 4, CHUNK):
            count = min(CHUNK, (n + 3) // 4 - first)
            panel(keys, first, count, first_row + row, lines, tile, draw_step, bits)
            for r in range(lines):
                for word in range(4):
                    begin, end = span(word, n, first, count)
                    given, target, drawn = values[row + r, begin:end], out[row + r, begin:end], bits[word, r * count :]
                    source, own = held[: end - begin], np.int32(0)  # as in convert
                    for i in range(end - begin):
                        source[i] = given[i]
                    for i in range(end - begin):
                        dither = (F(drawn[i] >> np.uint32(9)) + F(0.5)) * F(2.0**-23) - F(0.5)
                        level = np.rint(source[i] / step + real(dither))
                        own = np.int32(own + _beyond(level, bottom, top))
                        target[i] = _clipped(level * step, low, high)
                    stops += own
    return stops


@kernel
def add_converted(current, step, low, high, scale, total):
    """Add the converted currents of one line to the total; return how many were at the stop, int32."""
    wide()
    stops = np.int32(0)
    if step > 0:
        bottom, top = np.rint(low / step), np.rint(high / step)
        for i in range(current.shape[0]):
            level = np.rint(current[i] / step)
            stops = np.int32(stops + _beyond(level, bottom, top))
            total[i] += scale * _clipped(level * step, low, high)
    elif step == 0:
        for i in range(current.shape[0]):
            stops = np.int32(stops + _beyond(current[i], low, high))
            total[i] += scale * _clipped(current[i], low, high)
    else:
        for i in range(current.shape[0]):
            total[i] += scale * current[i]
    return stops


@kernel
def add_rows(current, step, low, high, scale, total, first_column):
    """Add the converted currents (rows, n) to the total from a column on; return how many were at the stop."""
    (rows, n), stops = current.shape, 0
    if total.shape[1] == n and rows * n < 2**31:
        size = rows * n
        return np.int64(add_converted(current.reshape(size), step, low, high, scale, total.reshape(size)))
    for row in range(rows):
        sums = total[row, first_column : first_column + n]
        stops += add_converted(current[row], step, low, high, scale, sums)
    return stops


@kernel
def sense(partial, sigma, key, draw_step, tile, first_row, step, low, high, scale, total, first_column):
    """Add scale * adc(partial + sigma z) of one tile to the total; return how many readings were at the stop.

    Parameters
    ----------
    partial : numpy.ndarray
        (rows, n) noise-free currents; overwritten with the noisy ones.
    sigma : numpy.ndarray
        (rows,) standard deviations of the row's currents; (0,) for none.
    key, draw_step, tile, first_row
        Key and counter of the draws.
    step, low, high : float
        Grid of the converter.
    scale : float
        Digital factor.
    total : numpy.ndarray
        (rows, first_column + n or more), added to from first_column on.
    """
    wide()
    real, (rows, n), stops = partial.dtype.type, partial.shape, 0
    step, low, high, scale = real(step), real(low), real(high), real(scale)
    keys, bits = schedule(key), scratch()
    if sigma.size > 0 and whole_row(n):
        flat = np.empty(4 * CHUNK + LANES, np.float32)
        for first in range(0, rows, max(1, HELD // n)):
            last = min(first + max(1, HELD // n), rows)
            for row in range(first, last):
                normal_row(keys, n, first_row + row, tile, draw_step, bits, flat)
                part, deviation = partial[row], real(sigma[row])
                for i in range(part.shape[0]):
                    part[i] += deviation * real(flat[i])
            stops += add_rows(partial[first:last], step, low, high, scale, total[first:last], first_column)
        return stops
    z, lines = np.empty((4, CHUNK), np.float32), together(n, rows)
    for row in range(0, rows, max(lines, 1)):
        lines = min(lines, rows - row)
        for first in range(0, (n + 3) // 4 if sigma.size > 0 else 0, CHUNK):
            count = min(CHUNK, (n + 3) // 4 - first)
            normal_panel(keys, first, count, first_row + row, lines, tile, draw_step, bits, z)
            for r in range(lines):
                deviation = real(sigma[row + r])
                for word in range(4):
                    begin, end = span(word, n, first, count)
                    part, drawn = partial[row + r, begin:end], z[word, r * count :]
                    for i in range(end - begin):
                        part[i] += deviation * real(drawn[i])
        stops += add_rows(partial[row : row + lines], step, low, high, scale, total[row : row + lines], first_column)
    return stops


@kernel
def sense_varied(
    partial, variance, floor, key, draw_step, tile, first_row, step, low, high, scale, total, first_column
):
    """As :func:`sense` with the variance (rows, n) of every current, and ``floor`` added to all of them."""
    wide()
    real, (rows, n), stops = partial.dtype.type, partial.shape, 0
    step, low, high, scale, floor = real(step), real(low), real(high), real(scale), real(floor)
    keys, bits = schedule(key), scratch()
    if whole_row(n):
        flat = np.empty(4 * CHUNK + LANES, np.float32)
        for first in range(0, rows, max(1, HELD // n)):
            last = min(first + max(1, HELD // n), rows)
            for row in range(first, last):
                normal_row(keys, n, first_row + row, tile, draw_step, bits, flat)
                part, var = partial[row], variance[row]
                for i in range(part.shape[0]):
                    part[i] += np.sqrt(var[i] + floor) * real(flat[i])
            stops += add_rows(partial[first:last], step, low, high, scale, total[first:last], first_column)
        return stops
    z, lines = np.empty((4, CHUNK), np.float32), together(n, rows)
    for row in range(0, rows, max(lines, 1)):
        lines = min(lines, rows - row)
        for first in range(0, (n + 3) // 4, CHUNK):
            count = min(CHUNK, (n + 3) // 4 - first)
            normal_panel(keys, first, count, first_row + row, lines, tile, draw_step, bits, z)
            for r in range(lines):
                for word in range(4):
                    begin, end = span(word, n, first, count)
                    part, var, drawn = partial[row + r, begin:end], variance[row + r, begin:end], z[word, r * count :]
                    for i in range(end - begin):
                        part[i] += np.sqrt(var[i] + floor) * real(drawn[i])
        stops += add_rows(partial[row : row + lines], step, low, high, scale, total[row : row + lines], first_column)
    return stops


@kernel(fastmath=VECTOR)
def deviations(x, edges, size, floor, out):
    """Write sqrt(size sum x^2 + floor) of x (rows, n) between edges (tiles + 1,), out (tiles, rows)."""
    real = x.dtype.type
    for row in range(x.shape[0]):
        line = x[row]
        for tile in range(edges.shape[0] - 1):
            part = line[edges[tile] : edges[tile + 1]]
            total = line.dtype.type(0)
            for i in range(part.shape[0]):
                total += part[i] * part[i]
            out[tile, row] = np.sqrt(real(size) * total + real(floor))
