"""`agentlin run`: one task, its answer as it comes."""

import sys
from typing import Annotated

import typer

from agentlin_server.cli.exits import ExitCode, fail, perform
from agentlin_server.cli.options import DbOption, EventsOption, ServerOption, examples

_Prompt = Annotated[
    str,
    typer.Argument(metavar="PROMPT", help="What the agent shall do; - reads standard input."),
]
_Model = Annotated[
    str | None,
    typer.Option(
        "--model",
        "-m",
        metavar="MODEL",
        help="Model as provider/model; else the server's default one.",
    ),
]
_DeveloperPrompt = Annotated[
    str | None,
    typer.Option(
        "--developer-prompt", "--system", metavar="TEXT", help="Instructions for the agent."
    ),
]
_MaxTokens = Annotated[
    int | None,
    typer.Option("--max-tokens", metavar="N", min=1, help="Longest answer, in tokens."),
]
_Temperature = Annotated[
    float | None,
    typer.Option("--temperature", metavar="T", min=0.0, help="0 is deterministic, 1 is lively."),
]
_Session = Annotated[
    str | None,
    typer.Option(
        "--session", metavar="ID", help="Session to go on with; its tasks are the context."
    ),
]


@examples(
    'agentlin run "Give me three tips for better sleep."',
    'git diff | agentlin run - --system "Write a commit message for this diff."',
    'agentlin run --model ollama/qwen3:4b --json "Why is the sky blue?"',
)
def run(
    prompt: _Prompt,
    *,
    model: _Model = None,
    developer_prompt: _DeveloperPrompt = None,
    max_tokens: _MaxTokens = None,
    temperature: _Temperature = None,
    session: _Session = None,
    server: ServerOption = None,
    db: DbOption = None,
    as_json: EventsOption = False,
) -> None:
    """Run a task and print its answer, token by token.

    The answer goes to standard output; reasoning, progress and the closing line go to standard
    error. Ctrl-C cancels the task; a second Ctrl-C leaves at once. If the task waits for an
    answer, or is paused, the command says how it goes on, and ends with 5.
    """
    if server and db:
        fail(ExitCode.USAGE, "--server and --db exclude each other")
    text = sys.stdin.read() if prompt == "-" else prompt
    if not text.strip():
        fail(ExitCode.USAGE, "the prompt is empty")

    async def action() -> ExitCode:
        from agentlin_server.cli.connect import named_server
        from agentlin_server.cli.resting import address_options
        from agentlin_server.cli.taskrun import Request, TaskRun, load_settings

        request = Request(
            prompt=text, max_tokens=max_tokens, temperature=temperature, session=session
        )
        settings = load_settings(db=db, model=model, developer_prompt=developer_prompt)
        options = address_options(server=server, db=db)
        one = TaskRun(request, settings, options=options, as_json=as_json)
        return await one.go(named_server(server, db=db))

    perform(action)
