"""OpenStack's Swift with its S3 interface as one process, run by the python that has it.

Usage: swift_server.py FOLDER PORT ACCESS_KEY SECRET_KEY. It says `ready` when it listens, and ends with its input.
"""

import sys
import threading
from pathlib import Path

import eventlet

eventlet.patcher.monkey_patch(thread=False)

import eventlet.wsgi  # noqa: E402
from swift.common import utils  # noqa: E402
from swift.common.ring import RingBuilder  # noqa: E402
from swift.common.storage_policy import reload_storage_policies  # noqa: E402
from swift.common.wsgi import loadapp  # noqa: E402

SWIFT = """
[swift-hash]
swift_hash_path_suffix = test
swift_hash_path_prefix = test
[storage-policy:0]
name = test
default = yes
"""
BACKEND = """
[DEFAULT]
swift_dir = {folder}
devices = {folder}/devices
mount_check = false
[pipeline:main]
pipeline = {kind}-server
[app:{kind}-server]
use = egg:swift#{kind}
"""
PROXY = """
[DEFAULT]
swift_dir = {folder}
[pipeline:main]
pipeline = catch_errors gatekeeper healthcheck listing_formats bulk s3api tempauth copy slo dlo proxy-server
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
[filter:s3api]
use = egg:swift#s3api
[filter:tempauth]
use = egg:swift#tempauth
user_{account}_{user} = {secret} .admin
"""
FILTERS = ("catch_errors", "gatekeeper", "healthcheck", "listing_formats", "bulk", "copy", "slo", "dlo")
KINDS = ("account", "container", "object")


def ring(folder: Path, kind: str, port: int) -> None:
    builder = RingBuilder(2, 1, 0)
    place = {"id": 0, "region": 1, "zone": 1, "weight": 1, "device": "one", "ip": "127.0.0.1", "port": port}
    builder.add_dev({**place, "replication_ip": "127.0.0.1", "replication_port": port, "meta": ""})
    builder.rebalance()
    builder.get_ring().save(str(folder / f"{kind}.ring.gz"))


def main(folder: Path, port: int, access: str, secret: str) -> None:
    (folder / "devices" / "one").mkdir(parents=True)
    (folder / "swift.conf").write_text(SWIFT)
    utils.set_swift_dir(str(folder))
    reload_storage_policies()
    listening = {kind: eventlet.listen(("127.0.0.1", 0)) for kind in KINDS}
    for kind, socket in listening.items():
        ring(folder, kind, socket.getsockname()[1])
    account, user = access.split(":")
    proxy = PROXY.format(folder=folder, account=account, user=user, secret=secret)
    proxy += "".join(f"[filter:{name}]\nuse = egg:swift#{name}\n" for name in FILTERS)
    configurations = {kind: BACKEND.format(folder=folder, kind=kind) for kind in KINDS} | {"proxy": proxy}
    listening["proxy"] = eventlet.listen(("127.0.0.1", port))
    for kind, text in configurations.items():
        path = folder / f"{kind}.conf"
        path.write_text(text)
        app = loadapp(str(path), global_conf={"log_name": kind})
        eventlet.spawn(eventlet.wsgi.server, listening[kind], app, log_output=False)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    ended = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
    while not ended.is_set():
        eventlet.sleep(0.05)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4])
