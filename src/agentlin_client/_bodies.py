"""A call made ready to be sent, more than once if need be: files read, body as JSON text."""

from collections.abc import Mapping

from ._build import encoded
from ._call import Call
from ._files import holds_files, with_files


def ready(call: Call) -> Call:
    """Return the call with its body as JSON text."""
    return encoded(call)


async def ready_async(call: Call) -> Call:
    """Return the call with its body as JSON text; files are read in a thread."""
    body = call.body
    if isinstance(body, Mapping) and holds_files(body):
        from anyio import to_thread

        call = call._replace(body=await to_thread.run_sync(with_files, body))
    return encoded(call)
