"""``python -m machinami``: how the supervisor starts the roles."""

from machinami.cli import main

main()
