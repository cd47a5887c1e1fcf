"""What a manifest promises: strictness, every problem at once, and a round trip."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example as given_example
from hypothesis import given, settings
from hypothesis import strategies as st
from packaging.version import Version

import plugin_spec
from plugin_spec import HubError, InvalidManifest, Manifest, OperatorName, Port
from plugin_spec.formats import FORMATS
from plugin_spec.validation import _MAX_CHECKED

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

LONG = 1001 * "a"

PIPELINE = b"""\
spec: 1
name: towhee/image-embedding-tiny
version: "1.0.0"
kind: pipeline
summary: Embed images with a tiny model
license: Apache-2.0
inputs: [{name: source, type: [path, url, bytes, image]}]
outputs: [{name: embedding, type: vector}]
steps:
  - {operator: image-decode/cv2>=1}
  - operator: image-embedding/timm>=1,<2
    with: {model_name: test_resnet, checkpoint_path: {file: weights/tiny.safetensors}}
"""


def problems(source: bytes) -> list[str]:
    with pytest.raises(InvalidManifest) as caught:
        Manifest.from_yaml(source)
    return list(caught.value.problems)


def test_the_example_is_read(example: bytes) -> None:
    manifest = Manifest.from_yaml(example)
    assert str(manifest.name) == "image-embedding/timm"
    assert manifest.version == Version("1.0.0")
    assert manifest.module == "timm_embedding"
    assert str(manifest.requires_python) == ">=3.11"
    assert [str(each) for each in manifest.dependencies] == ["image-decode/cv2<2,>=1"]
    assert [each.name for each in manifest.packages] == ["timm", "torch"]
    assert manifest.inputs == (
        Port("image", ("image",), dtype="uint8", shape=("H", "W", 3), color="RGB"),
    )
    assert manifest.parameters == {
        "model_name": {"type": "string", "default": "resnet50"}
    }
    assert manifest.weights[0].when == {"model_name": "resnet50"}
    assert manifest.weights[0].revision is None
    assert manifest.steps == ()


def test_a_pipeline_has_steps_and_depends_on_them() -> None:
    manifest = Manifest.from_yaml(PIPELINE)
    assert manifest.module is None
    assert [str(each) for each in manifest.dependencies] == [
        "image-decode/cv2>=1",
        "image-embedding/timm<2,>=1",
    ]
    assert manifest.steps[0].options == {}
    assert manifest.steps[1].options == {
        "model_name": "test_resnet",
        "checkpoint_path": {"file": "weights/tiny.safetensors"},
    }
    assert manifest.inputs[0].types == ("path", "url", "bytes", "image")


def test_a_manifest_can_stand_in_a_set(example: bytes) -> None:
    assert len({Manifest.from_yaml(example), Manifest.from_yaml(example)}) == 1


def test_a_manifest_does_not_change_with_what_it_was_read_from(example: bytes) -> None:
    data = Manifest.from_yaml(example).to_dict()
    manifest = Manifest.from_dict(data)
    data["parameters"]["model_name"]["default"] = "other"
    manifest.to_dict()["parameters"]["model_name"]["default"] = "other"
    assert manifest == Manifest.from_yaml(example)


def test_every_problem_is_reported_at_once_in_file_order_with_its_place() -> None:
    source = b"""\
spec: 2
name: no
version: 1.10
kind: operater
sumary: x
license: Apache 2.0
module: json
requires:
  packages: [ok, "x @ http://${TOKEN}@h/", "y @ file:///etc/passwd", "--index-url x",
    "z\\n>=1", 'z; os_name == "a\\n-r x"', "z; os_name == \\"a\\f-r x\\""]
  operators: [a/b>=x, A/b]
  python: three
inputs: [{name: a, type: imag, shape: [H, 0, 3.0, 010]}, {type: [image, 3]}]
outputs: []
parameters:
  class: {type: string}
  count: {type: integer, default: x}
  pattern: {type: strin, pattern: (a+)+$, $ref: "http://h/"}
  pattern: {}
