"""One child process: start it, learn its address, notice its end, stop it."""

import importlib.util
import json
import os
import secrets
import signal
import sys
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from subprocess import PIPE
from typing import IO, Final

import anyio
from anyio.abc import Process
from anyio.streams.buffered import BufferedByteReceiveStream

from agentlin_server.domain.errors import ModelUnavailableError
from agentlin_server.models.local.child import ChildConfig
from agentlin_server.models.local.weights import PROVIDER, LocalWeights

_STOP_TIMEOUT_S: Final = 2.0
_REPORT_MAX_BYTES: Final = 64 * 1024
_LOG_TAIL_BYTES: Final = 4096
_LOG_TAIL_LINES: Final = 8

# What Python, the dynamic linker and GPU drivers need; nothing that could be a secret.
_PYTHON: Final = {"PATH", "PYTHONPATH", "PYTHONHOME", "HOME", "LANG", "LC_ALL"}
_SYSTEM: Final = {"TMPDIR", "TEMP", "TMP", "SYSTEMROOT", "SYSTEMDRIVE", "WINDIR"}
_LINKER: Final = {"LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH"}
_GPU: Final = {"CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES"}
_ENVIRONMENT: Final = _PYTHON | _SYSTEM | _LINKER | _GPU


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineOptions:
    """How the engine runs; the defaults suit a small model on a small machine.

    Attributes:
        n_ctx: Longest context of one request, in tokens, its answer included. The engine
            lowers it to what the model was trained for.
        n_parallel: Requests worked on at once, >= 1; others wait. Each one more costs
            the memory of `n_ctx` tokens (SmolLM2: 94 MB per 4096).
        n_threads: Threads that compute; None is one less than there are cores.
        output_tokens_max: Length at which an answer ends that has no limit of its own, as
            small models may go on for ever.
        start_timeout_s: Seconds that loading a model may take.
    """

    n_ctx: int = 4096
    n_parallel: int = 2
    n_threads: int | None = None
    output_tokens_max: int = 1024
    start_timeout_s: float = 120.0


class Child:
    """A running engine for one GGUF file; made by `start_child`."""

    def __init__(self, process: Process, *, url: str, api_key: str, log: IO[bytes]) -> None:
        self._process = process
        self._log = log
        self._last_words = ""
        self.base_url: Final = f"{url}/v1"
        """Base of its OpenAI-compatible API."""
        self.api_key: Final = api_key
        """The only key it takes."""

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """False once the process has ended, as far as is known."""
        return self._process.returncode is None

    async def has_ended_within(self, seconds: float) -> bool:
        """Wait for the process to end, at most so long; return whether it did."""
        with anyio.move_on_after(seconds):
            await self._process.wait()
        return not self.is_running

    def last_words(self) -> str:
        """Say how the process ended and what it logged last; only once it has ended."""
        return self._last_words or _ending(self._process) + _log_tail(self._log)

    async def stop(self) -> None:
        """End the process: ask, then terminate, then kill; it's gone when this returns."""
        await _stop(self._process)
        if not self._log.closed:
            self._last_words = self.last_words()
            self._log.close()


def engine_installed() -> bool:
    """Say whether the extra `local` is installed, without loading it."""
    return importlib.util.find_spec("xllamacpp") is not None


async def start_child(weights: LocalWeights, options: EngineOptions) -> Child:
    """Start the engine on `weights` and return once it answers.

    Raises:
        ModelUnavailableError: the extra is missing, or the engine didn't start in time;
            the message has the end of its log.
    """
    if not engine_installed():
        raise ModelUnavailableError(
            "the embedded model needs the extra 'local': pip install 'agentlin[local]'",
            provider=PROVIDER,
            retryable=False,
        )
    api_key = secrets.token_urlsafe(32)
    log = tempfile.TemporaryFile()  # noqa: SIM115 - the child's for as long as it lives
    process = await _spawn(log)
    try:
        url = await _introduce(process, _config(weights, options, api_key), options.start_timeout_s)
    except BaseException as exc:
        await _stop(process)
        tail = _log_tail(log)
        log.close()
        match exc:
            case TimeoutError():
                reason = f"no answer in {options.start_timeout_s:g} s"
            case _SaidError():
                reason = str(exc)
            case anyio.EndOfStream() | anyio.IncompleteRead():
                reason = _ending(process)
            case anyio.BrokenResourceError() | OSError():
                reason = _ending(process)
            case _:
                raise
        raise ModelUnavailableError(
            f"the local model {weights.name!r} could not be started: {reason}{tail}",
            provider=PROVIDER,
        ) from exc
    return Child(process, url=url, api_key=api_key, log=log)


