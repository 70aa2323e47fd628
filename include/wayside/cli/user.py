"""Who is at the command line, for rows that tell who did what."""

import getpass


def user_name() -> str:
    """Return the name of the user, or `command line` where there is none."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container may run as a user without a name
        return "command line"
