"""Load on examples/daemon: clients that put, get, get parts of, and delete blobs at once, while the
daemon is killed again and again and its shards are deleted and damaged. Run by
test_embedding_daemon.py:

    python daemon_load.py DAEMON FOLDER SECONDS SEED KILLS

Each blob belongs to one client, which therefore knows what every answer must be. After an answer
was lost to a kill, either the old or the new state is right, and the next answer settles which.
Damage hits at most two shards of a blob, and then everything is scrubbed before more is done.
Exits 1 at the first wrong byte, lost blob or unexpected status.
"""

import http.client
import json
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

CLIENTS = 4
BLOBS = 4  # of each client
SHARDS = 6
LOST_MAX = 2
SIZES = (0, 1, 3, 65536 * 4, 65536 * 4 + 1)
STARTED_WITHIN = 60


class Wrong(AssertionError):
    """The daemon answered what it must not."""


class Daemon:
    def __init__(self, program, folders):
        self.folders = folders
        self.program = program
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.errors = []
        self.process = None

    def start(self):
        self.process = subprocess.Popen([self.program, str(self.port), *map(str, self.folders)],
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        if "listening" not in self.process.stdout.readline():
            raise Wrong(f"did not start: {self.process.communicate(timeout=STARTED_WITHIN)[1]}")

    def stop(self, how):
        self.process.send_signal(how)
        errors = self.process.communicate(timeout=STARTED_WITHIN)[1]
        if how == signal.SIGTERM and (self.process.returncode != 0 or errors):
            raise Wrong(f"exit {self.process.returncode}: {errors}")
        if "Sanitizer" in errors or "ERROR" in errors:
            raise Wrong(errors)

    def request(self, method, path, body=None, headers=()):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, path, body=body, headers=dict(headers))
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()


class Client(threading.Thread):
    def __init__(self, daemon, number, seed, pause):
        super().__init__()
        self.daemon_process = daemon
        self.number = number
        self.choose = random.Random(f"{seed}-{number}")
        self.pause = pause  # held while shards are damaged, so that the damage is bounded
        self.states = {f"blob-{number}-{i}": {None} for i in range(BLOBS)}  # what may be there
        self.is_running = True
        self.done = {"PUT": 0, "GET": 0, "RANGE": 0, "DELETE": 0, "lost answers": 0}
        self.failure = None

    def run(self):
        try:
            while self.is_running:
                with self.pause[self.number]:
                    self.step()
        except Exception as error:  # told by the main thread, which ends everything
            self.failure = error

    def step(self):
        name = self.choose.choice(list(self.states))
        kind = self.choose.choices(("PUT", "GET", "RANGE", "DELETE"), (3, 4, 4, 1))[0]
        try:
            getattr(self, kind.lower())(name)
            self.done[kind] += 1
        except (OSError, http.client.HTTPException):
            self.done["lost answers"] += 1
            time.sleep(0.02)

    def put(self, name):
        size = self.choose.choice((*SIZES, self.choose.randrange(700_000)))
        data = self.choose.randbytes(size)
        before = self.states[name]
        self.states[name] = {*before, data}
        status, _ = self.daemon_process.request("PUT", f"/{name}", data)
        if status != 201:
            raise Wrong(f"PUT {name}: {status}")
        self.states[name] = {data}

    def delete(self, name):
        before = self.states[name]
        self.states[name] = {*before, None}
        status, _ = self.daemon_process.request("DELETE", f"/{name}")
        if status not in (204, 404) or (status == 404 and None not in before):
            raise Wrong(f"DELETE {name}: {status}")
        self.states[name] = {None}

    def get(self, name):
        status, body = self.daemon_process.request("GET", f"/{name}")
        found = body if status == 200 else None
        # A first version that was never acknowledged may be there in part: nothing, said aloud.
        if status not in (200, 404) or found not in self.states[name]:
            raise Wrong(f"GET {name}: {status}, {len(body)} bytes; one of "
                        f"{[None if s is None else len(s) for s in self.states[name]]} was right")
        self.states[name] = {found}

    def range(self, name):
        begin = self.choose.randrange(700_000)
        end = begin + self.choose.randrange(1, 300_000)
        status, body = self.daemon_process.request(
            "GET", f"/{name}", headers={"Range": f"bytes={begin}-{end - 1}"})
        right = {(404, None) if state is None else
                 (416, None) if begin >= len(state) else (206, state[begin:end])
                 for state in self.states[name]}
        if (status, body if status == 206 else None) not in right:
            raise Wrong(f"GET {name} {begin}-{end}: {status}, {len(body)} bytes")


def damage(folders, choose, names):
    """Deletes, cuts or flips a bit in the shards of up to two folders of each blob."""
    hits = 0
    for name in names:
        for folder in choose.sample(folders, choose.randint(0, LOST_MAX)):
            for path in sorted(folder.glob(f"{name}.*.reed")):
                hits += 1
                kind = choose.choice(("delete", "cut", "flip"))
                data = bytearray(path.read_bytes())
                if kind == "delete":
                    path.unlink()
                elif kind == "cut":
                    path.write_bytes(data[:choose.randrange(len(data))])
                else:
                    data[choose.randrange(len(data))] ^= 1 << choose.randrange(8)
                    path.write_bytes(data)
    return hits


def check_failures(clients):
    for client in clients:
        if client.failure is not None:
            raise client.failure


def main(program, folder, seconds, seed, kills):
    choose = random.Random(seed)
    folders = [Path(folder) / f"disk{i}" for i in range(SHARDS)]
    for path in folders:
        path.mkdir(parents=True)
    daemon = Daemon(program, folders)
    daemon.start()
    pause = [threading.Lock() for _ in range(CLIENTS)]
    clients = [Client(daemon, i, seed, pause) for i in range(CLIENTS)]
    for client in clients:
        client.start()
    hits = repaired = 0
    try:
        for turn in range(kills):
            time.sleep(seconds / kills)
            check_failures(clients)
            if turn % 2 == 0:  # in the midst of requests
                daemon.stop(signal.SIGKILL)
                daemon.start()
                continue
            # Between requests: damage everything, let the clients read it, then scrub.
            for lock in pause:
                lock.acquire()
            hits += damage(folders, choose, [name for client in clients for name in client.states])
            for client in clients:
                for name in client.states:
                    client.get(name)
                    client.range(name)
            for is_first in (True, False):
                status, body = daemon.request("POST", "/scrub")
                counts = json.loads(body)
                if status != 200 or counts["beyond_repair"] or (counts["repaired"] > 0
                                                                and not is_first):
                    raise Wrong(f"scrub: {status} {counts}")
                repaired += counts["repaired"]
            for lock in pause:
                lock.release()
        time.sleep(0.2)
    finally:
        for client in clients:
            client.is_running = False
        for client in clients:
            client.join(60)
    check_failures(clients)
    for client in clients:
        for name in client.states:
            client.get(name)
    daemon.stop(signal.SIGTERM)
    totals = {kind: sum(client.done[kind] for client in clients) for kind in clients[0].done}
    print(json.dumps({**totals, "kills": (kills + 1) // 2, "damaged": hits, "repaired": repaired}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], float(sys.argv[3]), int(sys.argv[4]), int(sys.argv[5]))
