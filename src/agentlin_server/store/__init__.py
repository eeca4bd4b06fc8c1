"""Journal and rows in a database. `sqlite` is the embedded default."""
