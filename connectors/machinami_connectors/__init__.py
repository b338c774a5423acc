"""Connectors that come with Machinami: one folder per kind of device."""
