"""The child process: llama.cpp and its OpenAI-compatible HTTP server, for one GGUF file.

Started by `process.py` as `python -m agentlin_server.models.local.child`. Standard input
brings one line of JSON (`ChildConfig`; so the API key shows in no process list) and then
stays open: its end means that the parent is gone, and the child ends at once, whatever
it is doing. Standard output carries one line of JSON back: `{"url": ...}` once the server
answers, or `{"error": ...}`. Everything else it has to say goes to standard error.
"""

import importlib
import json
import os
import signal
import sys
import threading
import urllib.request
from collections.abc import Mapping
from typing import Any, TypedDict


class ChildConfig(TypedDict):
    """What the child is told. Sizes are in tokens.

    `n_ctx` is the context of one request; `n_parallel` requests are worked on at once,
    each with a context of its own. `output_tokens_max` ends answers that have no limit
    of their own. `sampling` holds the defaults `temperature` and `top_p`.
    """

    path: str
    name: str
    api_key: str
    n_ctx: int
    n_parallel: int
    n_threads: int
    output_tokens_max: int
    sampling: Mapping[str, float]


def main() -> int:
    """Serve until standard input ends; return the exit code if it never came to that."""
    report = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever the engine prints, it's no report
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to act upon
    config: ChildConfig = json.loads(sys.stdin.buffer.readline())
    watcher = end_with_parent()
    try:
        server = _serve(config)
        url = str(server.listening_address)
        with urllib.request.urlopen(f"{url}/health", timeout=10) as answer:  # noqa: S310 - our own address
            answer.read()
    except Exception as exc:  # noqa: BLE001 - whatever it is, the parent must hear of it
        print(json.dumps({"error": f"{type(exc).__name__}: {exc}"}), file=report, flush=True)
        return 1
    print(json.dumps({"url": url}), file=report, flush=True)
    report.close()
    watcher.join()
    return 0


def end_with_parent() -> threading.Thread:
    """End this process at once when standard input ends; return the thread that watches it."""
    if sys.platform == "linux":
        # The engine holds the interpreter's lock while it loads a model, which the thread
        # below needs. So the kernel is asked too: input, or its end, raises SIGIO, and
        # nobody handles that. (The parent sends nothing after the configuration.)
        import fcntl

        fcntl.fcntl(0, fcntl.F_SETOWN, os.getpid())
        fcntl.fcntl(0, fcntl.F_SETFL, fcntl.fcntl(0, fcntl.F_GETFL) | os.O_ASYNC)
    watcher = threading.Thread(target=_end_at_end_of_input, daemon=True)
    watcher.start()
    return watcher


def _end_at_end_of_input() -> None:
    while os.read(0, 1024):
        pass
    os._exit(
        0
    )  # at once: there's nothing to save, and the engine's threads don't stop by themselves


def _serve(config: ChildConfig) -> Any:
    """Start the engine and return it once it has loaded the model and listens."""
    engine: Any = importlib.import_module("xllamacpp")  # has no types
    params = engine.CommonParams()
    params.model.path = config["path"]
    params.model_alias = {config["name"]}
    params.hostnames = ["127.0.0.1"]
    params.port = 0  # any free one
    params.api_keys = [config["api_key"]]
    params.ui = False
    params.endpoint_slots = False
    params.verbosity = 2  # warnings and errors
    params.n_parallel = config["n_parallel"]
    # Each slot gets its own share of the context. A unified one would be smaller, but when
    # concurrent requests fill it together, the engine fails all of them in the middle.
    params.kv_unified = False
    params.n_ctx = config["n_ctx"] * config["n_parallel"]
    params.cache_ram_mib = 0  # else up to 8 GB of old prompts are kept
    params.cache_idle_slots = False  # which would need that
    params.n_predict = config["output_tokens_max"]
    params.cpuparams.n_threads = config["n_threads"]
    params.cpuparams_batch.n_threads = config["n_threads"]
    if (temperature := config["sampling"].get("temperature")) is not None:
        params.sampling.temp = temperature
    if (top_p := config["sampling"].get("top_p")) is not None:
        params.sampling.top_p = top_p
    return engine.Server(params)


if __name__ == "__main__":
    sys.exit(main())
