"""What is found, expanded and checked before any operator is imported."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING, Any

import pytest

from hub_client.tree_digest import DigestMismatch
from plugin_spec import HubError, InvalidOperator
from towhee import DataCollection, ops, pipeline
from towhee.binding import PortMismatch
from towhee.options import InvalidOptions
from towhee.outcome import OperatorFailed

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

IMAGE = [{"name": "image", "type": "image"}]
VECTOR = [{"name": "embedding", "type": "vector"}]
SOURCE = [{"name": "source", "type": ["path", "url", "bytes", "image"]}]
ANY = [{"name": "value", "type": "any"}]
RAISES = "raise SystemExit('this was imported')"
SCALE = """
class Subject(Operator):
    def __init__(self, factor=1, device="cpu"):
        self.factor, self.device = factor, device

    def __call__(self, value):
        return value * self.factor

    def describe(self):
        return {"model": f"scale-{self.factor}", "tree": "mine"}
"""
SCALE_OPTIONS = {"factor": {"type": "integer"}, "device": {"type": "string"}}
OPEN = """
from pathlib import Path

class Subject(Operator):
    concurrent = True

    def __init__(self, path):
        self.text = Path(path).read_text()

    def __call__(self, value):
        return self.text + value
"""


def steps(*operators: str | dict[str, Any]) -> dict[str, Any]:
    """A pipeline's manifest: steps by name, or by name and options."""
    return {
        "kind": "pipeline",
        "steps": [
            {"operator": each} if isinstance(each, str) else each for each in operators
        ],
    }


def test_ports_are_compared_before_anything_is_imported(
    publish: Callable[..., Path],
) -> None:
    publish(RAISES, name="image-decode/cv2", inputs=SOURCE, outputs=IMAGE)
    publish(RAISES, name="image-embedding/timm", inputs=IMAGE, outputs=VECTOR)
    chain = DataCollection(["a.jpg"]).image_embedding.timm().image_decode.cv2()
    with pytest.raises(PortMismatch) as caught:
        chain.to_list()
    assert str(caught.value).startswith(
        "`image-decode/cv2` cannot follow `image-embedding/timm`: `embedding` is vector, `source` takes path"
    )
    embedded = DataCollection(["a.jpg"]).image_embedding.timm()
    with pytest.raises(PortMismatch):
        embedded.filter(len).image_decode.cv2().to_list()


def test_a_function_between_may_change_anything(publish: Callable[..., Path]) -> None:
    code = "class Subject(Operator):\n  def __call__(self, value): return value + 1"
    publish(code, name="test/decode", inputs=SOURCE, outputs=IMAGE)
    publish(code, name="test/embed", inputs=IMAGE, outputs=VECTOR)
    chain = DataCollection([1]).test.embed().map(float).test.decode()
    assert chain.to_list() == [3.0]


