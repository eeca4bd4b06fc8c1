"""HTTP: routes, envelope, error table, SSE writer. Wire to domain once, and back."""
