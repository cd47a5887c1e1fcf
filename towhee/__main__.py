"""``python -m towhee`` is ``hub``."""

from __future__ import annotations

import sys

from towhee.cli import main

sys.exit(main())
