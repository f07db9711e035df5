"""LDL^T of a symmetric banded matrix: nodes numbered across the strip keep the band narrow.

Row i of the band (n, b + 1) holds A[i, i..i+b]: the upper half, each row contiguous.
"""

from numba import boolean, float64

from hpc_jobs.fem.kernel import kernel


@kernel(boolean(float64[:, ::1]), fastmath={"contract"})
def factorise(band):
    """Overwrite A by D (first column) and the rows of L^T; False at a zero or non-finite pivot.

    No pivoting: past a limit point a pivot may be negative, which is no error.
    """
    n, width = band.shape
    for k in range(n):
        pivot = band[k, 0]
        if pivot == 0 or not abs(pivot) < 1e300:
            return False
        last = min(width, n - k)
        for i in range(1, last):
            factor = band[k, i] / pivot
            if factor != 0:
                row = band[k + i]
                source = band[k, i:last]
                for j in range(last - i):
                    row[j] -= factor * source[j]
        for i in range(1, last):
            band[k, i] /= pivot
    return True


@kernel("void(float64[:, ::1], float64[::1])", fastmath={"contract"})
def substitute(band, b):
    """Overwrite b by the solution of L D L^T x = b."""
    n, width = band.shape
    for k in range(n):
        last = min(width, n - k)
        for i in range(1, last):
            b[k + i] -= band[k, i] * b[k]
    for k in range(n - 1, -1, -1):
        last = min(width, n - k)
        total = b[k] / band[k, 0]
        for i in range(1, last):
            total -= band[k, i] * b[k + i]
        b[k] = total
