"""What serving promises: one row at a time, clear answers, no blocking, no local files."""

from __future__ import annotations

import asyncio
import pickle
import subprocess
import sys
import threading
import time
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import numpy as np
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from PIL import Image

import towhee
from towhee import DataCollection, State
from towhee.chain import NotIndexable
from towhee.columns import Entity
from towhee.extras import MissingExtra
from towhee.maybe import Some
from towhee.outcome import OperatorFailed
from towhee.serving.requests import INSTEAD, NoRequest, NotCallable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from httpx import Response

ROOT = Path(__file__).parents[3]
BATCHED = """
import time

class Subject(ModelOperator):
    def prepare(self, value):
        return float(value)

    def predict(self, batch):
        time.sleep(0.05)
        return [(value, len(batch)) for value in batch]
"""
READER = """
class Subject(Operator):
    def __call__(self, source):
        return f"{type(source).__name__} of {len(source)}"
"""
SERVER = """
import sys
import uvicorn
from towhee import DataCollection

with DataCollection.api() as api:
    app = api.map(str.upper).serve("/shout")
server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="warning"))

async def main():
    import asyncio
    task = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    print(server.servers[0].sockets[0].getsockname()[1], flush=True)
    await task

import asyncio
asyncio.run(main())
"""


def reason(response: Response) -> tuple[int, str | None, str]:
    error = response.json()["error"]
    return response.status_code, error["operator"], error["reason"]


def test_a_chain_becomes_a_function() -> None:
    with DataCollection.api() as api:
        shout = api.map(lambda text: text + "!").map(str.upper).as_function()
    assert (shout("hi"), shout("ho")) == ("HI!", "HO!")
    assert repr(shout) == "<function of value: map(<lambda>).map(str.upper)>"


def test_its_values_may_have_names() -> None:
    with towhee.api["x"]() as api:
        chain = api.map["x", "y"](lambda x: x + 1).map["y", "z"](str)
        named = chain.as_function()
    assert named(1) == Entity(x=1, y=2, z="2")
    with pytest.raises(TypeError, match="expected x, got 2 values"):
        named(1, 2)


def test_rows_that_become_several_give_a_list_and_dropped_ones_none() -> None:
    with DataCollection.api() as api:
        words = api.map(str.split).flatten().as_function()
        even = api.filter(lambda number: number % 2 == 0).as_function()
        pairs = api.map(str.split).flatten().batch(2).as_function()
    assert words("a b c") == ["a", "b", "c"]
    assert (even(2), even(3)) == (2, None)
    assert (pairs("a b c"), pairs("d")) == ([["a", "b"], ["c"]], [["d"]])


def test_what_fails_is_named_without_a_number_of_its_row() -> None:
    with DataCollection.api() as api:
        number, safe = api.map(int).as_function(), api.safe().map(int).as_function()
    with pytest.raises(OperatorFailed) as caught:
        number("x")
    assert str(caught.value) == (
        "`map(int)` failed on 'x': ValueError: invalid literal for int() with base 10: 'x'"
    )
    assert isinstance(caught.value.__cause__, ValueError)
    assert safe("1") == Some(1)
    assert safe("x").is_empty()


def test_a_chain_that_was_not_begun_for_calls_is_no_function() -> None:
    for rows in (DataCollection([1]), DataCollection([1]).stream().map(str)):
        with pytest.raises(NotCallable) as caught:
            rows.as_function()
        assert str(caught.value) == (
            "This collection has rows of its own, and takes no others"
        )
    with DataCollection.api() as api:
        with pytest.raises(
            NotCallable, match="every call would get those of the first"
        ):
            api.map(str).head(1).as_function()
        with pytest.raises(NoRequest):
            api.map(str).to_list()


@pytest.mark.parametrize(
    ("write", "why"),
    [
        *(
            (write, "`to_column`, `set_chunksize` and `cmap` take several")
            for write in (
                lambda api: api.to_column().map(str),
                lambda api: api.set_chunksize(2),
                lambda api: api.map(str).cmap(len),
            )
        ),
        (
            lambda api: api.map(str, len)[0],
            "`map` with several functions makes several collections",
        ),
        *(
            (write, "`zip`, `combine` and `+` join several collections")
            for write in (
                lambda api: api.zip(api),
                lambda api: api.combine(DataCollection([1])),
                lambda api: DataCollection([1]) + api,
            )
        ),
    ],
)
def test_a_method_that_needs_several_rows_cannot_be_in_a_called_chain(
    write: Callable[[DataCollection], DataCollection], why: str
) -> None:
    with DataCollection.api() as api, pytest.raises(NotCallable) as caught:
        write(api).as_function()
    assert str(caught.value) == (
        f"A chain that is called takes one row at a time, and {why}"
    )
    assert caught.value.hint == INSTEAD


