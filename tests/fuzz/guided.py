"""Feed parsers what libFuzzer makes up, guided by which lines that reaches.

    python tests/fuzz/guided.py [--seconds 30] [PARSER ...]

What one falls over is written to its folder of the corpus, and stays there, as a test.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import os
import sys
import tempfile
from pathlib import Path

import atheris

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

with atheris.instrument_imports(include=["hub_client", "plugin_spec", "packaging"]):
    from fuzz.parsers import PARSERS

    from plugin_spec.errors import HubError


def main() -> None:
    """Fuzz; the first byte of what libFuzzer makes up says which parser gets the rest.

    libFuzzer ends its process, a child: with 0 if nothing was found in time.
    """
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--seconds", type=int, default=30)
    options.add_argument("parsers", nargs="*", metavar="PARSER")
    chosen = options.parse_args()
    names = chosen.parsers or list(PARSERS)

    def read(data: bytes) -> None:
        if not data:
            return
        name = names[data[0] % len(names)]
        try:
            with contextlib.suppress(HubError):
                PARSERS[name](data[1:])
        except BaseException:
            digest = hashlib.sha256(data[1:]).hexdigest()[:12]
            found = HERE / "corpus" / name / f"found-{digest}"
            found.parent.mkdir(exist_ok=True)
            found.write_bytes(data[1:])
            print(f"{name} fell over {data[1:]!r}, kept as {found}")
            raise

    with tempfile.TemporaryDirectory() as folder:
        for number, name in enumerate(names):
            for seed in (HERE / "corpus" / name).glob("*"):
                copy = Path(folder, f"{name}-{seed.name}")
                copy.write_bytes(bytes([number]) + seed.read_bytes())
        limits = [f"-max_total_time={chosen.seconds}", "-max_len=4096", "-timeout=10"]
        quiet = ["-print_final_stats=1", "-verbosity=1", f"-artifact_prefix={folder}/"]
        if child := os.fork():
            status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        else:
            atheris.Setup([sys.argv[0], folder, *limits, *quiet], read)
            atheris.Fuzz()
    sys.exit(status)


if __name__ == "__main__":
    main()
