"""What is behind a `FakeServer`'s transport: requests in, answers out, one at a time. No I/O."""

from datetime import datetime

from ._faults import Faults
from ._refusal import RefusalError
from ._requests import RecordedRequest
from ._routes import Routes
from ._scripts import Scripts
from ._shelf import Shelf
from ._wire import Answer, Body, Wait, page_answer


class Backend:
    """The state of a server; safe to use from several threads.

    Attributes:
        shelf: Its tasks, and the lock that guards everything.
        scripts: What new tasks do.
        faults: What is to go wrong.
        requests: What came in.
    """

    def __init__(self, now: datetime, *, numbers_tasks: bool, patience_s: float) -> None:
        self.shelf: Shelf = Shelf(now, numbers_tasks=numbers_tasks)
        self.scripts: Scripts = Scripts()
        self.faults: Faults = Faults()
        self.requests: list[RecordedRequest] = []
        self._routes = Routes(self.shelf, self.scripts, self.faults, patience_s=patience_s)

    def handle(self, request: RecordedRequest) -> Answer:
        """Answer a request.

        Raises:
            TransportError: The answer is not to arrive.
            ScriptError: The test has made a mistake.
        """
        with self.shelf.lock:
            self.requests.append(request)
            fault = self.faults.of(request)
            if fault is None:
                return self._routes.answer(request)
            if fault.before is not None:
                try:
                    fault.before()
                except RefusalError as refusal:
                    return self._routes.refused(request, refusal)
            if fault.page is not None:
                return page_answer(fault.page)
            answer = self._routes.answer(request)
            if fault.after is not None:
                fault.after(request)
            return answer

    def step(self, body: Body, *, has_changed: bool | None) -> bytes | Wait:
        """Go on with the body of an answer.

        Args:
            body: The body.
            has_changed: How the wait that it asked for ended; None if it asked for none.

        Raises:
            StopIteration: It is whole.
            StopStreamError: It ends before.
            TransportError: It breaks.
            ScriptError: The test has made a mistake.
        """
        with self.shelf.lock:
            return next(body) if has_changed is None else body.send(has_changed)

    def close(self, body: Body) -> None:
        """Forget the rest of a body; whoever waits for it finds its end."""
        with self.shelf.lock:
            body.close()
            self.shelf.changed()

    def wait(self, wait: Wait) -> bool:
        """Wait for a change, in real time; True if there was one."""
        return self.shelf.wait_change(wait.seen, wait.timeout_s)

    def wake(self) -> None:
        """End all waits."""
        self.shelf.changed()
