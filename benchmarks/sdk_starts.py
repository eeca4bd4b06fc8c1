"""What a program pays before its SDK has done anything: import, client, first answer.

Whole processes: user and system time as the operating system counts it, less that of the bare
interpreter, which is started beside them in every round.
"""

import resource
from collections.abc import Mapping
from pathlib import Path
from statistics import median
from typing import Final

from benchmarks.processes import run_to_end

PROGRAM_TIMEOUT_S: Final = 60.0
ENOUGH_S: Final = 0.5
ENOUGH: Final = 25
"""Quick programs are started more often: for so many CPU seconds, at most so often."""
_AGENTLIN: Final = {
    "import": "import agentlin_client",
    "client": "client = agentlin_client.Client(api_key='k', base_url='{url}'); client.tasks",
    "answer": "client.tasks.create(stream=False, user_message_content='Hello').result.output",
}
_OPENAI: Final = {
    "import": "import openai",
    "client": "client = openai.OpenAI(api_key='k', base_url='{url}'); client.responses",
    "answer": "client.responses.create(model='mock', input='Hello').output",
}
STEPS: Final = {"published": _AGENTLIN, "openai": _OPENAI, "ours": _AGENTLIN}
"""By subject: what a program does, step after step. The answer comes over loopback."""


def programs(subject: str, url: str) -> dict[str, str]:
    """Return a program up to each step, by the name of its last one."""
    found: dict[str, str] = {}
    lines: list[str] = []
    for name, line in STEPS[subject].items():
        lines.append(line.format(url=url))
        found[name] = "\n".join(lines)
    return found


def measure(
    subject: str, python: Path, *, url: str, core: int | None, env: Mapping[str, str], repeats: int
) -> dict[str, float]:
    """Return the CPU seconds of each program beyond those of the bare interpreter.

    Args:
        subject: Whose programs.
        python: The interpreter.
        url: Base URL of a server that answers.
        core: The core that the programs run on.
        env: Their whole environment.
        repeats: How often each is started, at least.

    Raises:
        BenchmarkError: A program failed; its words are the message.
    """
    cases = {"bare": "pass", **programs(subject, url)}
    seen: dict[str, list[float]] = {name: [] for name in cases}
    for number in range(max(repeats, ENOUGH)):
        for name, program in cases.items():
            if number < repeats or sum(seen[name]) < ENOUGH_S:
                seen[name].append(_cpu_s([str(python), "-c", program], core=core, env=env))
    spent = {name: median(figures) for name, figures in seen.items()}
    return {name: figure - spent["bare"] for name, figure in spent.items() if name != "bare"}


def _cpu_s(command: list[str], *, core: int | None, env: Mapping[str, str]) -> float:
    """Return the CPU seconds of a process; no other child of ours may end meanwhile."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    run_to_end(command, core=core, timeout_s=PROGRAM_TIMEOUT_S, env=env)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
