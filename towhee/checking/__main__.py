"""The process that an operator is checked in: ``python -m towhee.checking``."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from towhee.checking.examination import examine
from towhee.checking.report import Report

if __name__ == "__main__":
    repository, report, options = sys.argv[1:]
    examine(Path(repository), json.loads(options), Report(Path(report)))
