"""The agentlin service: durable agent tasks behind the Tasks API. See ARCHITECTURE.md."""
