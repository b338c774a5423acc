"""A city that is not there; knows only the wire.

`cli` has the commands. `plan` and `city` describe the city, `scale` how much of it there is, `scenario` what
happens in it; `world` sets `physics` and `devices` in motion; `wire` writes payloads; `simulation` drives the
clock, `sender` publishes and keeps the `ledger`; `truth` is what was really so.
"""
