"""The plans that the state machine draws for its tasks."""

from hypothesis import strategies as st

from tests.faults.actions import ASK
from tests.faults.checker import IDEMPOTENT, READ, UNSAFE
from tests.faults.screenplay import Call, PlanStep

_calls = st.sampled_from(
    (
        (Call(UNSAFE, {"text": "r", "delay_s": 0.05}),),
        (Call(UNSAFE, {"text": "r"}), Call(IDEMPOTENT, {"text": "s", "delay_s": 0.05})),
        (Call(IDEMPOTENT, {"text": "s", "delay_s": 0.1}), Call(READ)),
        (Call(f"{ASK}_a"),),
        (Call(f"{ASK}_a"), Call(f"{ASK}_b"), Call(UNSAFE, {"text": "r"})),
        (Call("no_such_tool"),),
    )
)
_steps = st.builds(
    PlanStep,
    thoughts=st.sampled_from((0, 3)),
    words=st.integers(1, 12),
    delay_s=st.sampled_from((0.0, 0.002, 0.02)),
    calls=_calls,
    breaks=st.sampled_from((0, 0, 0, 0, 1, 1, 3)),
)
_last_steps = st.builds(PlanStep, words=st.integers(1, 30), delay_s=st.sampled_from((0.0, 0.01)))
plans = st.tuples(st.lists(_steps, max_size=2), _last_steps).map(lambda both: (*both[0], both[1]))
"""The steps of a plan: some that call tools, and a last one that only speaks."""
