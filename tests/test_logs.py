"""Nothing a client said can reach a log line by accident."""

import asyncio
import gc
import io
import json
import logging
import sys
import warnings
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from hypothesis import example, given
from hypothesis import strategies as st

import logs

CANARY = "drank-again-on-tuesday"


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    root, hook = logging.getLogger(), sys.excepthook
    handlers, level = root.handlers[:], root.level
    yield
    structlog.reset_defaults()
    logging.captureWarnings(False)
    root.handlers[:], sys.excepthook = handlers, hook
    root.setLevel(level)


def configured(style: Any = "json", level: str = "info") -> io.StringIO:
    stream = io.StringIO()
    logs.configure(level, style, stream)
    return stream


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_says_when_who_and_what():
    stream = configured()
    structlog.get_logger("workflows").info("deadline swept", episode_id="e-1", revision=7)
    (line,) = lines(stream)
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "deadline swept",
        "level": "info",
        "logger": "workflows",
        "episode_id": "e-1",
        "revision": 7,
    }


def test_a_value_under_an_unknown_name_is_withheld():
    stream = configured()
    structlog.get_logger().bind(client_name=CANARY).info("step filled", answers={"note": CANARY}, stage="coping")
    assert CANARY not in stream.getvalue()
    assert lines(stream)[0]["answers"] == "[withheld dict]"
    assert lines(stream)[0]["stage"] == "coping"


names = st.text(min_size=1, max_size=20).filter(lambda name: name not in logs.SAYABLE | {"self", "_record"})
inner = st.recursive(st.just(CANARY), lambda of: st.lists(of, min_size=1, max_size=2) | st.tuples(of), max_leaves=3)


@example("_", CANARY, "json")
@given(names, inner, st.sampled_from(["json", "console"]))
def test_no_name_off_the_list_carries_anything_out(name: str, value: object, style: str):
    stream = configured(style)
    structlog.get_logger("x").info("something happened", **{name: value})
    assert CANARY not in stream.getvalue()


@given(st.sampled_from(sorted(logs.SAYABLE - {"event", "level", "logger", "timestamp"})))
def test_a_name_on_the_list_carries_no_structure(name: str):
    stream = configured()
    structlog.get_logger("x").info("something happened", **{name: {"note": CANARY}})
    assert CANARY not in stream.getvalue()


@pytest.mark.parametrize("style", ["json", "console"])
def test_an_exception_is_told_by_type_and_place_without_its_message(style: str):
    stream = configured(style)
    try:
        try:
            raise ValueError(CANARY)
        except ValueError as error:
            raise RuntimeError(CANARY) from error
    except RuntimeError:
        structlog.get_logger().exception("append failed")
    text = stream.getvalue()
    assert CANARY not in text
    assert "RuntimeError" in text
    assert "ValueError" in text
    assert "test_logs:" in text


def test_a_library_is_quoted_without_the_values_it_put_in():
    stream = configured()
    try:
        raise KeyError(CANARY)
    except KeyError:
        logging.getLogger("some.library").exception("cannot send %s to %s", CANARY, {"x": CANARY})
    logging.getLogger("some.library").warning(ValueError(CANARY))
    assert CANARY not in stream.getvalue()
    first, second = lines(stream)
    assert (first["event"], first["error_type"]) == ("cannot send %s to %s", "KeyError")
    assert second["event"] == "[withheld ValueError]"


def test_asyncio_does_not_quote_the_error_of_a_forgotten_task():
    stream = configured()

    async def fail() -> None:
        raise ValueError(CANARY)

    async def forget() -> None:
        task = asyncio.ensure_future(fail())
        await asyncio.wait([task])

    asyncio.run(forget())
    gc.collect()
    assert CANARY not in stream.getvalue()
    assert lines(stream)[0]["event"] == "Task exception was never retrieved"


def test_what_nobody_caught_is_logged_without_its_message():
    stream = configured()
    error = ValueError(CANARY)
    sys.excepthook(ValueError, error, None)
    assert CANARY not in stream.getvalue()
    assert lines(stream)[0]["error_type"] == "ValueError"


def test_a_warning_goes_through_the_same_gate():
    stream = configured()
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn(CANARY, UserWarning, stacklevel=1)
    assert CANARY not in stream.getvalue()
    assert lines(stream)[0]["logger"] == "py.warnings"


def test_the_level_is_kept():
    stream = configured(level="warning")
    structlog.get_logger().info("quiet")
    logging.getLogger("library").info("quiet")
    structlog.get_logger().warning("loud")
    assert [line["event"] for line in lines(stream)] == ["loud"]


def test_a_library_that_tells_of_each_thing_is_heard_from_warnings_on():
    stream = configured()
    for level in (logging.INFO, logging.WARNING):
        logging.getLogger("httpx").log(level, "request")
    assert [line["level"] for line in lines(stream)] == ["warning"]


def test_a_long_value_is_cut():
    stream = configured()
    structlog.get_logger().info("long", kind="x" * 10_000)
    assert len(lines(stream)[0]["kind"]) == 300


def test_lines_go_to_what_standard_error_is_now(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test or a program may replace it and close the former one."""
    former, present = io.StringIO(), io.StringIO()
    monkeypatch.setattr(sys, "stderr", former)
    logs.configure("info", "json")
    former.close()
    monkeypatch.setattr(sys, "stderr", present)
    structlog.get_logger("house").warning("said")
    assert '"said"' in present.getvalue()
