"""The version of the distribution, one with `pyproject.toml` (a test compares them)."""

__version__ = "0.1.0"
"""The version of this package, and of the server that comes with it."""
