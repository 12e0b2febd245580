"""Half-open ranges of rows, joined where they touch: grows with the damage, not with the object."""

from collections.abc import Iterator


class Ranges:
    """Ascending ranges that are added in ascending order."""

    def __init__(self):
        self._ends: list[list[int]] = []

    def add(self, begin: int, size: int) -> None:
        """Adds [begin, begin + size), which may not begin before the last range ends."""
        if self._ends and self._ends[-1][1] == begin:
            self._ends[-1][1] = begin + size
        elif size:
            self._ends.append([begin, begin + size])

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return ((begin, end) for begin, end in self._ends)

    def __len__(self) -> int:
        return len(self._ends)

    def __getitem__(self, position: int) -> tuple[int, int]:
        begin, end = self._ends[position]
        return begin, end
