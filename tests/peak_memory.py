"""How much memory a call takes."""

import tracemalloc


def peak_of(call):
    """The most bytes that Python and NumPy held at once during the call, of what it allocated."""
    tracemalloc.start()
    try:
        call()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
