"""Writes the files into a folder to look at."""

import sys
from pathlib import Path

from . import CASES

folder = Path(sys.argv[1])
folder.mkdir(parents=True, exist_ok=True)
for case in CASES.values():
    print(case.name, repr(case.put(folder).name), case.row.args[2], sep="\t")
