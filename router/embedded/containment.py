"""How the pool's processes are held together, so that ending the pool leaves none of them behind.

In a PID namespace the kernel itself ends every process when the first one ends. Making one needs no rights where
user namespaces are allowed; elsewhere a keeper process collects the orphans. HTCondor started by root would act as
root, and root cannot submit jobs: there a user namespace also makes root look like an ordinary user.
"""

import os
import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from router.embedded import keeper
from router.embedded.programs import call, complaint
from router.errors import RouterError, TemporaryError

AS_NOBODY = ("--user", "--map-user=65534", "--map-group=65534")
AS_MYSELF = ("--user", "--map-current-user")
# "slave": what the machine mounts later, software repositories say, is seen inside too.
PID_NAMESPACE = ("--pid", "--fork", "--kill-child", "--mount-proc", "--propagation", "slave")
KEEPER = (sys.executable, str(Path(keeper.__file__)))


def choose(root: bool, refusal: Callable[[Sequence[str]], str | None]) -> tuple[str, ...]:
    """Return the command to put before condor_master, which is then that command's only child.

    `refusal` tries a command and returns why it fails, or None. Raise RouterError if root has no way.
    """
    unshare = shutil.which("unshare", path=f"{os.environ.get('PATH', os.defpath)}:/usr/bin:/bin") or "unshare"
    identity = (unshare, *(AS_NOBODY if root else AS_MYSELF))
    if refusal((*identity, *PID_NAMESPACE)) is None:
        return (*identity, *PID_NAMESPACE)
    if not root:
        return KEEPER
    if why := refusal(identity):
        raise RouterError(
            "The pool cannot run as root here: HTCondor refuses root's jobs, and this machine does not let root "
            f"look like an ordinary user ({why}). Run the same command as an ordinary user, or allow user "
            "namespaces: sysctl user.max_user_namespaces=10000; in a container, start it with "
            "--security-opt seccomp=unconfined."
        )
    return (*identity, *KEEPER)


def refusal(command: Sequence[str]) -> str | None:
    """Try the command before `true`; return why it fails, or None."""
    try:
        finished = call([*command, "true"], os.environ, 10)
    except OSError as error:
        return f"{command[0]}: {error.strerror}"
    except TemporaryError as error:
        return str(error)
    return None if finished.returncode == 0 else complaint(finished)
