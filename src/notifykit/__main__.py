"""``python -m notifykit``: the command line."""

import sys

from notifykit.cli.entry import main

if __name__ == "__main__":
    sys.exit(main())
