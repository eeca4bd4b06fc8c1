"""CPU of `import agentlin_client`, as a ratio to the published client's, in one run.

    python -m benchmarks.import_time            needs a package index, for the published client
    python -m benchmarks.import_time --help

The published client goes into a virtual environment of its own, in a temporary folder. Both are
imported by that environment's interpreter, ours from `src`; a start of the bare interpreter is
measured beside them and subtracted. Exit code: 0 in time, 1 too slow, 2 something failed.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median

if not __package__:  # run as a file: `python benchmarks/import_time.py`
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

from benchmarks.machine import cpu_model
from benchmarks.processes import ROOT, BenchmarkError, environment, run_to_end

PUBLISHED = "agentlin-client==1.14.0"
RATIO_MAX = 0.10
INSTALL_TIMEOUT_S = 300.0

IN_TIME, TOO_SLOW, FAILED = 0, 1, 2

IMPORT = "import agentlin_client"
WHERE = f"{IMPORT}; print(agentlin_client.__file__)"
CPU_S = "import time; print(time.process_time())"
"""Prints the CPU seconds, user and system, since the process began."""


def output_of(python: Path, program: str, env: Mapping[str, str]) -> str:
    """Return what a program prints.

    Raises:
        BenchmarkError: it failed; its words are the message.
    """
    argv = [str(python), "-c", program]
    process = subprocess.run(argv, env=env, capture_output=True, text=True, check=False)
    if process.returncode:
        raise BenchmarkError(process.stderr.strip())
    return process.stdout.strip()


def install(folder: Path) -> Path:
    """Return the interpreter of a new environment in `folder` that has the published client.

    Raises:
        BenchmarkError: pip failed; its words are the message.
    """
    scripts = folder / ("Scripts" if os.name == "nt" else "bin")
    python = scripts / "python"
    create = [sys.executable, "-m", "venv", str(folder)]
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    for argv in (create, [*pip, PUBLISHED]):  # with our whole environment: pip may need a proxy
        run_to_end(argv, core=None, timeout_s=INSTALL_TIMEOUT_S, env=os.environ)
    return python


def measure(python: Path, *, rounds: int) -> dict[str, float]:
    """Return the median CPU seconds of a bare start, of importing ours, of the published one.

    Raises:
        BenchmarkError: an import failed, or found another package than it should.
    """
    plain = {name: value for name, value in environment({}).items() if name != "PYTHONPATH"}
    ours = plain | {"PYTHONPATH": str(ROOT / "src")}
    cases = {"bare": ("pass", plain), "ours": (IMPORT, ours), "published": (IMPORT, plain)}
    for name, env in (("ours", ours), ("published", plain)):  # writes the byte code, too
        found = output_of(python, WHERE, env)
        if Path(found).is_relative_to(ROOT / "src") != (name == "ours"):
            raise BenchmarkError(f"{name} was to be imported, but {found} was")
    seen: dict[str, list[float]] = {name: [] for name in cases}
    for _ in range(rounds):
        for name, (program, env) in cases.items():
            seen[name].append(float(output_of(python, f"{program}; {CPU_S}", env)))
    return {name: median(figures) for name, figures in seen.items()}


def parse_arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.import_time", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--rounds", type=int, default=25, help="runs of each, alternated (25)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures as JSON")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    options = parse_arguments(argv)
    try:
        with tempfile.TemporaryDirectory(prefix="agentlin-benchmark-") as folder:
            seen = measure(install(Path(folder)), rounds=options.rounds)
    except BenchmarkError as error:
        print(f"error: {error}", file=sys.stderr)
        return FAILED
    ours_s, published_s = seen["ours"] - seen["bare"], seen["published"] - seen["bare"]
    ratio = ours_s / published_s
    verdict = "ok" if ratio <= RATIO_MAX else f"short by {ratio / RATIO_MAX - 1:.0%}"
    print(f"bare interpreter       {seen['bare'] * 1e3:8.1f} ms CPU")
    print(f"import agentlin_client {ours_s * 1e3:8.1f} ms more: ours")
    print(f"import agentlin_client {published_s * 1e3:8.1f} ms more: {PUBLISHED}")
    print(f"ratio {ratio:.3f}, target <= {RATIO_MAX}: {verdict}")
    about = f"{cpu_model()}, Python {sys.version.split()[0]}, {options.rounds} rounds"
    print(about)
    if options.json:
        figures = {"cpu_s": seen, "ratio": ratio, "target": RATIO_MAX, "verdict": verdict}
        options.json.write_text(json.dumps(figures | {"about": about}, indent=2) + "\n")
    return IN_TIME if ratio <= RATIO_MAX else TOO_SLOW


if __name__ == "__main__":
    sys.exit(main())
