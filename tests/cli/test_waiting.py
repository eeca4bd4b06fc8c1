import io

from rich.console import Console

from agentlin_server.cli.terminal import printable
from agentlin_server.cli.waiting import Waiting


def _console(*, is_terminal: bool) -> Console:
    return Console(file=io.StringIO(), force_terminal=is_terminal, width=100)


def _shown(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_without_a_terminal_a_fetch_is_a_few_plain_lines() -> None:
    console = _console(is_terminal=False)
    with Waiting("waiting", console=console) as waiting:
        for done in range(101):
            waiting.progress(done * 1_000_000, 100_000_000, "downloading")
        waiting.progress(0, None, "waiting for another download")
    assert _shown(console).splitlines() == [
        "downloading (100 MB)",
        "downloading: 25%",
        "downloading: 50%",
        "downloading: 75%",
        "downloading: 100%",
        "waiting for another download",
    ]


def test_on_a_terminal_spinner_and_bar_take_turns_and_leave_the_cursor_visible() -> None:
    console = _console(is_terminal=True)
    with Waiting("waiting for the model", console=console) as waiting:
        waiting.progress(10, 100, "downloading")
        waiting.progress(50, 100, "downloading")
        waiting.progress(100, 100, "downloading")
    shown = _shown(console)
    assert "waiting for the model" in shown
    assert "downloading" in shown
    assert shown.rindex("\x1b[?25h") > shown.rindex("\x1b[?25l")


def test_after_the_stop_nothing_is_shown() -> None:
    console = _console(is_terminal=False)
    with Waiting("waiting", console=console) as waiting:
        waiting.stop()
        waiting.progress(1, 2, "downloading")
    assert _shown(console) == ""


def test_text_is_made_safe_for_a_terminal() -> None:
    assert printable("tab\tline\n\x1b]0;title\x07\x9b1m\r") == "tab\tline\n]0;title1m"
