"""A city that is not there; knows only the wire."""
