"""``python -m machinami``: how the supervisor starts the roles."""

import sys

from machinami.cli import main

sys.exit(main())