weights: [{for: &a {c: 1}, repo: x, size: 1_000, sha256: abc}]
steps: *a
"""
    assert problems(source) == [
        "line 1: summary: missing",
        "line 1: spec: expected 1, the version of this format, got the number 2",
        'line 2: name: expected a quoted string, got the boolean no: write "no"',
        'line 3: version: expected a quoted string, got the number 1.10: write "1.10"',
        "line 4: kind: expected operator or pipeline, got 'operater'",
        "line 5: sumary: unknown key: did you mean `summary`?",
        "line 6: license: expected an SPDX expression such as `Apache-2.0`, got 'Apache 2.0'",
        "line 7: module: `json` belongs to Python; choose a name such as `json_operator`",
        "line 9: requires.packages[1]: URL requirements are not allowed, got 'x @ http://${TOKEN}@h/'",
        "line 9: requires.packages[2]: URL requirements are not allowed, got 'y @ file:///etc/passwd'",
        "line 9: requires.packages[3]: expected a PEP 508 requirement such as `timm>=1,<2`, got '--index-url x'",
        "line 10: requires.packages[4]: expected a PEP 508 requirement such as `timm>=1,<2`, got 'z\\n>=1'",
        r"""line 10: requires.packages[5]: expected a PEP 508 requirement such as `timm>=1,<2`, got 'z; os_name == "a\\n-r x"'""",
        r"""line 10: requires.packages[6]: expected a PEP 508 requirement such as `timm>=1,<2`, got 'z; os_name == "a\x0c-r x"'""",
        "line 11: requires.operators[0]: invalid version specifier, got 'a/b>=x'",
        "line 11: requires.operators[1]: expected `namespace/name`, got 'A/b'",
        "line 12: requires.python: expected a PEP 440 specifier such as `>=3.11`, got 'three'",
        "line 13: inputs[0].type: unknown port type 'imag': did you mean `image`?",
        "line 13: inputs[0].shape[1]: expected a length of at least 1, or a name, got the number 0",
        "line 13: inputs[0].shape[2]: expected a whole number or a quoted string, got the number 3.0",
        "line 13: inputs[0].shape[3]: expected a whole number or a quoted string, got the number 010",
        "line 13: inputs[1].name: missing",
        'line 13: inputs[1].type[1]: expected a quoted string, got the number 3: write "3"',
        "line 14: outputs: expected at least one port, got an empty list",
        "line 16: parameters.class: expected a Python identifier, got the keyword 'class'",
        "line 17: parameters.count.default: does not fit its own schema: expected a whole number, got 'x'",
        "line 18: parameters.pattern.type: unknown JSON type 'strin': did you mean `string`?",
        "line 18: parameters.pattern.pattern: unknown key",
        "line 18: parameters.pattern['$ref']: unknown key",
        "line 19: parameters.pattern: repeated, first written in line 18",
        "line 20: weights[0].file: missing",
        "line 20: weights[0].for: anchors are not allowed, got &a",
        "line 20: weights[0].repo: expected `organisation/repository`, got 'x'",
        'line 20: weights[0].size: ambiguous without quotes, got the number 1_000: write "1_000"',
        "line 20: weights[0].sha256: expected 64 lower-case hexadecimal digits, got 'abc'",
        "line 21: steps: aliases are not allowed, got *a",
    ]


def test_the_message_lists_the_problems_under_the_source(example: bytes) -> None:
    with pytest.raises(InvalidManifest) as caught:
        Manifest.from_yaml(
            example.replace(b'"1.0.0"', b"1.x").replace(b"image, type: image", b"a"),
            source="git+https://git.example/timm.git v1.0.0",
        )
    assert str(caught.value) == (
        "`git+https://git.example/timm.git v1.0.0` is not a valid manifest\n"
        "  line 3: version: expected a PEP 440 version, got '1.x'\n"
        "  line 12: inputs[0].type: missing"
    )


def test_problems_of_one_place_come_in_one_order_every_time() -> None:
    missing = ("inputs", "kind", "license", "name", "outputs", "summary", "version")
    assert problems(b"spec: 1\n") == [f"line 1: {key}: missing" for key in missing]


def test_yaml_that_cannot_be_read_is_one_problem() -> None:
    assert problems(b"a: 1\n\tb: 2\n") == [
        "line 2: not YAML: found a tab character that violates indentation"
    ]


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("module: timm_embedding\n", "", "line 1: module: missing"),
        ("module: timm_embedding", "module:", "line 7: module: expected a quoted string, got nothing"),
        ("timm_embedding", "towhee", "line 7: module: `towhee` belongs to this hub; choose a name such as `towhee_operator`"),
        ("timm_embedding", "timm-embedding", "line 7: module: expected a Python identifier, got 'timm-embedding'"),
        ("image-embedding/timm\n", "map/x\n", "line 2: name: the namespace `map` of 'map/x' is reserved"),
        ("image-embedding/timm\n", "../x\n", "line 2: name: expected `namespace/name`, got '../x'"),
        ("Embed images with any timm model", '""', "line 5: summary: expected one line of 1 to 200 characters, got ''"),
        ("Embed images with any timm model", "x" * 201, "line 5: summary: expected one line of 1 to 200 characters, got 201 characters"),
        ("kind: operator", "kind: pipeline", "line 7: module: expected `steps` instead in a pipeline, got 'timm_embedding'"),
        ("outputs:", "steps: []\noutputs:", "line 13: steps: expected `module` instead in an operator, got an empty list"),
        ("{type: string, default: resnet50}", "{enum: [a, b], default: c}", "line 15: parameters.model_name.default: does not fit its own schema: expected one of 'a', 'b', got 'c'"),
        ("{type: string, default: resnet50}", "{title: T, minimum: 1, default: 0}", "line 15: parameters.model_name.default: does not fit its own schema: expected minimum 1, got the number 0"),
        ("{for: {model_name:", "{for: {modelname:", "line 17: weights[0].for.modelname: not one of the `parameters`: did you mean `model_name`?"),
        ("model.safetensors", "../model.safetensors", "line 17: weights[0].file: expected a relative path inside the repository, got '../model.safetensors'"),
        ("shape: [D]}]", "shape: [D]}, {name: embedding, type: text}]", "line 13: outputs[1].name: outputs[0] has this name already, got 'embedding'"),
    ],
)  # fmt: skip
def test_one_mistake_is_one_problem(
    example: bytes, old: str, new: str, problem: str
) -> None:
    found = problems(example.replace(old.encode(), new.encode()))
    if new.startswith("kind: pipeline"):
        assert found.pop(0) == "line 1: steps: missing"
    assert found[:1] == [problem]
    assert len(found) == (2 if "steps: []" in new else 1)


def test_a_step_names_files_of_its_own_repository_only() -> None:
    assert problems(PIPELINE.replace(b"weights/tiny", b"/etc/tiny")) == [
        "line 12: steps[1].with.checkpoint_path.file: expected a relative path inside the repository, got '/etc/tiny.safetensors'"
    ]


def test_problems_of_values_without_a_file_have_paths_and_no_lines(
    example: bytes,
) -> None:
    data = Manifest.from_yaml(example).to_dict() | {"name": 3, "extra": None}
    del data["version"]
    with pytest.raises(InvalidManifest) as caught:
        Manifest.from_dict(data, source="index entry")
    assert str(caught.value) == (
        "`index entry` is not a valid manifest\n"
        "  version: missing\n"
        "  name: expected a quoted string, got the number 3\n"
        "  extra: unknown key"
    )


def test_a_thousand_problems_do_not_make_a_thousand_lines(example: bytes) -> None:
    source = example + b"".join(b"key%d: x\n" % number for number in range(1000))
    found = problems(source)
    assert len(found) == 51
    assert found[-1] == "and 950 more"


def test_a_long_value_does_not_make_a_long_message(example: bytes) -> None:
    source = example.replace(b"Apache-2.0", b"?" * 100_000)
    assert all(len(problem) < 500 for problem in problems(source))


def test_a_manifest_from_another_place_than_it_claims_is_refused(
    example: bytes,
) -> None:
    manifest = Manifest.from_yaml(example)
    name = OperatorName.parse("image-embedding/timm")
    assert manifest.expect(name, Version("1.0"), source="x") is manifest
    assert manifest.expect(name, None, source="x") is manifest
    with pytest.raises(InvalidManifest) as caught:
        manifest.expect(name, Version("1.0.1"), source="tag v1.0.1")
    assert str(caught.value) == (
        "`tag v1.0.1` is not a valid manifest\n"
        "  expected `image-embedding/timm 1.0.1`, as its place says, "
        "got `image-embedding/timm 1.0.0`"
    )
    with pytest.raises(InvalidManifest, match="got `image-embedding/timm`"):
        manifest.expect(OperatorName.parse("acme/timm"), None, source="folder")


def test_reading_takes_a_few_milliseconds(example: bytes) -> None:
    Manifest.from_yaml(example)
    durations = []
    for _ in range(20):
        started = time.perf_counter()
        Manifest.from_yaml(example)
        durations.append(time.perf_counter() - started)
    assert min(durations) < 0.003


@pytest.mark.parametrize("length", [99, 2400])
def test_a_long_default_and_a_long_enum_take_no_longer_than_a_second(
    example: bytes, length: int
) -> None:
    known, given = b"1," * 2400, b"2," * length
    hostile = b"{items: {enum: [" + known + b"2]}, default: [" + given + b"]}"
    source = example.replace(b"{type: string, default: resnet50}", hostile)
    started = time.perf_counter()
    if length == 99:
        Manifest.from_yaml(source)
    else:
        assert problems(source) == [
            "line 15: parameters.model_name.default: expected at most 100 values, got 2,401"
        ]
    assert time.perf_counter() - started < 1


def test_importing_the_contract_loads_neither_yaml_nor_jsonschema() -> None:
    command = "import plugin_spec, sys; print({'yaml', 'jsonschema'} & {*sys.modules})"
    environment = {"PYTHONPATH": ":".join(sys.path)}
    printed = subprocess.run(
        [sys.executable, "-c", command],
        capture_output=True,
        check=True,
        env=environment,
    ).stdout
    assert printed == b"set()\n"


words = st.from_regex(r"[a-z][a-z0-9]{0,5}", fullmatch=True)
names = st.builds("x{}/x{}".format, words, words)
versions = st.from_regex(r"[0-9]{1,2}\.[0-9](rc1|\.post2)?", fullmatch=True)
specifiers = st.builds(
    "{}{}".format, st.sampled_from([">=", "==", "<", "~="]), versions
)
requirements = st.builds("{}{}".format, names, specifiers)
identifiers = words.map("{}_".format)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5)
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(identifiers, inner, max_size=3),
    max_leaves=5,
)  # fmt: skip
port_types = st.sampled_from(["image", "vector", "any", "path"])


def optional(**values: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=values)


@st.composite
def ports(draw: st.DrawFn) -> list[dict[str, Any]]:
    rest = optional(
        dtype=st.just("float32"),
        shape=st.lists(identifiers | st.integers(1, 9), max_size=3),
        color=st.just("RGB"),
    )
    types = port_types | st.lists(port_types, min_size=1, max_size=3)
    return [
        {"name": name, "type": draw(types), **draw(rest)}
        for name in draw(st.lists(identifiers, min_size=1, max_size=3, unique=True))
    ]


@st.composite
def manifests(draw: st.DrawFn) -> dict[str, Any]:
    kind = draw(st.sampled_from(["operator", "pipeline"]))
    names_of_parameters = draw(st.lists(identifiers, max_size=2, unique=True))
    step = st.fixed_dictionaries(
        {"operator": requirements},
        optional={"with": st.dictionaries(identifiers, json_values, max_size=3)},
    )
    weights = st.fixed_dictionaries(
        {"repo": st.just("timm/x"), "file": st.just("a/b.safetensors")},
        optional={
            "for": st.fixed_dictionaries({}, optional=dict.fromkeys(names_of_parameters, json_values)),
            "revision": words,
            "sha256": st.just("0" * 64),
            "size": st.integers(0, 9),
        },
    )  # fmt: skip
    parameter = optional(description=st.text(), default=json_values)
    body: dict[str, Any] = {
        "spec": 1,
        "name": draw(names),
        "version": draw(versions),
        "kind": kind,
        "summary": draw(words),
        "license": draw(st.sampled_from(["MIT", "MIT OR (Apache-2.0 AND BSD-3-Clause)"])),
        "inputs": draw(ports()),
        "outputs": draw(ports()),
        "parameters": {name: draw(parameter) for name in names_of_parameters},
        "weights": draw(st.lists(weights, max_size=2)),
    }  # fmt: skip
    if kind == "operator":
        body["module"] = draw(identifiers)
    else:
        body["steps"] = draw(st.lists(step, min_size=1, max_size=3))
    requires = optional(
        python=specifiers,
        operators=st.lists(requirements, max_size=2),
        packages=st.lists(st.builds("{}{}".format, words, specifiers), max_size=2),
    )
    return body | draw(optional(requires=requires))


@settings(deadline=None, max_examples=100)
@given(manifests())
def test_a_manifest_survives_the_round_trip(data: dict[str, Any]) -> None:
    manifest = Manifest.from_dict(data)
    written = manifest.to_dict()
    assert Manifest.from_dict(written) == manifest
    assert Manifest.from_dict(written).to_dict() == written
    assert json.loads(json.dumps(written)) == written


pieces = st.sampled_from(
    [b"spec", b"name", b": ", b"\n", b"  ", b"- ", b"[", b"]", b"{", b"}", b",", b"&a ",
     b"*a", b"!!str ", b'"', b"'", b"#", b"|", b">", b"?", b"%", b"---\n", b"...", b"1.10",
     b"no", b"\t", b"\x85", b"\xff", b"\xef\xbb\xbf", b"\r", b"\\x", b"<<", b"=", b"~"]
)  # fmt: skip


@settings(deadline=None, max_examples=300)
@given(st.binary() | st.lists(pieces, max_size=40).map(b"".join))
@given_example(b"? ? a")
@given_example(b"\x85a: 1")
def test_any_bytes_give_a_manifest_or_a_hub_error(source: bytes) -> None:
    with pytest.raises(HubError):
        Manifest.from_yaml(source)


@settings(deadline=None, max_examples=300)
@given(st.data())
def test_any_damage_gives_a_manifest_or_a_hub_error(data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(PIPELINE)))
    end = data.draw(st.integers(start, min(start + 12, len(PIPELINE))))
    damage = data.draw(st.lists(pieces, max_size=4).map(b"".join))
    try:
        manifest = Manifest.from_yaml(PIPELINE[:start] + damage + PIPELINE[end:])
    except HubError:
        return
    assert Manifest.from_dict(manifest.to_dict()) == manifest


def test_every_format_has_a_length_up_to_which_it_is_checked() -> None:
    def walk(schema: object) -> Iterator[dict[str, Any]]:
        inner: Iterable[object] = ()
        if isinstance(schema, dict):
            inner = schema.values()
            if isinstance(schema.get("format"), str):
                yield schema
        elif isinstance(schema, list):
            inner = schema
        for each in inner:
            yield from walk(each)

    text = Path(plugin_spec.__file__).with_name("manifest.schema.json").read_bytes()
    found = [*walk(json.loads(text))]
    assert {each["format"] for each in found} == FORMATS.keys()
    for each in found:
        assert each.get("maxLength", _MAX_CHECKED + 1) <= _MAX_CHECKED, each


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("parameters.p.type", {"parameters": {"p": {"type": LONG, "default": 1.0}}}),
        ("parameters.p.type[0]", {"parameters": {"p": {"type": [LONG]}}}),
        (f"parameters['{LONG[:59]}…]", {"parameters": {LONG: {}}}),
        ("inputs[0].type", {"inputs": [{"name": "a", "type": LONG}]}),
        ("inputs[0].type[0]", {"inputs": [{"name": "a", "type": [LONG]}]}),
    ],
)
def test_no_text_is_so_long_that_it_passes(
    example: bytes, place: str, value: dict[str, Any]
) -> None:
    whole = {**Manifest.from_yaml(example).to_dict(), "weights": [], **value}
    with pytest.raises(InvalidManifest) as caught:
        Manifest.from_dict(whole)
    (problem,) = caught.value.problems
    assert problem.startswith(f"{place}: expected ")
    assert problem.endswith(", got 1,001 characters")
