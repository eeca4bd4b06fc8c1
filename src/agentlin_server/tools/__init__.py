"""What runs on the server when a model calls it: a module per kind of tool, and their registry."""
