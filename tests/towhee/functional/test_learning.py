"""What learning promises: all rows before one, a state that others can use, safe files."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from plugin_spec import InvalidOperator
from towhee import DataCollection, State
from towhee.columns import Entity, MissingColumn
from towhee.evaluations import NameTaken
from towhee.extras import MissingExtra
from towhee.learning.estimators import KINDS, Untrusted
from towhee.learning.folder import InvalidState, Unsavable
from towhee.learning.lessons import CannotLearn
from towhee.learning.modes import NoMode
from towhee.learning.state import NotLearned
from towhee.options import InvalidOptions
from towhee.outcome import OperatorFailed
from towhee.rows import StreamConsumed

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[3]

CENTRE = """
import json

from plugin_spec import StatefulOperator, hookimpl


class Subject(StatefulOperator):
    targets = 0

    def __init__(self, *, scale=1):
        self._scale, self._seen, self._mean = scale, [], None

    def feed(self, number):
        self._seen.append(number)

    def fit(self):
        self._mean, self._seen = sum(self._seen) / len(self._seen), []

    def predict(self, batch):
        return [(number - self._mean) * self._scale for (number,) in batch]

    def save(self):
        return json.dumps(self._mean).encode()

    def restore(self, saved):
        self._mean = json.loads(saved)


@hookimpl
def operator_class():
    return Subject
"""


LEARNS_NOTHING = """
class Subject(Operator):
    def __call__(self, value):
        return value
