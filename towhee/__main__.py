"""The program ``hub``; ``python -m towhee`` is the same."""

from __future__ import annotations

import sys


def main() -> int:
    """Run one command; Ctrl-C ends it in the same way while it still loads.

    :returns: as ``hub_client.cli.main``.
    """
    try:
        from hub_client.loading import loading  # noqa: PLC0415  (Ctrl-C may fall here, too)

        with loading():
            from towhee.cli import main as run  # noqa: PLC0415  (a tenth of a second)
    except KeyboardInterrupt:
        print("\nInterrupted; nothing half done is kept", file=sys.stderr)  # noqa: T201
        return 130
    return run()


if __name__ == "__main__":
    sys.exit(main())
