"""Nothing but our own errors, on any bytes; what is accepted goes round.

The corpus is kept in the repository: a case for each thing that a parser knows, and for
each that one once fell over.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
from pathlib import Path

import pytest
from fuzz.parsers import PARSERS
from hypothesis import given, settings
from hypothesis import strategies as st

from plugin_spec.errors import HubError

HERE = Path(__file__).parent
CORPUS = sorted((HERE / "corpus").glob("*/*"))
REFUSED = {
    "pinned/arbitrary",
    "project/too-many-digits",
    "receipt/name-is-no-text",
    "requirement/too-many-digits",
    "source/home-with-nul",
    "trusted/home-with-nul",
}
SEEDS = {
    name: [file.read_bytes() for file in CORPUS if file.parent.name == name]
    for name in PARSERS
}


@pytest.mark.parametrize("name", PARSERS)
def test_the_corpus_is_read_and_what_is_refused_with_our_own_error_is_known(
    name: str,
) -> None:
    accepted, refused = 0, set()
    for file in (HERE / "corpus" / name).iterdir():
        try:
            PARSERS[name](file.read_bytes())
            accepted += 1
        except HubError:
            refused.add(f"{name}/{file.name}")
    assert accepted, f"tests/fuzz/corpus/{name} has nothing that is read"
    assert refused == {each for each in REFUSED if each.startswith(f"{name}/")}


def test_the_corpus_is_small_and_of_parsers_that_there_are() -> None:
    assert {file.parent.name for file in CORPUS} == PARSERS.keys()
    assert sum(len(seed) for seeds in SEEDS.values() for seed in seeds) < 64 * 1024


@st.composite
def damaged(draw: st.DrawFn, seeds: list[bytes]) -> bytes:
    """A seed with one piece replaced by anything, or by a piece of another."""
    one, other = draw(st.sampled_from(seeds)), draw(st.sampled_from(seeds))
    start, end = sorted(draw(st.tuples(*[st.integers(0, len(one))] * 2)))
    piece = draw(st.binary(max_size=8) | st.sampled_from(other.split(b"\n")))
    return one[:start] + piece + one[end:]


@pytest.mark.slow
@pytest.mark.parametrize("name", PARSERS)
@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_any_bytes_and_any_damage_give_a_value_or_our_own_error(
    name: str, data: st.DataObject
) -> None:
    source = data.draw(st.binary() | st.text().map(str.encode) | damaged(SEEDS[name]))
    with contextlib.suppress(HubError):
        PARSERS[name](source)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="atheris is for Linux")
def test_ten_seconds_of_fuzzing_find_nothing() -> None:
    done = subprocess.run(
        [sys.executable, HERE / "guided.py", "--seconds", "10"],
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr[-4000:]
