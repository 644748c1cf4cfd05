"""Whether this code runs in a notebook, and in whose."""

import sys


def running_shell():
    """The running IPython shell, or None: a plain script has not even imported IPython.

    Importing it to ask would cost a script half a second.
    """
    ipython = sys.modules.get("IPython")
    return ipython.get_ipython() if ipython else None
