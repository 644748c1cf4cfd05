"""The command line: ``python -m coursebook COMMAND``; ``--help`` lists the commands.

Each command is a module, named by its place in the package, with ``add_arguments(parser)``
and ``run(arguments)``. The latter returns the exit code; what goes wrong in a way that a
user can mend raises ``CommandError``, whose message is all that is shown.
"""

import argparse
import signal
import sys
from importlib import import_module

from coursebook.command import CommandError

COMMANDS = {
    "printing.pdf": "print the built book into one PDF",
    "links": "check the links that lead out of the book",
}


def main(arguments: list[str] | None = None) -> int:
    """Run a command; returns the exit code."""
    given = sys.argv[1:] if arguments is None else arguments
    parser = argparse.ArgumentParser(prog="coursebook", description="What is made of the book beside its site.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    module = None
    for place, purpose in COMMANDS.items():
        name = place.rpartition(".")[2]
        command = commands.add_parser(name, help=purpose, description=purpose)
        if given[:1] == [name]:  # the others need not be loaded
            module = import_module(f"coursebook.{place}")
            module.add_arguments(command)
    parsed = parser.parse_args(given)
    try:
        return module.run(parsed)
    except CommandError as error:
        print(f"coursebook {parsed.command}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"coursebook {parsed.command}: interrupted", file=sys.stderr)
        return 130


if __name__ == "__main__":
    # Stopped from outside, a command still ends what it has started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    sys.exit(main())
