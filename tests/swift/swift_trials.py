"""Bit rot on a real Swift: objects are written, bits of their fragments flipped on disk, and what
comes back is compared with what was written. Shared by the tests, the long run and the demo."""

import struct
from dataclasses import dataclass, field

HEADER = 80


@dataclass
class Outcome:
    """What clients got. A GET is right, wrong (success, and other bytes), or an error that the
    client sees: a status that says so, or an answer that breaks off."""

    objects: int = 0
    right: int = 0
    wrong: int = 0
    errors: int = 0
    kept: dict = field(default_factory=dict)  # name -> {index: bytes of the fragment as written}

    def count(self, answer, expected):
        status, body = answer
        if status in (200, 206):
            self.right += body == expected
            self.wrong += body != expected
        else:
            self.errors += 1

    def __str__(self):
        return (f"{self.objects} objects, {self.right + self.wrong + self.errors} GETs: "
                f"{self.right} right, {self.wrong} wrong, {self.errors} errors")


def flip(path, bit):
    """Changes one bit of a file in place; its extended attributes stay."""
    with open(path, "r+b") as file:
        file.seek(bit // 8)
        byte = file.read(1)[0]
        file.seek(bit // 8)
        file.write(bytes([byte ^ 1 << bit % 8]))


def any_bit(rng, path):
    """A random bit of a fragment archive."""
    return rng.randrange(8 * path.stat().st_size)


def payload_bit(rng, path, segment):
    """A random bit of the payload of one segment."""
    content, begin = path.read_bytes(), 0
    for _ in range(segment):
        begin += HEADER + struct.unpack_from("<I", content, begin + 4)[0]
    size = struct.unpack_from("<I", content, begin + 4)[0]
    return 8 * (begin + HEADER) + rng.randrange(8 * size)


def bit_rot(cluster, rng, trials, hits=1, gets=6, same_segment=False, size=None, label="rot"):
    """Writes an object, flips one bit in each of `hits` fragments, reads it `gets` times; `trials`
    times over. Sizes are random, of one to six segments, where none is given."""
    outcome = Outcome()
    for trial in range(trials):
        name = f"{label}-{hits}-{trial}"
        data = rng.randbytes(size or rng.randrange(cluster.segment_size // 2,
                                                   6 * cluster.segment_size))
        cluster.put(name, data)
        fragments = cluster.all_fragments(name)
        outcome.kept[name] = {index: path.read_bytes() for index, path in fragments.items()}
        segment = rng.randrange(-(-len(data) // cluster.segment_size))
        for index in rng.sample(sorted(fragments), hits):
            path = fragments[index]
            flip(path, payload_bit(rng, path, segment) if same_segment else any_bit(rng, path))
        for _ in range(gets):
            outcome.count(cluster.get(name), data)
        outcome.objects += 1
    return outcome


def damaged(cluster, outcome):
    """{(name, index): what is wrong} for fragments that are not as they were written."""
    found = {}
    for name, kept in outcome.kept.items():
        fragments = cluster.fragments(name)
        for index, content in kept.items():
            if index not in fragments:
                found[name, index] = "missing"
            elif fragments[index].read_bytes() != content:
                found[name, index] = "different"
    return found


def payloads(content):
    """The payloads of a fragment archive, without the headers."""
    pieces, begin = [], 0
    while begin < len(content):
        size = struct.unpack_from("<I", content, begin + 4)[0]
        pieces.append(content[begin + HEADER:begin + HEADER + size])
        begin += HEADER + size
    return pieces
