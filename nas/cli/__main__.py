"""Run the command line as `python -m nas.cli`."""

import sys

from nas.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
