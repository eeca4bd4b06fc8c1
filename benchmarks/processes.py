"""Starts, pins and stops the processes of a benchmark; none outlives the run."""

import ctypes
import http
import http.client
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

ROOT = Path(__file__).resolve().parent.parent
"""The repository; its `src` is on the path of every process that is started."""

READY_TIMEOUT_S = 20.0
STOP_TIMEOUT_S = 5.0
LOG_LINES_SHOWN = 25
_PR_SET_PDEATHSIG = 1


class BenchmarkError(Exception):
    """The benchmark can't go on; the message says why and shows the log's end."""


@dataclass(frozen=True, slots=True)
class Cores:
    """Which core does what; None where processes can't be pinned or there is one core."""

    load: int | None
    server: int | None

    @property
    def description(self) -> str:
        """One line for the report."""
        if self.server is None:
            return "not pinned: figures of servers and load generator mix"
        return f"load generator and provider on core {self.load}, servers on core {self.server}"


def choose_cores() -> Cores:
    """Return two different cores of those we may use, if the system lets us choose."""
    if not hasattr(os, "sched_getaffinity"):
        return Cores(None, None)
    allowed = sorted(os.sched_getaffinity(0))
    return Cores(allowed[0], allowed[-1]) if len(allowed) > 1 else Cores(None, None)


def free_port() -> int:
    """Return a port of 127.0.0.1 that nobody listens on at this moment."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def environment(extra: Mapping[str, str]) -> dict[str, str]:
    """Return our environment without settings of servers or proxies, plus `extra`."""
    refused = ("AGENTLIN_", "CLIENT_", "OPENAI_")
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(refused) and not name.lower().endswith("_proxy")
    }
    paths = [str(ROOT), str(ROOT / "src"), *filter(None, [kept.get("PYTHONPATH")])]
    return {**kept, "PYTHONPATH": os.pathsep.join(paths), **extra}


def _before_exec(core: int | None) -> Callable[[], None] | None:
    """Return what the child does before it becomes the program: pin itself, die with us."""
    if not sys.platform.startswith("linux"):
        return None
    libc = ctypes.CDLL(None)  # looked up here: after the fork as little as possible

    def prepare() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if core is not None:
            os.sched_setaffinity(0, {core})

    return prepare


class Processes:
    """The processes of one run, in a folder that holds their logs. Leaving ends them all."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        interrupts = signal.signal(
            signal.SIGINT, signal.SIG_IGN
        )  # a second Ctrl-C must not stop this
        try:
            self._stack.close()
        finally:
            signal.signal(signal.SIGINT, interrupts)

    def spawn(
        self, name: str, argv: Sequence[str], *, core: int | None, env: Mapping[str, str]
    ) -> "subprocess.Popen[bytes]":
        """Start a program and return at once; it ends with the run, if not before.

        `env` is what its environment has besides ours, and `name` that of its log.
        """
        log = self._stack.enter_context((self._folder / f"{name}.log").open("wb"))
        process = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=self._folder,
            env=environment(env),
            preexec_fn=_before_exec(core),  # noqa: PLW1509 -- this process has one thread
            start_new_session=True,  # Ctrl-C reaches us alone; we end the others in order
        )
        self._stack.callback(_stop, process)
        return process

    def start(
        self, name: str, argv: Sequence[str], *, port: int, core: int | None, env: Mapping[str, str]
    ) -> int:
        """Start a server and return its process id once it answers on `port`.

        Raises:
            BenchmarkError: it ended, or did not answer within `READY_TIMEOUT_S`.
        """
        process = self.spawn(name, argv, core=core, env=env)
        deadline_s = time.monotonic() + READY_TIMEOUT_S
        while not _answers(port):
            if process.poll() is not None:
                raise BenchmarkError(
                    f"{name} ended with code {process.returncode}\n{self.log_tail(name)}"
                )
            if time.monotonic() > deadline_s:
                raise BenchmarkError(
                    f"{name} did not come up in {READY_TIMEOUT_S:.0f} s\n{self.log_tail(name)}"
                )
            time.sleep(0.05)
        return process.pid

    def log_tail(self, name: str) -> str:
        """Return the last lines that the server `name` wrote."""
        return _tail(self._folder / f"{name}.log")


class Client:
    """A program that runs to its end beside us; its standard output is what it found."""

    def __init__(self, argv: Sequence[str], *, core: int | None, env: Mapping[str, str]) -> None:
        """Start it; `env` is its whole environment."""
        with ExitStack() as stack:
            # Files, not pipes: it never waits for us to read.
            self._output = stack.enter_context(tempfile.TemporaryFile("w+"))
            self._words = stack.enter_context(tempfile.TemporaryFile("w+"))
            self._process = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=self._output,
                stderr=self._words,
                env=env,
                preexec_fn=_before_exec(core),  # noqa: PLW1509 -- this process has one thread
                start_new_session=True,
            )
            self._files = stack.pop_all()

    @property
    def is_running(self) -> bool:
        """False once it has ended."""
        return self._process.poll() is None

    def stop(self) -> None:
        """End it, if it still runs."""
        _stop(self._process)

    def output(self, *, timeout_s: float) -> str:
        """Wait for its end and return its standard output; can be called once.

        Raises:
            BenchmarkError: it failed or took longer than `timeout_s`; its words are the message.
        """
        with self._files:
            try:
                self._process.wait(timeout_s)
            except subprocess.TimeoutExpired as error:
                raise BenchmarkError(f"took longer than {timeout_s:.0f} s") from error
            finally:
                self.stop()
            if self._process.returncode:
                self._words.seek(0)
                words = self._words.read().strip()
                raise BenchmarkError(words or f"ended with code {self._process.returncode}")
            self._output.seek(0)
            return self._output.read()


def run_to_end(
    argv: Sequence[str], *, core: int | None, timeout_s: float, env: Mapping[str, str]
) -> str:
    """Run a program to its end and return its standard output; `env` is its whole environment.

    Raises:
        BenchmarkError: it failed or took longer than `timeout_s`; its words are the message.
    """
    return Client(argv, core=core, env=env).output(timeout_s=timeout_s)


def _answers(port: int) -> bool:
    """Tell whether a server answers a GET of `/readyz` with anything below 500, within 2 s."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status < http.HTTPStatus.INTERNAL_SERVER_ERROR
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _stop(process: subprocess.Popen[bytes] | subprocess.Popen[str]) -> None:
    """End the process and what it started: politely first, then for certain."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    if hasattr(os, "killpg"):
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):  # macOS says the latter of a dead group
            return  # nobody of its group is left


def _tail(log_path: Path) -> str:
    lines = log_path.read_text(errors="replace").splitlines()
    shown = lines[-LOG_LINES_SHOWN:] or ["(it wrote nothing)"]
    return "\n".join(f"    {line}" for line in shown)
