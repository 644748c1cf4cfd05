"""The command line: ``python -m coursebook COMMAND``; ``--help`` lists the commands.

Each command is a module with ``add_arguments(parser)`` and ``run(arguments)``. The latter
returns the exit code; what goes wrong in a way that a user can mend it raises
``CommandError``, whose message is all that is shown.
"""

import argparse
import sys
from importlib import import_module

from coursebook.command import CommandError

COMMANDS = {
    "pdf": "print the built book into one PDF",
    "links": "check the links that lead out of the book",
}


def main(arguments: list[str] | None = None) -> int:
    """Run a command; returns the exit code."""
    parser = argparse.ArgumentParser(prog="coursebook", description="What makes more of the book than its site.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    modules = {name: import_module(f"coursebook.{name}") for name in COMMANDS}
    for name, purpose in COMMANDS.items():
        modules[name].add_arguments(commands.add_parser(name, help=purpose, description=modules[name].__doc__))
    given = parser.parse_args(arguments)
    try:
        return modules[given.command].run(given)
    except CommandError as error:
        print(f"coursebook {given.command}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"coursebook {given.command}: interrupted", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
