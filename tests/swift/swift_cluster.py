"""OpenStack Swift on one machine: its own environment, real servers on loopback, one EC policy.

``install`` makes the environment once, under build/swift; ``Cluster`` lays out folders that stand
for disks, writes the configuration, starts the servers and stops what it started. Every node is
either "stock" (pyeclib as it is) or "reed" (the hook of reed.compat.pyeclib_hook); what each node
really got is checked before the first request. Neither root, memcached, rsync nor loop devices are
needed.
"""

import contextlib
import hashlib
import http.client
import json
import os
import pwd
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import reed

SWIFT, PYECLIB = "swift==2.38.3", "pyeclib==1.8.0"
HASH_PREFIX, HASH_SUFFIX = b"reed", b"swift"
SERVE = Path(__file__).with_name("serve.py")
ROOT = Path(__file__).resolve().parents[2]
START_TIMEOUT_SECONDS = 120


class CannotInstall(Exception):
    """Swift cannot be had on this machine; the message says why."""


def install(folder=None):
    """The Python of an environment with Swift, pyeclib and this reed, hook installed.

    Made once; a second call finds it. :raises CannotInstall: no packages, or no network.
    """
    folder = Path(folder or os.environ.get("REED_SWIFT_ENVIRONMENT") or ROOT / "build/swift/venv")
    python = folder / "bin" / "python"
    ready = folder / "ready"
    wanted = f"{SWIFT} {PYECLIB} {sys.version}\n"
    if not ready.exists() or ready.read_text() != wanted:
        shutil.rmtree(folder, ignore_errors=True)
        for command in (
            [sys.executable, "-m", "venv", str(folder)],
            [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
             SWIFT, PYECLIB, "numpy", "click", "rich"],
        ):
            done = subprocess.run(command, capture_output=True, text=True)
            if done.returncode != 0:
                raise CannotInstall(f"{' '.join(command[:4])} ... failed: "
                                    f"{done.stderr.strip().splitlines()[-1:]}")
        ready.write_text(wanted)
    # This reed, wherever it is; sorted before the hook's own file.
    site = next(folder.glob("lib/python*/site-packages"))
    (site / "a_reed.pth").write_text(f"{Path(reed.__file__).parents[1]}\n")
    subprocess.run([python, "-c", "from reed.compat import pyeclib_hook; pyeclib_hook.install()"],
                   check=True)
    return python


def free_ports(count):
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


