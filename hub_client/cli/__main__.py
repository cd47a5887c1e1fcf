"""``python -m hub_client.cli``."""

from __future__ import annotations

import sys

from hub_client.cli import main

sys.exit(main())
