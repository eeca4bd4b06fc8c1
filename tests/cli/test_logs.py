import io
import json
import logging

import pytest

from agentlin_server.app.logs import configure_logging


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_without_a_terminal_each_line_is_json_with_its_fields() -> None:
    stream = io.StringIO()
    configure_logging("info", stream=stream)
    logging.getLogger("agentlin_server.x").info("task %s began", "t1", extra={"task_id": "t1"})
    line = json.loads(stream.getvalue())
    assert line["event"] == "task t1 began"
    assert line["task_id"] == "t1"
    assert line["level"] == "info"
    assert line["logger"] == "agentlin_server.x"


def test_on_a_terminal_lines_are_for_people() -> None:
    stream = _Terminal()
    configure_logging("info", stream=stream)
    logging.getLogger("agentlin_server.x").warning("look here")
    assert "look here" in stream.getvalue()
    assert not stream.getvalue().startswith("{")


@pytest.mark.parametrize("stream", [io.StringIO(), _Terminal()], ids=["file", "terminal"])
def test_no_secret_is_written_not_even_in_a_traceback(stream: io.StringIO) -> None:
    configure_logging("info", secrets=["hunter22"], stream=stream)
    try:
        raise ValueError("the key is hunter22")
    except ValueError:
        logging.getLogger("agentlin_server.x").exception("failed with %s", "hunter22")
    assert "hunter22" not in stream.getvalue()
    assert "[redacted]" in stream.getvalue()


def test_libraries_speak_from_warning_on_and_the_level_holds() -> None:
    stream = io.StringIO()
    configure_logging("debug", stream=stream)
    logging.getLogger("uvicorn.error").info("Started server process")
    logging.getLogger("alembic.runtime").info("Running upgrade")
    logging.getLogger("agentlin_server.x").debug("detail")
    assert [json.loads(line)["event"] for line in stream.getvalue().splitlines()] == ["detail"]
    configure_logging("error", stream=stream)
    logging.getLogger("uvicorn.error").warning("not so bad")
    assert "not so bad" not in stream.getvalue()
