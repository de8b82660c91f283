"""The most memory that this process has held."""

import re
from pathlib import Path


def peak_resident_bytes() -> int:
    """Since the program started. ``ru_maxrss`` would begin with what the process that started it held."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found
    return int(found[1]) * 1024
