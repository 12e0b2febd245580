"""What pyeclib makes of seeded inputs, one line for each: run once with ISA-L and once with the
drop-in, the two outputs are equal. Run by test_isal_pyeclib.py:

    python pyeclib_trials.py FACE SEED TRIALS      FACE: isal, or reed, which preloads the drop-in

Each line holds the digests of all fragments, of what was decoded and of what was reconstructed, or
the name of the exception. The last line names the library that computed.
"""

import ctypes
import hashlib
import random
import sys

BACKENDS = ("isa_l_rs_vand", "isa_l_rs_cauchy", "isa_l_rs_vand_inv")
GEOMETRIES = ((2, 1), (3, 2), (4, 2), (6, 3), (8, 4), (10, 4), (12, 6), (16, 4), (17, 3), (20, 5))
LOADED_NAME = "libisal-pyeclib.so.2"


def digest(parts):
    total = hashlib.md5(usedforsecurity=False)
    for part in parts:
        total.update(len(part).to_bytes(8, "little") + part)
    return total.hexdigest()


def trial(driver, data, lost, failure):
    """One object: every fragment, decoding without the lost ones, and each of those again."""
    fragments = driver.encode(data)
    left = [fragment for i, fragment in enumerate(fragments) if i not in lost]
    try:
        decoded = driver.decode(left)
        rebuilt = driver.reconstruct(left, sorted(lost))
    except failure as error:  # a generator that is not MDS at this shape: both must fail
        return f"{digest(fragments)} {type(error).__name__}"
    assert decoded == data
    assert all(made == fragments[i] for made, i in zip(rebuilt, sorted(lost), strict=True))
    return f"{digest(fragments)} {digest([decoded])} {digest(rebuilt)}"


def library():
    """The file that answers to the name under which pyeclib asks for ISA-L."""
    address = ctypes.cast(ctypes.CDLL(LOADED_NAME).ec_encode_data, ctypes.c_void_p).value
    with open("/proc/self/maps") as maps:
        for line in maps:
            begin, end = (int(edge, 16) for edge in line.split()[0].split("-"))
            if begin <= address < end:
                return line.split()[-1]
    raise AssertionError("the function lies nowhere")


def main(face, seed, trials):
    if face == "reed":
        from reed.compat import isal

        isal.preload()
    from pyeclib.ec_iface import ECDriver, ECDriverError

    drivers = {(backend, k, m): ECDriver(ec_type=backend, k=k, m=m)
               for backend in BACKENDS for k, m in GEOMETRIES}
    choose = random.Random(seed)
    for number in range(trials):
        # Every backend and geometry in turn, then again with other data.
        backend, k, m = list(drivers)[number % len(drivers)]
        size = choose.choice((1, k - 1 or 1, k, 4096, choose.randrange(1, 200_000)))
        lost = set(choose.sample(range(k + m), choose.randint(1, m)))
        result = trial(drivers[backend, k, m], choose.randbytes(size), lost, ECDriverError)
        print(f"{number} {backend} {k}+{m} {size} {sorted(lost)} {result}")
    print(library())


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
