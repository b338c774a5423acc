"""Alembic's scripts: one file a step, each written by hand in SQL."""
