"""The size rule."""

from __future__ import annotations

from dataclasses import dataclass

MIB = 1024 * 1024
"""The reference counts megabytes of 2**20 bytes (file_size_mb = size / 1024 / 1024)."""

TOO_SMALL = "too-small"
TOO_LARGE = "too-large"


@dataclass(frozen=True)
class SizeWindow:
    """Which file sizes are normal: expected +- tolerance, unless an explicit minimum or maximum wins over it."""

    expected_mb: float
    tolerance_percent: float
    min_mb: float | None = None
    max_mb: float | None = None

    @property
    def min_bytes(self) -> int:
        low = self.expected_mb * (1 - self.tolerance_percent / 100) if self.min_mb is None else self.min_mb
        return max(0, round(low * MIB))

    @property
    def max_bytes(self) -> int:
        high = self.expected_mb * (1 + self.tolerance_percent / 100) if self.max_mb is None else self.max_mb
        return round(high * MIB)

    def verdict(self, size_bytes: int) -> str | None:
        """None for a normal size, else TOO_SMALL or TOO_LARGE. The limits themselves are normal; nothing of zero
        bytes is."""
        if size_bytes < max(self.min_bytes, 1):
            return TOO_SMALL
        if size_bytes > self.max_bytes:
            return TOO_LARGE
        return None
