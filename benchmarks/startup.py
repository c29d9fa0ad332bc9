"""What the start-up file of the package adds to every start of an interpreter.

Python's own account (`-X importtime`) of 50 starts, beside that of setuptools' start-up file, where
there is one: median (lowest-highest) in milliseconds. Needs an environment in which the package is
installed from a wheel, not as editable, which looks through one more folder.

    python benchmarks/startup.py
"""

from __future__ import annotations

import re
import statistics
import subprocess
import sys
import tempfile

STARTS = 50
MODULES = ("sriqa_metric", "_distutils_hack")


def milliseconds() -> dict[str, float]:
    """Module -> time of its import, with what it imports, in one start of an interpreter."""
    with tempfile.TemporaryDirectory() as elsewhere:  # not where a checkout would be found
        done = subprocess.run(
            [sys.executable, "-X", "importtime", "-c", "pass"],
            cwd=elsewhere,
            capture_output=True,
            text=True,
            check=True,
        )
    found = re.findall(r"\|\s+(\d+) \|\s+(\S+)", done.stderr)
    return {name: int(time) / 1000 for time, name in found if name in MODULES}


def main() -> None:
    """Print a line for each start-up file."""
    milliseconds()  # files are read from the disk once
    starts = [milliseconds() for _ in range(STARTS)]
    for name in MODULES:
        times = [start[name] for start in starts if name in start]
        if times:
            spread = f"({min(times):.2f}-{max(times):.2f})"
            print(f"{name:16} {statistics.median(times):.2f} {spread} ms")
        else:
            print(f"{name:16} is not imported at the start")


if __name__ == "__main__":
    main()
