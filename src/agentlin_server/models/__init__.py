"""Adapters to language models, one module per kind of provider; the port is `domain.model`.

Nothing is imported here, so that a server pays only for the providers it uses.
"""
