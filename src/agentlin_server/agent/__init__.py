"""What an agent does: its frozen spec, its context, what comes next, how a reply becomes events."""
