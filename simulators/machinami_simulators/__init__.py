"""A city that is not there; knows only the wire.

`cli` has the two commands. `plan` and `city` describe the city; `world` sets `weather`, `rivers`,
`paddies`, `people` and `bikes` in motion; `wire` writes their payloads; `sender` publishes them and keeps
the `ledger`.
"""
