"""`python -m tests.sim.flatten --seeds N`: run the campaign and print its table."""

import sys

from tests.sim.flatten.campaign import main

sys.exit(main())
