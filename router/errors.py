"""What can go wrong, in two kinds: a later try may cure it, or a person must act.

Every message is for the person who reads it: what happened, why, what to do.
The exit code is what the command line ends with.
"""


class RouterError(Exception):
    """Something failed; the message says what, why and what to do."""

    exit_code = 1


class TemporaryError(RouterError):
    """A later try may succeed: the pool is down, slow or unreachable."""

    exit_code = 4


class OutcomeUnknown(TemporaryError):
    """A change was asked for and no answer came: it may have been applied or not. Read back before deciding."""


class LeaseLost(TemporaryError):
    """Another daemon of this kind acts now, or may: nothing may be changed before the lease is renewed."""


class PoolUnreachable(TemporaryError):
    """HTCondor does not answer."""


class PermissionRefused(RouterError):
    """HTCondor or the catalogue does not allow this identity to do this."""


class UserError(RouterError):
    """What was asked for cannot be done as written; the message names every fault."""

    exit_code = 2


class NotFound(UserError):
    """The named task, job, dataset or site does not exist."""


class NothingFits(RouterError):
    """No site can run this; the message gives the reason for each."""

    exit_code = 3
