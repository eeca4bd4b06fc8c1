"""`agentlin models`: the weights that are on this machine."""

import json
from typing import Annotated

import typer

from agentlin_server.cli.exits import ExitCode, perform
from agentlin_server.cli.options import JsonOption, examples
from agentlin_server.cli.terminal import data_console

models = typer.Typer(no_args_is_help=True, help="Weights of local models on this machine.")


@models.command()
@examples(
    "agentlin models pull",
    "agentlin models pull ~/Downloads/Qwen3-4B-Q4_K_M.gguf",
    "agentlin models pull hf:unsloth/Qwen3-0.6B-GGUF/Qwen3-0.6B-Q4_K_M.gguf",
)
def pull(
    source: Annotated[
        str | None,
        typer.Argument(
            metavar="SOURCE",
            help="Path of a GGUF file, its URL, or hf:OWNER/REPO/FILE; without it SmolLM2.",
            show_default=False,
        ),
    ] = None,
    *,
    as_json: JsonOption = False,
) -> None:
    """Fetch weights into the cache folder and say what the model is called."""

    async def action() -> ExitCode:
        import anyio.to_thread

        from agentlin_server.cli.waiting import Waiting
        from agentlin_server.models.local import pull as fetch
        from agentlin_server.settings import Settings

        folder = Settings.load().models_dir
        with Waiting("looking at the weights") as waiting:

            def tell(done: int, total: int | None, label: str) -> None:
                anyio.from_thread.check_cancelled()  # Ctrl-C ends the fetch, too
                waiting.progress(done, total, label)

            weights = await anyio.to_thread.run_sync(
                lambda: fetch(source, cache_dir=folder, progress=tell)
            )
        name = f"local/{weights.name}"
        if as_json:
            found = {"model": name, "path": str(weights.path), "size_bytes": weights.size_bytes}
            typer.echo(json.dumps(found))
        else:
            typer.echo(name)
            typer.echo(f"use it with: agentlin run --model {name} PROMPT", err=True)
        return ExitCode.OK

    perform(action)


@models.command("list")
def list_models(*, as_json: JsonOption = False) -> None:
    """List the local models in the cache folder; with --json one object per line."""

    async def action() -> ExitCode:
        from agentlin_server.models.local import default_cache_dir, list_local_models
        from agentlin_server.settings import Settings

        folder = Settings.load().models_dir or default_cache_dir()
        console = data_console()
        found = list_local_models(folder)
        for weights in found:
            name = f"local/{weights.name}"
            if as_json:
                row = {"model": name, "path": str(weights.path), "size_bytes": weights.size_bytes}
                typer.echo(json.dumps(row))
            elif console.is_terminal:
                console.out(f"{name:40} {weights.size_bytes / 1e6:8.0f} MB  {weights.path}")
            else:
                typer.echo(f"{name}\t{weights.size_bytes}\t{weights.path}")
        if not found:
            typer.echo(f"no weights in {folder}; get some with: agentlin models pull", err=True)
        return ExitCode.OK

    perform(action)
