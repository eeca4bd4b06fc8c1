"""The rows that a task's model calls leave behind: items and rollouts."""

from collections.abc import Sequence

from agentlin_server.agent.reply import DoneItem, Reply
from agentlin_server.domain.events import Json, encode_json
from agentlin_server.domain.model import ModelRequest
from agentlin_server.domain.ports import Redact
from agentlin_server.domain.records import ItemRow, RolloutRow


class Recorder:
    """Numbers a task's items and rollouts, and makes their rows."""

    def __init__(self, redact: Redact) -> None:
        """Begin a task."""
        self._redact = redact
        self._ord_of: dict[str, int] = {}
        self._rollouts = 0
        self._known_refs: list[str] = []

    def resume(self, *, item_ids: Sequence[str], rollouts: Sequence[RolloutRow]) -> None:
        """Go on with a task that has items, in the output's order, and rollouts already."""
        self._ord_of = {item_id: n for n, item_id in enumerate(item_ids)}
        self._rollouts = len(rollouts)
        refs: dict[int, list[str]] = {}
        for one in rollouts:
            parent = [] if one.parent_n is None else refs[one.parent_n]
            self._known_refs = refs[one.n] = [*parent, *one.appended]

    def items(
        self, done: Sequence[DoneItem], *, step: int, added: Sequence[str] = ()
    ) -> list[ItemRow]:
        """Return the rows of items that ended; `added` are their ids in the output's order."""
        for item_id in added:
            self._ord_of.setdefault(item_id, len(self._ord_of))
        return [self._item(one, step) for one in done]

    def _item(self, one: DoneItem, step: int) -> ItemRow:
        place = self._ord_of.setdefault(one.item["id"], len(self._ord_of))
        return item_row(place, step, one.item, provider_state=one.provider_state)

    def rollout(
        self,
        *,
        refs: list[str],
        request: ModelRequest,
        reply: Reply,
        model: str,
        usage: Json | None,
        latency_ms: int,
        step: int,
        attempt: int,
    ) -> RolloutRow:
        """Return the record of one model call; secrets are redacted."""
        known = self._known_refs
        extends = self._rollouts > 0 and refs[: len(known)] == known
        n, self._rollouts, self._known_refs = self._rollouts, self._rollouts + 1, refs
        return RolloutRow(
            n=n,
            parent_n=n - 1 if extends else None,
            appended=refs[len(known) :] if extends else refs,
            output=[done.item["id"] for done in reply.done],
            purpose="answer",
            step=step,
            attempt=attempt,
            model=model,
            sampling=encode_json(self._redact(dict(request.sampling))),
            tools=None,  # always those of the frozen agent
            finish_reason=reply.finish_reason,
            usage=None if usage is None else encode_json(usage),
            latency_ms=latency_ms,
        )


def item_row(place: int, step: int, item: Json, *, provider_state: Json | None = None) -> ItemRow:
    """Return the row of an item that ended, at its place in the output."""
    return ItemRow(
        ord=place,
        id=item["id"],
        step=step,
        attempt=item.get("attempt", 1),
        type=item["type"],
        status=item["status"],
        call_id=item.get("call_id"),
        supersedes=item.get("supersedes"),
        provider_state=encode_json(provider_state) if provider_state else None,
    )