class Cluster:
    """One proxy or several, one account, one container and some object servers.

    :param folder: empty or absent; everything lives there.
    :param python: from ``install``.
    :param object_nodes: "reed" or "stock", one object server each; the k + m disks are dealt to
        them in turn. :param proxies: likewise.
    :param segment_size: bytes of ec_object_segment_size; Swift's default is 1 MiB.
    """

    def __init__(self, folder, python, object_nodes=("reed",), proxies=("reed",), data=4, parity=2,
                 segment_size=65536, ec_type="isa_l_rs_cauchy"):
        self.folder, self.python = Path(folder).resolve(), python
        self.data, self.parity, self.ec_type = data, parity, ec_type
        self.segment_size = segment_size
        self.object_nodes, self.proxies = object_nodes, proxies
        self.processes = []
        ports = free_ports(2 + len(object_nodes) + len(proxies))
        self.account_port, self.container_port = ports[:2]
        self.object_ports = ports[2:2 + len(object_nodes)]
        self.proxy_ports = ports[2 + len(object_nodes):]

    # -- laying out --

    @property
    def swift_conf(self):
        return self.folder / "swift.conf"

    def disk(self, number):
        return self.folder / "disks" / f"d{number}"

    def _write(self, name, text):
        path = self.folder / name
        path.write_text(text)
        return path

    def _lay_out(self):
        for number in range(self.data + self.parity):
            self.disk(number).mkdir(parents=True)
        for name in ("meta", "cache"):
            (self.folder / name / "m").mkdir(parents=True)
        self._write("swift.conf", f"""\
[swift-hash]
swift_hash_path_prefix = {HASH_PREFIX.decode()}
swift_hash_path_suffix = {HASH_SUFFIX.decode()}
[storage-policy:0]
name = ec
default = yes
policy_type = erasure_coding
ec_type = {self.ec_type}
ec_num_data_fragments = {self.data}
ec_num_parity_fragments = {self.parity}
ec_object_segment_size = {self.segment_size}
""")
        user = pwd.getpwuid(os.geteuid()).pw_name  # daemons change to it, and want it named
        common = (f"user = {user}\nswift_dir = {self.folder}\nbind_ip = 127.0.0.1\n"
                  "mount_check = false\ndisable_fallocate = true\nworkers = 0\nlog_level = INFO\n"
                  f"recon_cache_path = {self.folder / 'cache'}\n")
        for kind, port in (("account", self.account_port), ("container", self.container_port)):
            self._write(f"{kind}.conf", f"[DEFAULT]\n{common}devices = {self.folder / 'meta'}\n"
                        f"bind_port = {port}\n[pipeline:main]\npipeline = {kind}-server\n"
                        f"[app:{kind}-server]\nuse = egg:swift#{kind}\n")
        for number, port in enumerate(self.object_ports):
            self._write(f"object{number}.conf", f"""\
[DEFAULT]
{common}devices = {self.folder / 'disks'}
bind_port = {port}
[pipeline:main]
pipeline = object-server
[app:object-server]
use = egg:swift#object
[object-reconstructor]
reconstructor_workers = 0
interval = 1
[object-auditor]
files_per_second = 10000
bytes_per_second = 1000000000
zero_byte_files_per_second = 0
""")
        for number, port in enumerate(self.proxy_ports):
            self._write(f"proxy{number}.conf", f"""\
[DEFAULT]
{common}bind_port = {port}
[pipeline:main]
pipeline = catch_errors proxy-logging listing_formats proxy-server
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
# A minute of trials holds the errors of years: a disk that gave some is not to be avoided.
error_suppression_limit = 1000000
[filter:catch_errors]
use = egg:swift#catch_errors
[filter:proxy-logging]
use = egg:swift#proxy_logging
[filter:listing_formats]
use = egg:swift#listing_formats
""")
        self._ring("account", [("m", self.account_port)])
        self._ring("container", [("m", self.container_port)])
        self._ring("object", [(f"d{number}", self.object_ports[number % len(self.object_ports)])
                              for number in range(self.data + self.parity)])

    def _ring(self, kind, devices):
        builder = Path(self.python).with_name("swift-ring-builder")

        def run(*arguments):
            subprocess.run([self.python, builder, f"{kind}.builder", *map(str, arguments)],
                           cwd=self.folder, check=True, capture_output=True)

        run("create", 4, len(devices), 0)
        for number, (device, port) in enumerate(devices):
            run("add", f"r1z{number + 1}-127.0.0.1:{port}/{device}", 100)
        run("rebalance", "--seed", 1)

    # -- running --

    def _command(self, kind, conf):
        return [str(self.python), str(SERVE), str(self.swift_conf), kind,
                str(self.folder / conf)]

    def _environment(self, node):
        environment = {name: value for name, value in os.environ.items()
                       if not name.startswith("REED_") and name != "PYTHONPATH"}
        return environment | {"REED_PYECLIB": "0" if node == "stock" else "1"}

    def __enter__(self):
        self._lay_out()
        try:
            # They read the policies too, and refuse a code that they do not know.
            node = "reed" if self.ec_type == "reed_native" else "stock"
            self._start("account-server", "account.conf", node, self.account_port)
            self._start("container-server", "container.conf", node, self.container_port)
            for number, node in enumerate(self.object_nodes):
                self._start("object-server", f"object{number}.conf", node,
                            self.object_ports[number])
            for number, node in enumerate(self.proxies):
                self._start("proxy-server", f"proxy{number}.conf", node, self.proxy_ports[number])
            for waiting in self.processes:
                self._await(*waiting)
            self._request("PUT", "/v1/AUTH_test/c")
        except BaseException:
            self.__exit__()
            raise
        return self

    def _start(self, kind, conf, node, port):
        log = self.folder / f"{conf.removesuffix('.conf')}.log"
        with open(log, "wb") as output:
            process = subprocess.Popen(self._command(kind, conf), stdout=output, stderr=output,
                                       env=self._environment(node), start_new_session=True)
        self.processes.append((process, log, node, port))

    def _await(self, process, log, node, port):
        """Waits until the server listens, and checks that it is what it should be."""
        deadline = time.monotonic() + START_TIMEOUT_SECONDS
        while True:
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{log.name} did not start:\n{log.read_text()[-3000:]}")
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            time.sleep(0.05)
        self._check_node(log.read_text(), node)

    def _check_node(self, log, node):
        line = next(line for line in log.splitlines() if line.startswith("NODE "))
        found = json.loads(line.removeprefix("NODE "))
        assert found["policy_type"] == "erasure_coding", found
        assert (found["ec_type"], found["data"], found["parity"]) == (
            self.ec_type, self.data, self.parity), found
        is_reed = "reed/compat/pyeclib" in found["pyeclib"]
        assert is_reed == (node == "reed"), found

    def __exit__(self, *_):
        for process, *_ in self.processes:
            process.terminate()
        for process, *_ in self.processes:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.processes.clear()

    def daemon(self, kind, node=0):
        """One pass of the auditor or the reconstructor of an object node; returns its log."""
        done = subprocess.run(self._command(kind, f"object{node}.conf"), capture_output=True,
                              text=True, env=self._environment(self.object_nodes[node]),
                              timeout=START_TIMEOUT_SECONDS)
        log = done.stdout + done.stderr
        assert done.returncode == 0, log[-3000:]
        self._check_node(log, self.object_nodes[node])
        return log

    def audit(self):
        return "".join(self.daemon("object-auditor", node)
                       for node in range(len(self.object_nodes)))

    def reconstruct(self):
        return "".join(self.daemon("object-reconstructor", node)
                       for node in range(len(self.object_nodes)))

    # -- using --

    def _request(self, method, path, body=None, headers=None, proxy=0):
        """(status, body); (None, what came) where the answer broke off."""
        connection = http.client.HTTPConnection("127.0.0.1", self.proxy_ports[proxy], timeout=60)
        try:
            connection.request(method, path, body, headers or {})
            response = connection.getresponse()
            return response.status, response.read()
        except http.client.IncompleteRead as error:
            return None, error.partial
        except (http.client.HTTPException, OSError):
            return None, b""
        finally:
            connection.close()

    def put(self, name, data, proxy=0):
        status, _ = self._request("PUT", f"/v1/AUTH_test/c/{name}", data, proxy=proxy)
        assert status == 201, (status, self.logs())

    def get(self, name, proxy=0, byte_range=None):
        """(status, body); the status is None where the answer broke off."""
        headers = {"Range": "bytes={}-{}".format(*byte_range)} if byte_range else {}
        return self._request("GET", f"/v1/AUTH_test/c/{name}", headers=headers, proxy=proxy)

    def delete(self, name, proxy=0):
        return self._request("DELETE", f"/v1/AUTH_test/c/{name}", proxy=proxy)[0]

    def fragments(self, name):
        """{fragment index: path of the fragment archive} of an object."""
        digest = hashlib.md5(HASH_PREFIX + f"/AUTH_test/c/{name}".encode() + HASH_SUFFIX)
        paths = self.folder.glob(f"disks/*/objects/*/*/{digest.hexdigest()}/*.data")
        return {int(path.name.split("#")[1]): path for path in paths}

    def all_fragments(self, name):
        """The same for an object just written: a PUT returns when enough fragments are durable,
        and the others follow."""
        deadline = time.monotonic() + START_TIMEOUT_SECONDS
        while True:
            fragments = self.fragments(name)
            if len(fragments) == self.data + self.parity and all(
                    path.name.endswith("#d.data") for path in fragments.values()):
                return fragments
            assert time.monotonic() < deadline, (sorted(fragments), self.logs())
            time.sleep(0.02)

    def quarantined(self):
        """The folders that object servers have moved aside."""
        return sorted(self.folder.glob("disks/*/quarantined/objects/*"))

    def logs(self):
        return "\n".join(f"{log.name}:\n{log.read_text()[-1500:]}"
                         for _, log, *_ in self.processes)
