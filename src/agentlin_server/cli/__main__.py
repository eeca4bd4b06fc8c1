"""`python -m agentlin_server.cli` is `agentlin`."""

import sys

from agentlin_server.cli import main

sys.exit(main())
