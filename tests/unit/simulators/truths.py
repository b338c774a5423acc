"""A truth that keeps its rows in memory, for tests to look at."""

from collections import defaultdict

from machinami_simulators.truth import Truth, _rows


class Remembered(Truth):
    def __init__(self):
        self.rows = defaultdict(list)

    def add(self, table, **columns):
        fields = table.__struct_fields__
        self.rows[table] += [
            table(**dict(zip(fields, row, strict=True)))
            for row in _rows([columns[field] for field in fields])
        ]

    def of(self, table):
        return self.rows[table]
