"""The time that a store sees: injected, so that simulations and tests have their own."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


class Clock(Protocol):
    """Where the time comes from."""

    def wall(self) -> float:
        """Seconds since 1970, as the host believes."""

    def uptime(self) -> float:
        """Seconds since the host started, sleep included; never set by anyone."""

    def boot_id(self) -> str:
        """Changes when the host starts anew."""


class SystemClock:
    """The host's clock."""

    def wall(self) -> float:
        return time.time()

    def uptime(self) -> float:
        return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else (
            time.monotonic())

    def boot_id(self) -> str:
        try:
            return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        except OSError:
            return "unknown"


@dataclass(frozen=True)
class Observation:
    """What the clock said when a maintenance last looked at it."""

    wall: float
    uptime: float
    boot_id: str

    @classmethod
    def of(cls, clock: Clock) -> "Observation":
        return cls(clock.wall(), clock.uptime(), clock.boot_id())


_DRIFT_SECONDS = 600
_UNSEEN_SECONDS = 31 * 86400


def jump(before: Observation, now: Observation) -> str | None:
    """What is wrong between two observations, as a sentence; None when time went on as it does."""
    passed = now.wall - before.wall
    if passed < -1:
        return f"the clock is {-passed:.0f} s behind what it said before"
    if now.boot_id == before.boot_id:
        drift = passed - (now.uptime - before.uptime)
        if abs(drift) > _DRIFT_SECONDS:
            return f"the clock was set by {drift:+.0f} s since it was last seen"
    elif passed > _UNSEEN_SECONDS:
        return f"nobody saw the clock for {passed / 86400:.0f} days"
    return None