def test_a_called_chain_is_no_list() -> None:
    with DataCollection.api() as api, pytest.raises(NotIndexable) as caught:
        api.map(str).sort()
    assert str(caught.value) == (
        "`sort` needs rows that are kept, and a chain that is called takes one row at "
        "a time"
    )
    assert caught.value.hint == INSTEAD


def test_functions_of_one_chain_may_run_in_threads_at_once() -> None:
    with DataCollection.api() as api:
        spread = api.map(lambda n: [n] * 3).flatten().batch(3).as_function()
    found: dict[int, object] = {}
    threads = [
        threading.Thread(target=lambda n=n: found.update({n: spread(n)}))
        for n in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {n: [[n, n, n]] for n in range(8)}


def test_operators_are_called_in_the_callers_thread(
    publish: Callable[..., Path],
) -> None:
    publish(BATCHED, name="acme/batched")
    with DataCollection.api() as api:
        function = api.acme.batched().map(list).as_function()
    before = threading.active_count()
    assert function("3") == [3.0, 1]
    assert threading.active_count() == before
    with pytest.raises(
        OperatorFailed, match=r"^`acme/batched` failed on 'x': ValueError"
    ):
        function("x")
    assert pickle.loads(pickle.dumps(api.acme.batched().as_function()))("2") == (2.0, 1)  # noqa: S301


def test_functions_that_run_in_parallel_are_just_called() -> None:
    with DataCollection.api() as api:
        spread = api.set_parallel(4).map(str).map(lambda _: threading.current_thread())
    assert spread.as_function()(1) is threading.current_thread()


def test_a_call_costs_little() -> None:
    with DataCollection.api() as api:
        function = api.map(str).map(len).as_function()

    def microseconds() -> float:
        start = time.perf_counter()
        for number in range(1000):
            function(number)
        return (time.perf_counter() - start) * 1000

    # The best of several: other processes may have the processor meanwhile.
    assert min(microseconds() for _ in range(10)) < 50


def test_what_was_learned_can_be_served() -> None:
    state = State()
    _ = DataCollection([0, 10]).set_training(state).min_max_scaler(name="it")
    with DataCollection.api() as api:
        scaled = api.set_evaluating(state).min_max_scaler(name="it")
        client = TestClient(scaled.serve("/scale"))
    assert client.post("/scale", json=5).json() == [0.5]


def test_json_text_and_bytes_are_rows() -> None:
    with DataCollection.api() as api:
        client = TestClient(
            api.map(lambda row: [type(row).__name__, len(row)]).serve("/")
        )
    answers = [
        client.post("/", json=[1, 2, 3]),
        client.post("/", json={"a": 1}),
        client.post("/", json="text"),
        client.post("/", content="täxt"),
        client.post("/", content="text", headers={"content-type": "text/plain"}),
        client.post("/", content=b"\xff\xd8", headers={"content-type": "image/jpeg"}),
    ]
    assert [answer.json() for answer in answers] == [
        ["list", 3],
        ["dict", 1],
        ["str", 4],
        ["str", 4],
        ["str", 4],
        ["bytes", 2],
    ]
    assert {answer.status_code for answer in answers} == {200}


def test_towhees_own_examples_answer_the_same() -> None:
    app = FastAPI()
    with towhee.api() as api:
        api.map(lambda x: x + " -> 1").map(lambda x: x + " => 1").serve("/app1", app)
    with towhee.api["x"]() as api:
        chain = api.map["x", "x_plus_1"](lambda x: x + " -> 2")
        chain = chain.map["x_plus_1", "y"](lambda x: x + " => 2")
        chain.map(lambda row: {"y": row.y}).serve("/app2", app)
    client = TestClient(app)
    assert client.post("/app1", content="1").text == '"1 -> 1 => 1"'
    assert client.post("/app2", content="2").text == '{"y":"2 -> 2 => 2"}'


def test_columns_are_keys_of_an_object() -> None:
    with DataCollection.api("a", "b") as api:
        client = TestClient(api.map[("a", "b"), "c"](lambda a, b: a + b).serve("/add"))
    assert client.post("/add", json={"a": 1, "b": 2}).json() == {"a": 1, "b": 2, "c": 3}
    assert reason(client.post("/add", json={"a": 1, "bb": 2})) == (
        422,
        None,
        "`b` is missing; `bb` is unknown: did you mean `b`?",
    )
    assert reason(client.post("/add", json=[1, 2])) == (
        422,
        None,
        "The body is no JSON object with `a`, `b`",
    )
    assert reason(client.post("/add", content="1")) == (
        422,
        None,
        "Send `a`, `b` as a JSON object or a form",
    )


def test_a_form_uploads_files() -> None:
    picture = BytesIO()
    Image.new("RGB", (6, 4)).save(picture, "png")

    def size(data: bytes, title: str) -> str:
        return f"{title}: {Image.open(BytesIO(data)).size}"

    with DataCollection.api("image", "title") as api:
        client = TestClient(
            api.map[("image", "title"), "text"](size)
            .map(lambda row: row.text)
            .serve("/size")
        )
    sent = client.post(
        "/size", files={"image": picture.getvalue()}, data={"title": "red"}
    )
    assert sent.json() == "red: (6, 4)"
    with DataCollection.api() as api:
        one = TestClient(api.map(len).serve("/"))
    assert one.post("/", files={"anything": b"12345"}).json() == 5
    assert reason(one.post("/", data={"a": "1", "b": "2"})) == (
        422,
        None,
        "A form has one field here, not 2",
    )


def test_results_have_a_form_for_every_client() -> None:
    results: dict[str, Any] = {
        "array": np.array([[1, 2], [3, 4]], dtype=np.float32),
        "number": np.float64(0.5),
        "entity": Entity(a=np.int64(1)),
        "nothing": None,
        "bytes": b"\x00\x01",
        "set": {1},
        "nan": float("nan"),
        "object": object(),
    }
    with DataCollection.api() as api:
        client = TestClient(api.map(results.get).serve("/"))
    answers = {name: client.post("/", json=name) for name in results}
    assert answers["array"].json() == [[1, 2], [3, 4]]
    assert answers["number"].json() == 0.5
    assert answers["entity"].json() == {"a": 1}
    assert answers["nothing"].json() is None
    assert answers["bytes"].content == b"\x00\x01"
    assert answers["bytes"].headers["content-type"] == "application/octet-stream"
    assert answers["set"].json() == [1]
    status, _, text = reason(answers["nan"])
    assert status == 500
    assert text.startswith("The result cannot be written as JSON: Out of range float")
    assert reason(answers["object"]) == (
        500,
        None,
        "The result holds a object, which is no JSON",
    )


def test_failures_say_whose_they_are_and_show_no_traceback() -> None:
    def broken(number: int) -> int:
        raise KeyError(number)

    with DataCollection.api() as api:
        client = TestClient(api.map(int).map(broken).serve("/"))
        safe = TestClient(api.safe().map(int).serve("/"))
    theirs = client.post("/", json="x")
    assert reason(theirs) == (
        422,
        "map(int)",
        "ValueError: invalid literal for int() with base 10: 'x'",
    )
    assert reason(client.post("/", json="1")) == (
        500,
        "map(broken)",
        "KeyError: 1",
    )
    assert reason(safe.post("/", json="x")) == reason(theirs)
    assert safe.post("/", json="1").json() == 1
    for body, message in (
        (
            b"{",
            "The body is no JSON: Expecting property name enclosed in double quotes: line 1 column 2 (char 1)",
        ),
        (b"[NaN]", "The body is no JSON: NaN is no number in it"),
        (
            b"\xff",
            "The body is no JSON: 'utf-8' codec can't decode byte 0xff in position 0: invalid start byte",
        ),
    ):
        bad = client.post(
            "/", content=body, headers={"content-type": "application/json"}
        )
        assert reason(bad) == (422, None, message)
    assert reason(client.post("/", content=b"\xff")) == (
        422,
        None,
        "The body is no text in UTF-8; send bytes as `application/octet-stream`",
    )


def leave(row: Any) -> Any:  # noqa: ANN401
    return sys.exit(3) if row == "leave" else row


def test_a_function_that_ends_the_program_fails_its_request() -> None:
    with DataCollection.api() as api:
        client = TestClient(api.map(leave).serve("/"))
    assert reason(client.post("/", json="leave")) == (
        500,
        "map(leave)",
        "SystemExit: 3",
    )
    assert client.post("/", json="stay").json() == "stay"


def test_a_stranger_cannot_have_files_of_this_machine_read(
    publish: Callable[..., Path],
) -> None:
    publish(
        READER,
        name="acme/reader",
        inputs=[{"name": "source", "type": ["path", "url", "bytes"]}],
        outputs=[{"name": "text", "type": "any"}],
    )
    with DataCollection.api() as api:
        guarded = TestClient(api.acme.reader().serve("/"))
        open_to_all = TestClient(api.acme.reader().serve("/", paths=True))
    with DataCollection.api("a", "b") as api:
        columns = TestClient(
            api.filter["a"](bool).map["a", "c"](len).acme.reader["b", "d"]().serve("/")
        )
    refused = (
        422,
        None,
        "`acme/reader` would take text for a file of this machine; send the bytes themselves, as `application/octet-stream` or a form's file",
    )
    assert reason(guarded.post("/", content="/etc/passwd")) == refused
    assert reason(guarded.post("/", json="http://127.0.0.1/")) == refused
    assert reason(columns.post("/", json={"a": "x", "b": "/etc/passwd"})) == refused
    image = guarded.post("/", content=b"123", headers={"content-type": "image/png"})
    assert image.json() == "bytes of 3"
    assert open_to_all.post("/", content="/etc/passwd").json() == "str of 11"


def at_once(app: FastAPI, path: str, values: list[Any]) -> list[Any]:
    async def ask() -> list[Any]:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(
            transport=transport, base_url="http://test"
        ) as client:
            asked = (client.post(path, json=value) for value in values)
            return [answer.json() for answer in await asyncio.gather(*asked)]

    return asyncio.run(ask())


def test_requests_that_wait_for_a_model_are_computed_together(
    publish: Callable[..., Path],
) -> None:
    publish(BATCHED, name="acme/batched")
    with DataCollection.api() as api:
        app = api.acme.batched().serve("/embed")
    answers = at_once(app, "/embed", [*range(16), "x"])
    assert [answer[0] for answer in answers[:-1]] == list(range(16))
    assert answers[-1]["error"]["operator"] == "acme/batched"
    assert max(answer[1] for answer in answers[:-1]) > 1


def test_one_that_ends_the_program_fails_alone_among_those_that_wait(
    publish: Callable[..., Path],
) -> None:
    publish(BATCHED, name="acme/batched")
    with DataCollection.api() as api:
        app = api.map(leave).acme.batched().serve("/embed")
    answers = at_once(app, "/embed", [1, "leave", 2, 3])
    assert [answers[number][0] for number in (0, 2, 3)] == [1, 2, 3]
    assert answers[1]["error"]["reason"] == "SystemExit: 3"


def test_a_slow_function_does_not_block_the_event_loop() -> None:
    def slow(row: float) -> float:
        time.sleep(row)
        return row

    with DataCollection.api() as api:
        app = api.map(slow).serve("/slow")

    async def longest_pause() -> float:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(
            transport=transport, base_url="http://test"
        ) as client:
            asked = asyncio.gather(*(client.post("/slow", json=0.3) for _ in range(4)))
            ticks = [time.perf_counter()]
            while not asked.done():
                await asyncio.sleep(0.01)
                ticks.append(time.perf_counter())
            await asked
        return max(np.diff(ticks))

    start = time.perf_counter()
    assert asyncio.run(longest_pause()) < 0.25
    assert time.perf_counter() - start < 1.1


def test_the_service_describes_itself() -> None:
    app = FastAPI()
    with DataCollection.api("a", "b") as api:
        assert api.map(str).serve("/both", app) is app
    operation = TestClient(app).get("/openapi.json").json()["paths"]["/both"]["post"]
    schema = operation["requestBody"]["content"]["application/json"]["schema"]
    assert schema["required"] == ["a", "b"]
    assert set(operation["responses"]) >= {"200", "422", "500"}


@pytest.fixture
def server() -> Iterator[str]:
    """A real uvicorn, in a process of its own."""
    command = [sys.executable, "-X", "dev", "-W", "error", "-c", SERVER]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={"PYTHONPATH": str(ROOT)},
    )
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        port = process.stdout.readline().strip()
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        _, errors = process.communicate(timeout=30)
    assert errors == ""


def test_a_real_server_answers_and_ends(server: str) -> None:
    with httpx.Client() as client:
        assert client.post(f"{server}/shout", json="hi").json() == "HI"
        assert client.post(f"{server}/shout", json=3).status_code == 422
        assert client.get(f"{server}/shout").status_code == 405


def test_a_missing_package_names_the_extra() -> None:
    code = (
        "import sys; sys.modules['fastapi'] = None\n"
        "from towhee import DataCollection\n"
        "with DataCollection.api() as api: api.map(str).serve('/')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": str(ROOT)},
    )
    assert done.stderr.splitlines()[-2:] == [
        f"{MissingExtra.__module__}.MissingExtra: Serving needs the package `fastapi`",
        "hint: Install `towhee-hub[serve]`",
    ]
