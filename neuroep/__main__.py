"""``python -m neuroep`` is the command ``neuroep``; tested by tests/neuroep/test_cli.py."""

import sys

from neuroep.cli import main

if __name__ == "__main__":
    sys.exit(main())
