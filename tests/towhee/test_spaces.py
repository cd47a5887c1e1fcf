"""Vectors of two spaces are neither compared nor put into one store."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from pyarrow import parquet
from vector_stores import Store, store_in

from plugin_spec.space_files import beside, numpy_space, parquet_spaces
from plugin_spec.spaces import SpacesDiffer
from towhee import DataCollection, ops, pipe
from towhee.cli import main
from towhee.declared_space import SpaceChanged
from towhee.sources import SeveralSpaces

if TYPE_CHECKING:
    from collections.abc import Callable

    from towhee.bound import BoundOperator
    from towhee.loaded_operator import LoadedOperator

EMBED = """
import numpy as np
from plugin_spec import EmbeddingSpace

class Subject(ModelOperator):
    def __init__(self, interpolation="bicubic", dtype="float32", tower=None):
        self.space_options = interpolation, dtype, tower

    @property
    def space(self):
        interpolation, dtype, tower = self.space_options
        return EmbeddingSpace(
            "test/embed", "tiny", "sha256:00", precision=dtype,
            preprocessing={"interpolation": interpolation},
            joint=None if tower is None else "sha256:11", tower=tower,
        )

    def prepare(self, value):
        return value

    def predict(self, batch):
        return [np.array([value, 1.0], np.float32) for value in batch]
"""
TRAINED = """
from plugin_spec import EmbeddingSpace, TrainableOperator

class Subject(TrainableOperator):
    weights = "random"

    @property
    def space(self):
        return EmbeddingSpace("test/trained", "tiny", self.weights)

    @property
    def network(self):
        raise NotImplementedError

    def trainee(self, classes=()):
        raise NotImplementedError

    def adopt(self, trainee):
        self.weights = trainee

    def save(self, folder):
        (folder / "weights").write_text(self.weights)

    def restore(self, folder):
        self.adopt((folder / "weights").read_text(encoding="ascii"))

    def prepare(self, value):
        return value

    def predict(self, batch):
        return batch
