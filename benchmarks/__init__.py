"""Measurements of the server against a bare relay; see README.md in this folder."""
