# Tested by tests/neuroep/test_cli.py.
"""``python -m neuroep`` is the command ``neuroep``."""

import sys

from neuroep.cli import main

if __name__ == "__main__":
    sys.exit(main())
