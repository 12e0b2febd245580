"""Runs one server or daemon of OpenStack Swift, as its own commands do, with a swift.conf of ours.

    python serve.py SWIFT_CONF KIND CONF

Swift reads the storage policies from the default swift.conf while it is imported, whatever the
configuration says, and silently falls back to replication: so the path is set before anything else,
and what came of it is printed as a line of JSON for ``swift_cluster.py`` to
check.
"""

import json
import sys

from swift.common import utils

swift_conf, kind, conf = sys.argv[1:]
utils.SWIFT_CONF_FILE = swift_conf

import pyeclib.ec_iface  # noqa: E402
from swift.common.storage_policy import POLICIES  # noqa: E402

print("NODE " + json.dumps({
    "policy_type": POLICIES[0].policy_type,
    "ec_type": getattr(POLICIES[0], "ec_type", None),
    "data": getattr(POLICIES[0], "ec_ndata", None),
    "parity": getattr(POLICIES[0], "ec_nparity", None),
    "pyeclib": pyeclib.ec_iface.__file__,
}), flush=True)

if kind.endswith("-server"):
    from swift.common.wsgi import run_wsgi

    extra = {}
    if kind == "object-server":
        from swift.obj.server import global_conf_callback

        extra["global_conf_callback"] = global_conf_callback
    sys.exit(run_wsgi(conf, kind, verbose=True, **extra))

from swift.common.daemon import run_daemon  # noqa: E402

if kind == "object-auditor":
    from swift.obj.auditor import ObjectAuditor as Daemon
else:
    from swift.obj.reconstructor import ObjectReconstructor as Daemon
run_daemon(Daemon, conf, once=True, verbose=True)