async def _spawn(log: IO[bytes]) -> Process:
    """Start the child process; its standard error goes to `log`, which is closed if it fails."""
    process: Process | None = None
    try:
        with anyio.CancelScope(shield=True):  # takes milliseconds; half a start can't be undone
            process = await anyio.open_process(
                [sys.executable, "-m", "agentlin_server.models.local.child"],
                stdin=PIPE,
                stdout=PIPE,
                stderr=log,
                env=_environment(os.environ),
                start_new_session=True,  # Ctrl-C in the terminal is for us alone
            )
    except OSError as exc:
        log.close()
        raise ModelUnavailableError(
            f"the local model's process could not be started: {exc}", provider=PROVIDER
        ) from exc
    assert process is not None, "nothing cancels the scope but its end"
    return process


class _SaidError(Exception):
    """The child says itself that it can't serve, and why."""


async def _introduce(process: Process, config: ChildConfig, timeout_s: float) -> str:
    """Send the configuration; return the address that the child reports."""
    assert process.stdin is not None
    assert process.stdout is not None
    with anyio.fail_after(timeout_s):
        await process.stdin.send(json.dumps(config).encode() + b"\n")
        stdout = BufferedByteReceiveStream(process.stdout)
        try:
            line = await stdout.receive_until(b"\n", _REPORT_MAX_BYTES)
        except (anyio.EndOfStream, anyio.IncompleteRead):
            with anyio.move_on_after(_STOP_TIMEOUT_S):
                await process.wait()  # else it might seem that we ended it
            raise
    report: dict[str, str] = json.loads(line)
    if "error" in report:
        raise _SaidError(report["error"])
    return report["url"]


def _config(weights: LocalWeights, options: EngineOptions, api_key: str) -> ChildConfig:
    return {
        "path": str(weights.path),
        "name": weights.name,
        "api_key": api_key,
        "n_ctx": options.n_ctx,
        "n_parallel": options.n_parallel,
        "n_threads": options.n_threads or max(1, _cores() - 1),
        "output_tokens_max": options.output_tokens_max,
        "sampling": dict(weights.known.sampling) if weights.known else {},
    }


def _cores() -> int:
    """Return how many cores this process may use; containers often get fewer than there are."""
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _environment(ours: Mapping[str, str]) -> dict[str, str]:
    env = {name: value for name, value in ours.items() if name.upper() in _ENVIRONMENT}
    # The engine's threads wait for each other in loops; passive ones give way, else
    # a busy machine spends its time on waiting.
    return env | {"OMP_WAIT_POLICY": "passive"}


async def _stop(process: Process) -> None:
    """End the process and free its pipes, also when the caller is being cancelled."""
    with anyio.CancelScope(shield=True):
        if process.stdin is not None:
            with suppress(OSError, anyio.BrokenResourceError):
                await process.stdin.aclose()  # the child's sign to end
        for end in (process.terminate, process.kill):
            with anyio.move_on_after(_STOP_TIMEOUT_S):
                await process.wait()
            if process.returncode is None:
                with suppress(ProcessLookupError):
                    end()
        await process.wait()
        await process.aclose()


def _ending(process: Process) -> str:
    """Say how the process, which has ended, did so."""
    code = process.returncode
    if code is None or code >= 0:
        return f"its process ended with code {code}"
    number = signal.Signals(-code)
    hint = " (out of memory?)" if number.name == "SIGKILL" else ""
    return f"its process was ended by {number.name}{hint}"


def _log_tail(log: IO[bytes]) -> str:
    """Return the last lines of the log, as the end of a message; the child must have ended."""
    log.seek(0, os.SEEK_END)  # moves the child's place too, hence only now
    log.seek(max(0, log.tell() - _LOG_TAIL_BYTES))
    lines = log.read().decode(errors="replace").strip().splitlines()[-_LOG_TAIL_LINES:]
    return "; its last log lines:\n" + "\n".join(lines) if lines else ""
