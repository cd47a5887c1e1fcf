"""A lock with everything that a lock can have."""

from __future__ import annotations

import pytest
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from hub_client.lockfile import LockedOperator, LockedPackage, Lockfile
from plugin_spec.manifest import Weights
from plugin_spec.names import OperatorName
from plugin_spec.requirement import Requirement
from plugin_spec.spaces import EmbeddingSpace


def digest(digit: str) -> str:
    return f"sha256:{digit * 64}"


@pytest.fixture
def lockfile() -> Lockfile:
    cv2 = LockedOperator(
        name=OperatorName.parse("image-decode/cv2"),
        version=Version("1.0.0"),
        source="bundled",
        ref=None,
        revision=digest("a"),
        tree=digest("a"),
        manifest=digest("b"),
        requires=(),
        requires_python=SpecifierSet(">=3.11"),
        packages=("opencv-python-headless>=4.9",),
    )
    timm = LockedOperator(
        name=OperatorName.parse("image-embedding/timm"),
        version=Version("1.2.0"),
        source="git+https://git.example.org/timm.git",
        ref="refs/tags/v1.2.0",
        revision="c" * 40,
        tree=digest("d"),
        manifest=digest("e"),
        requires=(Requirement.parse("image-decode/cv2>=1,<2"),),
        requires_python=SpecifierSet(">=3.11"),
        packages=("timm<2,>=1.0.9", "torch>=2.4"),
        yanked='says "no", \\ and\nbreaks lines',
        weights=(
            Weights(
                {"model_name": "resnet50"},
                "timm/resnet50.a1_in1k",
                "m.safetensors",
                "main",
                "9" * 64,
                102,
            ),
            Weights({}, "timm/resnet18", "m.safetensors"),
        ),
        signer="SHA256:key",
        space=EmbeddingSpace(
            "image-embedding/timm",
            "the 'tiny' one",
            digest("8"),
            preprocessing={"mean": [0.5, 1.0], "crop": 1, "a b": {"c": True}},
        ),
    )
    return Lockfile(
        ("operator image-embedding/timm>=1,<2", "python >=3.11"),
        (cv2, timm),
        (
            LockedPackage("numpy", "2.1.0", None, (digest("1"),)),
            LockedPackage("opencv-python-headless", "4.9", None, (digest("5"),)),
            LockedPackage("timm", "1.0.22", None, (digest("6"),)),
            LockedPackage(
                "torch", "2.4.1", 'sys_platform != "darwin"', (digest("3"), digest("4"))
            ),
            LockedPackage("torch", "2.4.1", 'sys_platform == "darwin"', (digest("2"),)),
        ),
    )