def test_a_missing_operator_is_installed_once_and_announced(
    publish: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    publish(SCALE, name="test/scale", parameters=SCALE_OPTIONS)
    assert pipeline("test/scale", factor=2)(3) == 6
    announced = capsys.readouterr()
    assert "test/scale" in announced.err
    assert announced.out == ""
    assert ops.test.scale(factor=3)(3) == 9
    assert capsys.readouterr().err == ""


def test_a_pipeline_gives_its_options_to_every_step_that_has_them(
    publish: Callable[..., Path],
) -> None:
    publish(SCALE, name="test/scale", parameters=SCALE_OPTIONS)
    publish(SCALE, name="test/plain", parameters={"factor": {"type": "integer"}})
    publish(
        name="towhee/both",
        **steps({"operator": "test/scale>=1", "with": {"factor": 2}}, "test/plain"),
    )
    both = pipeline("both", device="cuda")
    description = both.describe()
    assert [step["options"] for step in description["steps"]] == [
        {"factor": 2, "device": "cuda"},
        {},
    ]
    assert (both(1), both([1, 2])) == (2, [2, 4])
    assert pipeline("both", factor=3)(1) == 9
    with pytest.raises(InvalidOptions) as caught:
        pipeline("both", devise="cuda", batch_size=3)
    assert str(caught.value) == (
        "`towhee/both` does not take these options\n"
        "  devise: unknown: did you mean `device`?\n"
        "  batch_size: unknown"
    )
    assert caught.value.hint == "Its options are: `device`, `factor`"


def test_a_description_says_what_ran_and_no_operator_can_change_it(
    publish: Callable[..., Path],
) -> None:
    publish(SCALE, name="test/scale", parameters=SCALE_OPTIONS)
    (step,) = pipeline("test/scale", factor=2).describe()["steps"]
    assert step.pop("tree").startswith("sha256:")
    assert step == {
        "operator": "test/scale",
        "version": "1.0.0",
        "options": {"factor": 2},
        "model": "scale-2",
    }


def test_pipelines_may_call_pipelines(publish: Callable[..., Path]) -> None:
    publish(SCALE, name="test/scale", parameters=SCALE_OPTIONS)
    publish(
        name="towhee/inner",
        **steps({"operator": "test/scale", "with": {"factor": 2}}),
    )
    publish(
        name="towhee/outer",
        **steps({"operator": "inner", "with": {"factor": 5}}, "test/scale"),
    )
    outer = pipeline("outer")
    assert outer(1) == 5
    assert repr(outer) == "<towhee.outer(): test/scale 1.0.0 → test/scale 1.0.0>"
    assert DataCollection([1, 2]).towhee.outer(factor=2).to_list() == [4, 8]


def test_a_pipeline_brings_files_of_its_own(publish: Callable[..., Path]) -> None:
    publish(OPEN, name="test/open", parameters={"path": {"type": "string"}})
    option = {"path": {"file": "weights/greeting.txt"}}
    publish(
        name="towhee/greet",
        files={"weights/greeting.txt": "hello "},
        **steps({"operator": "test/open", "with": option}),
    )
    assert pipeline("greet")("you") == "hello you"


@pytest.mark.parametrize("path", ["missing.txt", "../secret.txt", "/etc/passwd"])
def test_a_file_that_is_not_in_the_pipelines_tree_is_refused(
    publish: Callable[..., Path], path: str
) -> None:
    publish(OPEN, name="test/open", parameters={"path": {"type": "string"}})
    option = {"path": {"file": path}}
    publish(name="towhee/greet", **steps({"operator": "test/open", "with": option}))
    with pytest.raises(HubError, match=path.rpartition("/")[2]):
        pipeline("greet")


def test_a_tree_that_was_changed_in_the_store_does_not_run(
    publish: Callable[..., Path], tmp_path: Path
) -> None:
    publish(SCALE, name="test/scale", summary="Loaded by no other test")
    pipeline("test/scale")
    (stored,) = (tmp_path / "home" / "cache" / "store").rglob("subject/__init__.py")
    stored.chmod(0o644)
    stored.write_text(stored.read_text().replace("value * ", "value + "))
    with pytest.raises(DigestMismatch):
        pipeline("test/scale")(1)


def test_a_value_that_fails_alone_is_named_without_a_row(
    publish: Callable[..., Path],
) -> None:
    publish(SCALE, name="test/scale", parameters=SCALE_OPTIONS)
    scale = pipeline("test/scale", factor=2)
    with pytest.raises(OperatorFailed) as caught:
        scale(None)
    assert str(caught.value).startswith("`test/scale` failed on None: TypeError: ")
    outcomes = list(scale.run([1, None, 2]))
    assert [outcome.value for outcome in outcomes] == [2, None, 4]


def test_a_callable_pipeline_is_bound_again_where_it_is_unpickled(
    publish: Callable[..., Path],
) -> None:
    publish(SCALE, name="test/scale", parameters=SCALE_OPTIONS)
    clone = pickle.loads(pickle.dumps(pipeline("test/scale", factor=2)))  # noqa: S301  (our own)
    assert clone(4) == 8


def test_a_broken_operator_is_told_when_it_is_loaded(
    publish: Callable[..., Path],
) -> None:
    publish(RAISES, name="test/broken")
    broken = pipeline("test/broken")
    with pytest.raises(InvalidOperator, match="SystemExit: this was imported"):
        broken(1)
    with pytest.raises(InvalidOperator):
        ops.test.broken()


def test_a_typo_offers_the_nearest_names(publish: Callable[..., Path]) -> None:
    publish(SCALE, name="test/scale")
    with pytest.raises(HubError) as caught:
        pipeline("test/scal")
    assert "test/scale" in f"{caught.value} {caught.value.hint}"


def test_completion_lists_what_is_there_and_imports_none_of_it(
    publish: Callable[..., Path],
) -> None:
    publish(RAISES, name="test/two-words")
    pipeline("test/two-words")
    assert {"test", "image_decode"} <= set(dir(ops))
    assert dir(ops.test) == ["two_words"]
    collection = DataCollection([1])
    assert {"test", "image_decode", "to_list", "map"} <= set(dir(collection))
    assert dir(collection.test) == ["two_words"]


def test_a_chain_indexed_by_two_queries_is_computed_once(
    publish: Callable[..., Path],
) -> None:
    count = """
    class Subject(Operator):
        calls = []

        def __call__(self, value):
            self.calls.append(value)
            return len(self.calls)
    """
    search = """
    class Subject(Operator):
        def __init__(self, data):
            self.rows = list(data)

        def __call__(self, value):
            return self.rows
    """
    publish(count, name="test/count")
    publish(search, name="towhee/search", parameters={"data": {}})
    data = DataCollection(["a", "b"]).test.count()
    for _ in range(2):
        assert DataCollection([0]).towhee.search(data=data).to_list() == [[1, 2]]
