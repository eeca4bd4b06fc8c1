"""Every public name of the SDK has a type that all type checkers agree on."""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

import pytest

import agentlin_client

pytestmark = pytest.mark.slow


def verified(folder: Path) -> dict[str, Any]:
    """Return pyright's report on the package in a folder, as an installed one would be seen."""
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pyright"),
            *("--verifytypes", "agentlin_client", "--ignoreexternal", "--outputjson"),
        ],
        cwd=folder,
        # An editable install is found through a path file, which this mode does not follow.
        env={**os.environ, "PYTHONPATH": f"{folder}{os.pathsep}{sysconfig.get_path('purelib')}"},
        capture_output=True,
        text=True,
        check=False,  # it exits with 1 if there is anything to report
        timeout=110,
    )
    return json.loads(done.stdout)["typeCompleteness"]


def test_all_public_names_have_known_types(tmp_path: Path) -> None:
    shutil.copytree(Path(agentlin_client.__file__).parent, tmp_path / "agentlin_client")
    report = verified(tmp_path)
    unknown = [symbol for symbol in report["symbols"] if not symbol["isTypeKnown"]]
    messages = [d["message"] for symbol in unknown for d in symbol["diagnostics"]]
    assert report["exportedSymbolCounts"]["withKnownType"] > 1000
    assert (report["completenessScore"], messages) == (1, [])
