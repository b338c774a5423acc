"""Machinami (街並み): the urban OS. Each folder is a room with one purpose, said in its docstring."""

from importlib.metadata import version

__version__ = version("machinami")