"""
VECTOR = [{"name": "vector", "type": "vector"}]
OPTIONS = {
    "interpolation": {"type": "string"},
    "dtype": {"type": "string"},
    "tower": {"type": ["string", "null"]},
}
HELD = "holds vectors of another space than those that come"
DIFFERENCE = f"{HELD}\n  interpolation: bicubic, nearest"


@pytest.fixture(autouse=True)
def _embed(publish: Callable[..., Path], tmp_path: Path) -> None:
    publish(EMBED, name="test/embed", outputs=VECTOR, parameters=OPTIONS)
    source = f"dir:{tmp_path / 'source'}"
    (tmp_path / "work" / "hub.toml").write_text(f'[sources]\n"test/*" = "{source}"\n')


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return store_in(tmp_path, "faiss")


def embedded(**options: object) -> DataCollection:
    return DataCollection([1, 2, 3]).test.embed(**options)


def fill(store: Store, rows: DataCollection, **options: object) -> None:
    getattr(rows, f"to_{store.kind}")(*store.place.values(), **options)


def search(store: Store, rows: Any, **options: object) -> Any:  # noqa: ANN401
    return getattr(rows.ann_search, store.kind)(**store.place, **options)


# What is known of vectors


def test_an_operator_and_a_collection_know_their_space() -> None:
    embed = ops.test.embed(interpolation="nearest")
    assert embed.space is not None
    assert embed.space == embedded(interpolation="nearest").space
    assert str(embed.space).startswith(f"space          {embed.space.fingerprint}\n")
    assert embedded().space != embed.space


def test_an_operator_that_makes_other_vectors_than_it_says_warns_of_it(
    publish: Callable[..., Path],
) -> None:
    said = {"operator": "test/embed", "model": "tiny", "weights": "sha256:00"}
    said["preprocessing"] = {"interpolation": "nearest"}
    declared = {"name": "test/said", "outputs": VECTOR, "parameters": OPTIONS}
    publish(EMBED, **declared, space=said)
    with pytest.warns(SpaceChanged) as caught:
        space = DataCollection([1.0]).test.said().space
    assert space is not None
    (warning,) = caught
    assert str(warning.message).splitlines()[1] == "  interpolation: nearest, bicubic"
    # With options it is another operator than the one that says so.
    assert DataCollection([1.0]).test.said(dtype="bfloat16").space is not None
    assert DataCollection([1.0]).test.said(interpolation="nearest").space is not None


def test_what_a_function_gives_has_no_known_space() -> None:
    assert DataCollection([[0.0, 1.0]]).space is None
    assert embedded().map(lambda vector: vector).space is None
    assert embedded().flatten().space is None


@pytest.mark.parametrize(
    "step",
    [
        lambda rows: rows.filter(len),
        lambda rows: rows.exception_safe().drop_empty(),
        lambda rows: rows.head(2),
        lambda rows: rows.shuffle(seed=1),
        lambda rows: rows.sample(1.0, seed=1),
        lambda rows: rows.split_train_test(seed=1)[0],
        lambda rows: rows.stream().unstream(),
        lambda rows: rows.as_entity(["v"]).rename({"v": "w"}).select("w"),
        lambda rows: pickle.loads(pickle.dumps(rows)),  # noqa: S301  (our own)
    ],
)
def test_rows_that_are_only_chosen_or_named_keep_their_space(step: Any) -> None:  # noqa: ANN401
    assert step(embedded()).space == embedded().space


def test_a_loaded_operator_in_map_is_known_by_its_space() -> None:
    embed = ops.test.embed(interpolation="nearest")
    assert DataCollection([1]).map(embed).space == embed.space


def test_several_columns_of_vectors_have_no_one_space() -> None:
    rows = DataCollection([1]).as_entity(["n"])
    both = rows.test.embed["n", "a"]().test.embed["n", "b"](interpolation="nearest")
    with pytest.raises(SeveralSpaces) as caught:
        _ = both.space
    assert str(caught.value) == "Rows have vectors in several columns: `a`, `b`"
    nearest = ops.test.embed(interpolation="nearest").space
    assert both.select("n", "b").space == nearest


# What is refused


def test_a_store_refuses_queries_of_another_space(store: Store) -> None:
    fill(store, embedded())
    assert search(store, embedded())[0].ids[0] == 0
    with pytest.raises(SpacesDiffer) as caught:
        search(store, embedded(interpolation="nearest")).to_list()
    assert str(caught.value) == f"`{store.place['path']}` {DIFFERENCE}"
    assert caught.value.hint == (
        "Embed with the operator and options that it was filled with, "
        "or give `allow_mixed_spaces=True`"
    )
    mixed = search(
        store, embedded(interpolation="nearest"), allow_mixed_spaces=True, topk=1
    )
    assert [found.ids for found in mixed] == [[0], [1], [2]]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["lancedb", "milvus"])
def test_other_stores_refuse_another_space_in_a_chain_too(
    kind: str, tmp_path: Path
) -> None:
    store = store_in(tmp_path, kind)
    fill(store, embedded())
    assert search(store, embedded())[0].ids[0] == 0
    for refused in (fill, lambda *given: search(*given).to_list()):
        with pytest.raises(SpacesDiffer, match="interpolation: bicubic, nearest"):
            refused(store, embedded(interpolation="nearest"))
    nearest = embedded(interpolation="nearest")
    assert len(search(store, nearest, allow_mixed_spaces=True)) == 3
    rows = DataCollection([(7, 1)]).as_entity(["id", "n"]).test.embed["n", "vector"]()
    inserting = getattr(rows.select("id", "vector").ann_insert, kind)
    assert inserting(**store.place).to_list() == [7]


def test_failures_that_are_kept_do_not_keep_two_spaces(store: Store) -> None:
    fill(store, embedded())
    safe = embedded(interpolation="nearest").exception_safe()
    with pytest.raises(SpacesDiffer):
        search(store, safe).to_list()


def test_a_store_refuses_vectors_of_another_space_and_stays_as_it_was(
    store: Store,
) -> None:
    fill(store, embedded())
    before = store.content(2)
    with pytest.raises(SpacesDiffer) as caught:
        fill(store, embedded(interpolation="nearest"))
    assert str(caught.value) == f"`{store.place['path']}` {DIFFERENCE}"
    inserting = (
        DataCollection([("a", 1)])
        .as_entity(["id", "n"])
        .test.embed["n", "vector"](interpolation="nearest")
    )
    with pytest.raises(SpacesDiffer, match="interpolation: bicubic, nearest"):
        inserting.ann_insert.faiss(**store.place).to_list()
    with pytest.raises(SpacesDiffer, match="interpolation: bicubic, nearest"):
        inserting.ann_insert.faiss[("id", "vector"), "done"](**store.place).to_list()
    assert store.content(2) == before


def test_a_store_that_a_chain_makes_by_inserting_keeps_the_space(store: Store) -> None:
    rows = DataCollection([("a", 1)]).as_entity(["id", "n"])
    rows = rows.test.embed["n", "vector"]().select("id", "vector")
    rows.ann_insert.faiss(**store.place).to_list()
    # The same instance of the operator, which is shared, for vectors of any space.
    DataCollection([("b", [5.0, 1.0])]).ann_insert.faiss(**store.place).to_list()
    with pytest.raises(SpacesDiffer, match="interpolation: bicubic, nearest"):
        search(store, embedded(interpolation="nearest")).to_list()
    assert store.searcher().held_space == embedded().space


def test_the_same_shared_operator_makes_stores_of_two_spaces_in_turn(
    store: Store, tmp_path: Path
) -> None:
    for interpolation in ("bicubic", "nearest"):
        chain = embedded(interpolation=interpolation)
        fill(store, chain)
        assert store.searcher().held_space == chain.space
        (tmp_path / "photos").rename(tmp_path / interpolation)


def test_vectors_of_unknown_spaces_are_compared_as_ever(store: Store) -> None:
    plain = DataCollection([[1.0, 1.0], [2.0, 1.0]])
    fill(store, embedded())
    assert search(store, plain)[1].ids[0] == 1
    assert search(store, embedded().map(np.copy))[1].ids[0] == 1
    embed, find = ops.test.embed(interpolation="nearest"), search(store, ops)
    # Plain arrays pass from call to call: nothing says where they are from.
    assert find(embed(2)).ids[0] == 1


def test_a_store_of_plain_vectors_takes_queries_of_any_space(store: Store) -> None:
    fill(store, DataCollection([[1.0, 1.0], [2.0, 1.0]]))
    assert store.searcher().held_space is None
    assert search(store, embedded())[1].ids[0] == 1


def test_precision_and_the_other_tower_of_a_model_compare(store: Store) -> None:
    fill(store, embedded(tower="image"))
    text = embedded(tower="text", interpolation="none")
    rough = embedded(tower="image", dtype="bfloat16")
    for queries in (text, rough):
        assert search(store, queries)[0].ids[0] == 0
    # The same tower under other conditions is no other tower.
    with pytest.raises(SpacesDiffer, match="interpolation: bicubic, nearest"):
        search(store, embedded(tower="image", interpolation="nearest")).to_list()


def test_kept_rows_are_held_to_their_space_as_computed_ones_are(store: Store) -> None:
    fill(store, embedded())
    rows = embedded(interpolation="nearest")
    assert len(rows.to_list()) == 3
    with pytest.raises(SpacesDiffer):
        search(store, rows).to_list()


# Where else vectors meet


def test_a_pipe_refuses_two_spaces_also_behind_a_join(store: Store) -> None:
    fill(store, embedded())
    first = pipe.input("n")
    one = first.map("n", "v", ops.test.embed(interpolation="nearest"))
    other = first.flat_map("n", "m", lambda n: [n]).map("m", "w", "test/embed")
    find = search(store, ops, topk=1)
    joined = one.concat(other)
    with pytest.raises(SpacesDiffer, match="interpolation: bicubic, nearest"):
        one.map("v", "found", find).output("found")(1)
    with pytest.raises(SpacesDiffer, match="interpolation: bicubic, nearest"):
        joined.map("v", "found", find).output("found", "w")(1)
    assert joined.map("w", "found", find).output("found")(2).get()[0].ids == [1]
    batch = one.map("v", "found", find).output("found")
    with pytest.raises(SpacesDiffer):
        batch.batch([1, 2])


def test_a_function_of_a_chain_refuses_two_spaces(store: Store) -> None:
    fill(store, embedded())
    with DataCollection.api() as api:
        function = search(store, api.test.embed(interpolation="nearest")).as_function()
    with pytest.raises(SpacesDiffer):
        function(1)


def test_training_between_two_runs_is_noticed(store: Store) -> None:
    fill(store, embedded())
    # Instances are shared also with other tests: this one nobody else asks for.
    options = {"dtype": "float16"}
    chain = search(store, DataCollection([1]).stream().test.embed(**options))
    assert chain.to_list()[0].ids[0] == 0
    (loaded,) = [step.load().operator for step in ops.test.embed(**options).bound.steps]
    loaded.space_options = ("nearest", "float32", None)
    with pytest.raises(SpacesDiffer):
        chain.to_list()


def in_another_process(step: BoundOperator) -> BoundOperator:
    copied: BoundOperator = pickle.loads(pickle.dumps(step))  # noqa: S301  (our own)
    return copied


def weights_of(loaded: LoadedOperator) -> str:
    assert loaded.operator.space is not None
    return loaded.operator.space.weights


def test_what_was_trained_is_trained_further_in_another_process(
    publish: Callable[..., Path],
) -> None:
    publish(TRAINED, name="test/trained", outputs=VECTOR)
    step = ops.test.trained().operators[0]
    operator: Any = step.own().operator
    operator.adopt("trained")
    assert weights_of(in_another_process(step).own()) == "trained"
    # Whatever is sent on before it is used here.
    twice = in_another_process(in_another_process(step))
    assert weights_of(twice.load()) == "trained"


def test_trained_weights_that_do_not_read_are_never_left_out(
    publish: Callable[..., Path],
) -> None:
    publish(TRAINED, name="test/trained", outputs=VECTOR)
    step = replace(
        ops.test.trained().operators[0], trained={"weights": b"\xff"}, _loaded=[]
    )
    for _ in range(2):
        with pytest.raises(UnicodeDecodeError):
            step.load()


def test_a_collection_is_searched_in_its_own_space_alone() -> None:
    found = embedded().towhee.search_vectors(data=embedded(), topk=1)
    assert [each.ids for each in found] == [[0], [1], [2]]
    nearest = embedded(interpolation="nearest")
    with pytest.raises(SpacesDiffer) as caught:
        nearest.towhee.search_vectors(data=embedded()).to_list()
    assert str(caught.value) == f"`data` {DIFFERENCE}"
    options = {"data": embedded(), "allow_mixed_spaces": True, "topk": 1}
    assert nearest.towhee.search_vectors(**options)[0].ids == [0]


def test_a_parquet_file_keeps_the_space_of_its_columns(tmp_path: Path) -> None:
    rows = DataCollection([1, 2]).as_entity(["n"]).test.embed["n", "v"]()
    files = {
        "v": rows.to_parquet(tmp_path / "named.parquet"),
        "value": embedded().to_parquet(tmp_path / "unnamed.parquet"),
    }
    for column, file in files.items():
        metadata = parquet.read_schema(file).metadata
        assert parquet_spaces(str(file), metadata) == {column: embedded().space}
        assert DataCollection.from_parquet(file).space == embedded().space
        read = DataCollection.from_parquet(file).select(column)
        again = read.to_parquet(tmp_path / "again.parquet")
        assert DataCollection.from_parquet(again).space == embedded().space
        other = DataCollection.from_parquet(file, columns=[column])
        assert other.map(vars).space is None
    plain = DataCollection([[1.0]]).to_parquet(tmp_path / "plain.parquet")
    assert parquet.read_schema(plain).metadata is None


def test_a_numpy_file_has_its_space_beside_it(tmp_path: Path) -> None:
    from towhee.vector_files import NumpyFile  # noqa: PLC0415  (of this test alone)

    path = tmp_path / "vectors.npy"
    with NumpyFile(path) as file:
        for number in (1.0, 2.0):
            file.add(f"{number}.jpg", np.array([number, 1.0]))
        file.complete([], {}, embedded().space)
        file.publish()
    nearest = embedded(interpolation="nearest")
    with pytest.raises(SpacesDiffer):
        nearest.towhee.search_vectors(data=str(path)).to_list()
    # Another file has its place, of which the one beside says nothing.
    other = tmp_path / "other.npy"
    np.save(other, np.ones((3, 2), np.float32))
    beside(path).rename(beside(other))
    assert len(nearest.towhee.search_vectors(data=str(other))) == 3


def test_hub_run_says_of_which_space_the_vectors_are_that_it_writes(
    publish: Callable[..., Path],
) -> None:
    code = EMBED.replace("[value, 1.0]", "[1.0, 1.0]")
    publish(code, name="test/file", outputs=VECTOR, parameters=OPTIONS)
    Path("a.jpg").touch()
    words = ["run", "test/file", "a.jpg", "--option", "interpolation=nearest", "-o"]
    for name in ("vectors.npy", "vectors.parquet"):
        assert main([*words, name]) == 0
    space = embedded(interpolation="nearest").space
    assert numpy_space(Path("vectors.npy"), 1) == space
    metadata = parquet.read_metadata("vectors.parquet").metadata
    assert parquet_spaces("vectors.parquet", metadata) == {"embedding": space}
    assert DataCollection.from_parquet("vectors.parquet").space == space
