"""What the API itself does not have: helpers over tasks, streams and items.

Most are reached as methods of `client.tasks`; here are their classes, and the functions for
tasks that came by other ways. Each name is loaded when it is first used (PEP 562).
"""

# Type checkers take the name for true; importing `typing` for it would be the only cost here.
TYPE_CHECKING = False

if TYPE_CHECKING:
    from .accumulator import TaskAccumulator
    from .async_task_stream import AsyncTaskStream
    from .calls import Answer, Approve, Reject, ToolCallDecision
    from .functions import FunctionTool
    from .outcome import raise_for_status
    from .structured import OutputType
    from .task_run import TaskRun
    from .task_stream import TaskStream
    from .text import answer_items, final_refusal, final_text, superseded_ids
    from .tools import ToolContext, ToolOptions, tool

_MODULE_OF = {
    "Answer": "calls",
    "Approve": "calls",
    "AsyncTaskStream": "async_task_stream",
    "FunctionTool": "functions",
    "OutputType": "structured",
    "Reject": "calls",
    "TaskAccumulator": "accumulator",
    "TaskRun": "task_run",
    "TaskStream": "task_stream",
    "ToolCallDecision": "calls",
    "ToolContext": "tools",
    "ToolOptions": "tools",
    "answer_items": "text",
    "final_refusal": "text",
    "final_text": "text",
    "raise_for_status": "outcome",
    "superseded_ids": "text",
    "tool": "tools",
}

__all__ = [
    "Answer",
    "Approve",
    "AsyncTaskStream",
    "FunctionTool",
    "OutputType",
    "Reject",
    "TaskAccumulator",
    "TaskRun",
    "TaskStream",
    "ToolCallDecision",
    "ToolContext",
    "ToolOptions",
    "answer_items",
    "final_refusal",
    "final_text",
    "raise_for_status",
    "superseded_ids",
    "tool",
]


def __getattr__(name: str) -> object:
    from importlib import import_module

    if (module := _MODULE_OF.get(name)) is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{module}", __name__), name)
    globals()[name] = value  # found without this function from now on
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
