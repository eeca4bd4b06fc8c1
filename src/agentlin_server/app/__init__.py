"""The composition root: the only place where settings meet constructors."""
