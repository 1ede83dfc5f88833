"""The entry of the flex template: starts the streaming job from the template's parameters."""

import sys

from pipelines.stream import run
from pipelines.template import command_line

if __name__ == "__main__":
    sys.exit(run(command_line(sys.argv[1:])))