"""


def flowers() -> list[Entity]:
    return [
        Entity(x=[n % 7, n % 5], label="big" if n % 7 > 3 else "small")
        for n in range(70)
    ]


def learnt(dc: DataCollection, **options: object) -> DataCollection:
    scaled = dc.standard_scaler["x", "y"](name="scaler")
    return scaled.logistic_regression[("y", "label"), "guess"](name="model", **options)


def test_a_chain_learns_what_scikit_learn_learns() -> None:
    rows = flowers()
    features, labels = [row.x for row in rows], [row.label for row in rows]
    scaled = StandardScaler().fit_transform(features)
    expected = LogisticRegression().fit(scaled, labels).predict(scaled)
    chain = learnt(DataCollection(rows).set_training())
    assert [row.guess for row in chain] == expected.tolist()
    assert np.array_equal([row.y for row in chain], scaled)
    assert not hasattr(rows[0], "y")


def test_others_use_what_a_chain_learned() -> None:
    state = State()
    learnt(DataCollection(flowers()).set_training(state)).to_list()
    unseen = DataCollection(iter([Entity(x=[6, 0]), Entity(x=[0, 0])]))
    scaled = unseen.set_evaluating(state).standard_scaler["x", "y"](name="scaler")
    chain = scaled.logistic_regression["y", "guess"](name="model")
    assert [row.guess for row in chain] == ["big", "small"]


def test_a_label_may_be_there_or_not_when_it_is_guessed() -> None:
    state = State()
    _ = learnt(DataCollection(flowers()).set_training(state))
    tested = learnt(DataCollection(flowers()).set_evaluating(state))
    report = tested.with_metrics(["accuracy"]).evaluate["label", "guess"]().report()
    assert report["guess"]["accuracy"] == 1.0
    for rows in ([Entity(x=[6, 0])], iter([Entity(x=[6, 0])])):
        unseen = learnt(DataCollection(rows).set_evaluating(state))
        assert [row.guess for row in unseen] == ["big"]
    unseen = learnt(DataCollection([Entity(label="big")]).safe().set_evaluating(state))
    (failed,) = unseen
    assert "The row has no column `x`" in str(failed.error)


def test_nothing_is_learned_before_it_is_needed_and_then_once() -> None:
    read: list[object] = []

    def noted(row: Entity) -> Entity:
        read.append(row)
        return row

    state = State()
    train = learnt(DataCollection(flowers()).map(noted).set_training(state))
    assert (read, repr(state)) == ([], "State(scaler=…, model=…)")
    assert state["model"].source == "logistic_regression"
    assert repr(state) == "State(scaler=standard_scaler, model=logistic_regression)"
    assert len(train) == len(read) == 70


def test_a_stream_is_learned_from_too() -> None:
    state = State()
    stream = DataCollection(iter([(1, "a"), (9, "b")])).set_training(state)
    train = stream.decision_tree(name="tree")
    test = DataCollection([0, 10]).set_evaluating(state).decision_tree(name="tree")
    assert test.to_list() == ["a", "b"]
    with pytest.raises(StreamConsumed):
        train.to_list()


def test_a_lesson_that_failed_can_be_had_again() -> None:
    state, rows = State(), [0, "x"]

    def number(row: object) -> int:
        return int(str(row))

    _ = DataCollection(rows).map(number).set_training(state).min_max_scaler(name="it")
    for _ in range(2):
        with pytest.raises(OperatorFailed, match=r"`map\(number\)` failed on row 1"):
            _ = state["it"]


def test_threads_wait_for_one_lesson() -> None:
    state, calls = State(), []

    def slow(row: float) -> float:
        calls.append(row)
        time.sleep(0.05)
        return row

    rows = DataCollection([0.0, 10.0]).map(slow).set_training(state)
    _ = rows.min_max_scaler(name="it")
    test = DataCollection([5] * 8).stream().set_evaluating(state)
    chain = test.min_max_scaler(name="it")
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(lambda _: chain.to_list(), range(4)))
    assert found == [[[0.5]] * 8] * 4
    assert calls == [0.0, 10.0]


def test_one_scaler_serves_several_columns() -> None:
    rows = DataCollection([Entity(a=0, b=10), Entity(a=20, b=30)])
    chain = rows.set_training().min_max_scaler["a", "c"](name="it")
    chain = chain.set_evaluating().min_max_scaler["b", "d"](name="it")
    assert [(row.c, row.d) for row in chain] == [([0], [0.5]), ([1], [1.5])]
    assert chain.set_evaluating().min_max_scaler["b", "e"](name="it")[0].e == [0.5]


def test_learning_anew_replaces_what_was_learned() -> None:
    state = State()
    for least in (0, 100):
        numbers = DataCollection([least, least + 10]).set_training(state)
        _ = numbers.min_max_scaler(name="scaler")
        again = DataCollection([least + 5]).set_evaluating(state)
        assert again.min_max_scaler(name="scaler").to_list() == [[0.5]]


def test_features_may_come_from_several_columns() -> None:
    rows = [Entity(a=n % 3, b=[n % 2, n], label=n % 3 + n % 2) for n in range(30)]
    train = DataCollection(rows).set_training()
    chain = train.decision_tree[("a", "b", "label"), "guess"]()
    assert [row.guess for row in chain] == [row.label for row in rows]


def test_rows_that_failed_are_not_learned_from() -> None:
    texts = DataCollection(["0", "x", "4"]).safe().map(int).set_training()
    zero, failed, four = texts.min_max_scaler()
    assert (zero.get(), failed.row, four.get()) == ([0], 1, [1])


def test_a_row_that_cannot_be_fed_fails_alone_where_failures_are_kept() -> None:
    rows = DataCollection([Entity(x=0), Entity(y=1), Entity(x=2)]).safe()
    zero, failed, two = rows.set_training().min_max_scaler["x", "z"]()
    assert (zero.get().z, failed.row, two.get().z) == ([0], 1, [1])
    assert isinstance(failed.exception, MissingColumn)


@pytest.mark.parametrize("kind", KINDS)
def test_every_estimator_predicts_the_same_from_its_file(
    kind: str, tmp_path: Path
) -> None:
    rows = [(float(n % 9), float(n % 4), n % 2) for n in range(40)]
    options = {"n_bins": 2} if kind == "num_discretizer" else {}
    state = State()
    train = DataCollection(rows).set_training(state)
    trained = getattr(train, kind)(name="it", **options).to_list()
    state.save(tmp_path / "state")
    loaded = State.load(tmp_path / "state", trusted=True)
    test = DataCollection(rows).set_evaluating(loaded)
    tested = getattr(test, kind)(name="it").to_list()
    assert np.allclose(np.array(tested), np.array(trained))


def test_a_tree_from_a_stranger_is_refused(tmp_path: Path) -> None:
    state = State()
    _ = DataCollection([(1, "a"), (9, "b")]).set_training(state).decision_tree()
    state.save(tmp_path)
    test = DataCollection([1]).set_evaluating(State.load(tmp_path)).decision_tree()
    with pytest.raises(OperatorFailed) as caught:
        test.to_list()
    assert str(caught.value) == (
        "`decision_tree(name='decision_tree')` failed on row 0, 1: The file holds `sklearn.tree._tree.Tree`"
    )
    assert caught.value.hint == (
        "If you made it, read it with `State.load(folder, trusted=True)`"
    )
    assert isinstance(caught.value.__cause__, Untrusted)


def test_a_pickle_among_the_files_of_a_state_does_not_run(tmp_path: Path) -> None:
    from hashlib import sha256  # noqa: PLC0415

    class Evil:
        def __reduce__(self) -> tuple[object, ...]:
            return Path.touch, (tmp_path / "was-run",)

    content = pickle.dumps(Evil())
    file = f"{sha256(content).hexdigest()}.learned"
    (tmp_path / file).write_bytes(content)
    entry = {
        "name": "svc",
        "operator": "svc",
        "options": {},
        "features": 1,
        "file": file,
    }
    index = {"version": 1, "operators": [entry]}
    (tmp_path / "state.json").write_text(json.dumps(index))
    state = State.load(tmp_path, trusted=True)
    with pytest.raises(OperatorFailed):
        DataCollection([1]).set_evaluating(state).svc().to_list()
    assert not (tmp_path / "was-run").exists()


def saved(tmp_path: Path, publish: Callable[..., Path]) -> Path:
    publish(
        CENTRE, header="", name="acme/subject", parameters={"scale": {"type": "number"}}
    )
    state = State()
    train = DataCollection([1, 3]).set_training(state)
    assert train.acme.subject(name="centre", scale=10).to_list() == [-10, 10]
    state.save(tmp_path / "state")
    return tmp_path / "state"


def test_operators_of_repositories_learn(
    tmp_path: Path, publish: Callable[..., Path]
) -> None:
    folder = saved(tmp_path, publish)
    state = State.load(folder)
    assert repr(state) == "State(centre=acme/subject)"
    test = DataCollection([5]).set_evaluating(state).acme.subject(name="centre")
    assert test.to_list() == [30]
    columns = DataCollection([Entity(n=5)]).set_evaluating(state)
    assert columns.acme.subject["n", "m"](name="centre")[0].m == 30


def test_two_states_of_one_operator_stay_apart(publish: Callable[..., Path]) -> None:
    publish(CENTRE, header="", name="acme/subject")
    one = DataCollection([1, 3]).set_training(State()).acme.subject(name="centre")
    two = DataCollection([5, 7]).set_training(State()).acme.subject(name="centre")
    assert (one.to_list(), two.to_list(), one.to_list()) == ([-1, 1], [-1, 1], [-1, 1])
    test = (
        DataCollection([2]).set_evaluating(one.get_state()).acme.subject(name="centre")
    )
    assert test.to_list() == [0]


def test_an_operator_that_learns_nothing_has_no_name(
    publish: Callable[..., Path],
) -> None:
    publish(LEARNS_NOTHING, name="acme/subject")
    chain = DataCollection([1]).set_training().acme.subject(name="it")
    with pytest.raises(InvalidOperator) as caught:
        chain.to_list()
    assert str(caught.value) == "`acme/subject` learns nothing"
    assert caught.value.hint == "Leave out `name`, which says where its state is kept"


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (
            lambda folder: (folder / "state.json").unlink(),
            "`{}` has no file `state.json`",
        ),
        (
            lambda folder: (folder / "state.json").write_text("{}"),
            "`{}/state.json` is no index of a state",
        ),
        (
            lambda folder: (folder / "state.json").write_text('{"version": 2}'),
            "`{}` has the format 2, and 1 is known",
        ),
    ],
)
def test_a_damaged_folder_is_refused(
    tmp_path: Path,
    publish: Callable[..., Path],
    damage: Callable[[Path], object],
    message: str,
) -> None:
    folder = saved(tmp_path, publish)
    damage(folder)
    with pytest.raises(InvalidState) as caught:
        State.load(folder)
    assert str(caught.value) == message.format(folder)


def test_one_flipped_byte_is_noticed(
    tmp_path: Path, publish: Callable[..., Path]
) -> None:
    folder = saved(tmp_path, publish)
    (file,) = folder.glob("*.learned")
    file.write_bytes(b"3" + file.read_bytes()[1:])
    with pytest.raises(InvalidState) as caught:
        State.load(folder)
    assert str(caught.value) == f"`{file}` was changed since it was written"


def test_a_state_reads_no_file_outside_of_its_folder(
    tmp_path: Path, publish: Callable[..., Path]
) -> None:
    folder = saved(tmp_path, publish)
    index = (folder / "state.json").read_text()
    (file,) = folder.glob("*.learned")
    (folder / "state.json").write_text(index.replace(file.name, f"../{file.name}"))
    with pytest.raises(InvalidState, match="outside of it"):
        State.load(folder)


def test_saving_again_leaves_no_old_files(
    tmp_path: Path, publish: Callable[..., Path]
) -> None:
    folder = saved(tmp_path, publish)
    before = set(folder.iterdir())
    state = State()
    _ = DataCollection([7]).set_training(state).acme.subject(name="centre")
    state.save(folder)
    assert len(before) == len(set(folder.iterdir())) == 2
    assert set(folder.iterdir()) != before


def test_options_that_are_no_json_cannot_be_saved(tmp_path: Path) -> None:
    state = State()
    numbers = DataCollection([1.0, 2.0]).set_training(state)
    _ = numbers.min_max_scaler(feature_range=(0, 2))
    with pytest.raises(Unsavable) as caught:
        state.save(tmp_path / "state")
    assert str(caught.value) == (
        "The options of `min_max_scaler` are no JSON: {'feature_range': (0, 2)}"
    )
    assert not (tmp_path / "state").exists()


def test_an_operator_that_learns_has_to_know_whether_to() -> None:
    with pytest.raises(NoMode) as caught:
        DataCollection([1]).standard_scaler["x", "y"]()
    assert str(caught.value) == (
        "`standard_scaler` has to know whether to learn or to use what it learned"
    )
    assert caught.value.hint == (
        "Call `set_training(state)` or `set_evaluating(state)` before it"
    )


def test_two_operators_do_not_learn_under_one_name() -> None:
    numbers = DataCollection([1.0]).set_training().standard_scaler(name="it")
    for chain in (numbers.map(len), numbers.set_evaluating().set_training()):
        with pytest.raises(NameTaken) as caught:
            chain.min_max_scaler(name="it")
        assert str(caught.value) == (
            "An operator of this chain has what it learned as `it` already"
        )


@pytest.mark.parametrize(
    ("use", "message"),
    [
        (
            lambda dc: dc.standard_scaler(name="scalr"),
            "Nothing was learned under the name `scalr`: did you mean `scaler`?",
        ),
        (
            lambda dc: dc.min_max_scaler(name="scaler"),
            "`scaler` was learned by `standard_scaler`, not `min_max_scaler`",
        ),
        (
            lambda dc: dc.standard_scaler(name="scaler", with_std=False),
            "`scaler` was learned with the options {}, not {'with_std': False}",
        ),
    ],
)
def test_a_state_gives_only_what_was_learned(
    use: Callable[[DataCollection], DataCollection], message: str
) -> None:
    state = State()
    _ = DataCollection([1.0, 2.0]).set_training(state).standard_scaler(name="scaler")
    with pytest.raises(OperatorFailed) as caught:
        use(DataCollection([1.0]).set_evaluating(state)).to_list()
    assert isinstance(caught.value.__cause__, NotLearned)
    assert str(caught.value.__cause__) == message


def test_a_row_that_cannot_be_predicted_is_named() -> None:
    state = State()
    _ = DataCollection([0, 10]).set_training(state).min_max_scaler(name="it")
    rows = [*range(10), "x", 5]
    with pytest.raises(OperatorFailed) as caught:
        DataCollection(rows).set_evaluating(state).min_max_scaler(name="it").to_list()
    assert (caught.value.row, caught.value.input) == (10, "x")
    for dc in (DataCollection(rows), DataCollection(iter(rows))):
        kept = dc.safe().set_evaluating(state).min_max_scaler(name="it").to_list()
        assert [row.is_some() for row in kept] == [True] * 10 + [False, True]
        assert (kept[10].row, kept[11].get()) == (10, [0.5])


def test_a_stream_waits_for_no_second_row() -> None:
    state = State()
    _ = DataCollection([0, 10]).set_training(state).min_max_scaler(name="it")
    numbers = iter(range(10))
    stream = DataCollection(numbers).set_evaluating(state).min_max_scaler(name="it")
    assert (next(iter(stream)), next(numbers)) == ([0], 1)


def test_what_cannot_be_learned_is_said() -> None:
    numbers = DataCollection([[1, 2], [3]]).set_training()
    with pytest.raises(
        CannotLearn,
        match=r"^`standard_scaler\(name='standard_scaler'\)` cannot learn from 2 rows: ValueError: setting an array element with a sequence",
    ):
        numbers.standard_scaler().to_list()
    with pytest.raises(CannotLearn, match="cannot learn from 0 rows"):
        DataCollection([]).set_training().standard_scaler().to_list()
    with pytest.raises(InvalidOptions) as caught:
        numbers.standard_scaler(with_meen=False).to_list()
    assert str(caught.value) == (
        "`standard_scaler` does not take these options\n"
        "  with_meen: unknown: did you mean `with_mean`?"
    )
    rows = DataCollection([Entity(x=1)]).set_training()
    with pytest.raises(OperatorFailed) as missing:
        rows.standard_scaler["y", "z"]().to_list()
    assert isinstance(missing.value.__cause__, MissingColumn)
    assert str(missing.value).startswith(
        "`standard_scaler['y', 'z'](name='standard_scaler')` failed on row 0, Entity(x=1)"
    )


def test_a_missing_package_names_the_extra() -> None:
    code = (
        "import sys; sys.modules['sklearn'] = None\n"
        "from towhee import DataCollection\n"
        "DataCollection([1]).set_training().standard_scaler().to_list()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": str(ROOT)},
    )
    assert done.stderr.splitlines()[-2:] == [
        f"{MissingExtra.__module__}.MissingExtra: `standard_scaler` needs the package `sklearn`",
        "hint: Install `towhee-hub[sklearn]`",
    ]


def test_a_state_and_its_chains_travel_to_other_processes() -> None:
    state = State()
    chain = learnt(DataCollection(flowers()).set_training(state))
    copied = pickle.loads(pickle.dumps(state))  # noqa: S301  (our own)
    assert repr(copied) == repr(state)
    test = learnt(DataCollection(flowers()).set_evaluating(copied))
    again = pickle.loads(pickle.dumps(test))  # noqa: S301
    assert [row.guess for row in again] == [row.guess for row in chain]
