"""``python -m tests.golden DIR [DIR…]`` compares our code with expected numbers; exits 1 beyond a limit, 2 without a golden."""

import sys

from tests.golden.command import main

sys.exit(main(sys.argv[1:]))
