from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from servers.operator_files import OperatorFolder

    from tests.hub_client.cli.conftest import Hub

Into = tuple[str, str]

MANIFEST = """\
spec: 1
name: acme/embed
version: "1.0.0"
kind: operator
summary: Embed things
license: Apache-2.0
module: embed
requires:
  python: ">=3.11"
  operators: ["acme/blur>=1"]
  packages: ["numpy>=1.26"]
inputs: [{name: image, type: [image, path], dtype: uint8, shape: [H, W, 3], color: RGB}]
outputs: [{name: embedding, type: vector, dtype: float32, shape: [D]}]
parameters:
  model_name:
    description: Any model that this operator knows, with or without a tag, and by default the one that it was made for
    type: string
    default: small
  layer: {enum: [penultimate, last, 1], default: penultimate}
weights:
  - {for: {model_name: small}, repo: acme/small, file: model.safetensors}
"""


def test_a_page_says_what_an_operator_is_needs_and_takes(
    hub: Hub, shelf: OperatorFolder, into: Into
) -> None:
    folder = shelf.path / "acme" / "embed"
    folder.mkdir(parents=True)
    (folder / "operator.yaml").write_text(MANIFEST, encoding="utf-8")
    assert hub.result("info", "acme/embed", *into) == (
        "acme/embed 1.0.0\n"
        "Embed things\n"
        "\n"
        "kind       operator\n"
        "licence    Apache-2.0\n"
        f"source     {shelf.spec}\n"
        "versions   1.0.0\n"
        "installed  no\n"
        "python     >=3.11\n"
        "takes      image: image or path, uint8, [H, W, 3], RGB\n"
        "gives      embedding: vector, float32, [D]\n"
        "operators  acme/blur>=1\n"
        "packages   numpy>=1.26\n"
        "\n"
        "Parameters\n"
        '  model_name = "small"  (string)\n'
        "      Any model that this operator knows, with or without a tag, and by default the one\n"
        "      that it was made for\n"
        '  layer = "penultimate"  ("penultimate", "last" or 1)\n'
        "\n"
        "Weights\n"
        "  acme/small  model.safetensors  for model_name=small\n"
    )


def test_the_bundled_embedder_lists_its_layers_and_poolings(
    hub: Hub, into: Into
) -> None:
    page = hub.result("info", "image-embedding/timm", *into)
    assert "\n  layer = null  (string, integer or null)\n" in page
    assert '\n  pooling = null  ("avg", "max", "cls", "none" or null)\n' in page


def test_what_is_installed_is_told_with_its_place_and_its_own_source(
    hub: Hub, operators: OperatorFolder, into: Into
) -> None:
    operators.publish("acme/blur", "1.0.0")
    operators.publish("acme/blur", "1.1.0")
    flags = ("--source", operators.spec, "--trust-once")
    hub.said("install", "acme/blur<1.1", *flags, *into)
    facts = json.loads(hub.result("info", "acme/blur", "--json", *into))
    assert facts.keys() == {
        "name",
        "source",
        "versions",
        "yanked",
        "installed",
        "space",
        "manifest",
    }
    assert facts["source"] == operators.spec
    assert facts["versions"] == ["1.1.0", "1.0.0"]
    assert facts["installed"]["version"] == facts["manifest"]["version"] == "1.0.0"
    assert (Path(facts["installed"]["path"]) / "operator.yaml").is_file()


def test_a_version_that_is_asked_for_is_told_whatever_is_installed(
    hub: Hub, operators: OperatorFolder, into: Into
) -> None:
    for version in ("1.0.0", "1.1.0", "2.0rc1"):
        operators.publish("acme/blur", version)
    source = ("--source", operators.spec, "--trust-once")
    hub.said("install", "acme/blur==1.0.0", *source, *into)
    for asked, told in (
        ("acme/blur<2", "1.0.0"),
        ("acme/blur>1", "1.1.0"),
        ("acme/blur==2.0rc1", "2.0rc1"),
    ):
        page = hub.result("info", asked, *into)
        assert page.startswith(f"acme/blur {told}\n")
        assert "\ninstalled  1.0.0\n" in page
    assert hub.refused("info", "acme/blur>3", *into) == (
        f"error: `{operators.spec}` has no `acme/blur>3`\n\n"
        "hint: It has 2.0rc1, 1.1.0, 1.0.0\n"
    )
    operators.path.rename(operators.path.with_name("elsewhere"))
    assert "elsewhere" not in hub.refused("info", "acme/blur>1", *into)


def test_what_is_installed_is_told_though_its_source_is_gone(
    hub: Hub, operators: OperatorFolder, into: Into
) -> None:
    operators.publish("acme/blur", "1.0.0")
    flags = ("--source", operators.spec, "--trust-once")
    hub.said("install", "acme/blur", *flags, *into)
    operators.path.rename(operators.path.with_name("elsewhere"))
    done = hub("info", "acme/blur", *into)
    assert done.returncode == 0
    assert done.stdout.startswith("acme/blur 1.0.0\n")
    assert done.stderr.startswith("warning: no list of versions: ")


def test_what_a_model_was_trained_on_is_told(
    hub: Hub, shelf: OperatorFolder, into: Into
) -> None:
    folder = shelf.path / "acme" / "embed"
    folder.mkdir(parents=True)
    training = """training:
  data: {name: logos, images: 12000, classes: [round, square]}
  domain: Drawings on white
  base: {operator: image-embedding/timm==1.0.0, model: resnet18}
  metrics: {accuracy: 0.975, recall: 0.5}
"""
    (folder / "operator.yaml").write_text(MANIFEST + training, encoding="utf-8")
    page = hub.result("info", "acme/embed", *into)
    assert page.partition("packages   numpy>=1.26\n")[2].partition("\n\n")[0] == (
        "trained    logos: 12,000 images, 2 classes\n"
        "domain     Drawings on white\n"
        "base       image-embedding/timm==1.0.0, resnet18\n"
        "metrics    accuracy 0.975, recall 0.5"
    )


def test_the_bundled_embedder_says_what_its_default_weights_learned_from(
    hub: Hub,
) -> None:
    assert "trained    ImageNet-1k, " in hub.result("info", "image-embedding/timm")


def test_an_unknown_name_is_answered_with_the_nearest(hub: Hub, into: Into) -> None:
    assert hub.refused("info", "image-embeding/timm", *into) == (
        "error: `bundled` has no operator `image-embeding/timm`\n"
        "\n"
        "hint: Did you mean `image-embedding/timm` or `image-text-embedding/clip`?\n"
    )
