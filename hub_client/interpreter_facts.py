"""What an interpreter says of itself.

This file also runs alone, under interpreters that have none of this project, so it uses
the standard library only, in a form that old ones can parse.
"""

import json
import os
import platform
import sys
import sysconfig


def interpreter_facts() -> "dict[str, object]":
    """Facts as JSON values; the marker names are PEP 508's."""
    version = platform.python_version()
    implementation = sys.implementation.version
    stdlib = sysconfig.get_path("stdlib")
    managed = os.path.join(stdlib, "EXTERNALLY-MANAGED")  # noqa: PTH118  (as above)
    return {
        "version": version,
        "prefix": sys.prefix,
        "externally_managed": (
            sys.prefix == sys.base_prefix and os.path.exists(managed)  # noqa: PTH110
        ),
        "path": [entry for entry in sys.path if entry and os.path.isdir(entry)],  # noqa: PTH112
        "markers": {
            "implementation_name": sys.implementation.name,
            "implementation_version": ".".join(map(str, implementation[:3])),
            "os_name": os.name,
            "platform_machine": platform.machine(),
            "platform_python_implementation": platform.python_implementation(),
            "platform_release": platform.release(),
            "platform_system": platform.system(),
            "platform_version": platform.version(),
            "python_full_version": version,
            "python_version": ".".join(platform.python_version_tuple()[:2]),
            "sys_platform": sys.platform,
        },
    }


if __name__ == "__main__":
    # The script's own folder is no part of the environment.
    sys.path = sys.path[1:]
    json.dump(interpreter_facts(), sys.stdout)
