"""Durable execution: submit, claim, run, control, recover; and how readers follow a task."""
