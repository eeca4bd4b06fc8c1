"""Pure rules of agentlin: ids, states, events, errors and the ports. No I/O, no clock."""
