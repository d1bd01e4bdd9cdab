"""Inside namespaces of its own: a read-only root without network, and what its server answers.

``python in_image.py ROOT MODEL REQUESTS``, started by ``unshare --net --mount``: every file of the
last folder is a request. All mounts and the network end with this process; what it measured is one
line of JSON.
"""

import http.client
import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

USER = "12345:12345"
PORT = 8080


def mounted(root, model):
    """The root read-only, the model where the platform puts it, a fresh /tmp."""
    for name in ("opt/ml/model", "tmp", "dev", "proc"):
        (root / name).mkdir(parents=True, exist_ok=True)
    for command in (
        ["mount", "--make-rprivate", "/"],
        ["mount", "--bind", root, root],
        ["mount", "--bind", model, root / "opt/ml/model"],
        ["mount", "-t", "tmpfs", "tmpfs", root / "tmp"],
        ["mount", "--rbind", "/dev", root / "dev"],
        ["mount", "--rbind", "/proc", root / "proc"],
        ["mount", "-o", "remount,bind,ro", root],
        ["mount", "-o", "remount,bind,ro", root / "opt/ml/model"],
        ["ip", "link", "set", "lo", "up"],
    ):
        subprocess.run([str(word) for word in command], check=True, timeout=30)


def environment(root):
    """What the image's own ENV lines say."""
    return json.loads((root.parent / "environment.json").read_text())


def call(method, path, body=None):
    connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=60)
    try:
        connection.request(method, path, body, {"content-type": "application/json"})
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def measured(root, requests):
    began = time.monotonic()
    command = [str(shutil.which("chroot")), f"--userspec={USER}", str(root)]
    with (root.parent / "log").open("wb") as log:
        server = subprocess.Popen(
            [*command, "python", "-m", "bqx.serving", "serve"],
            env=environment(root),
            stdout=log,
            stderr=log,
        )
    try:
        while True:
            assert server.poll() is None, (root.parent / "log").read_text()
            assert time.monotonic() - began < 120
            try:
                if call("GET", "/ping")[0] == 200:
                    break
            except OSError:
                time.sleep(0.02)
        healthy = time.monotonic() - began
        answers, first = [], None
        for request in sorted(requests.iterdir()):
            answers.append(call("POST", "/invocations", request.read_bytes()))
            first = first or time.monotonic() - began
        every = time.monotonic() - began
        memory = [
            int(line.split()[1]) >> 10
            for line in Path(f"/proc/{server.pid}/status").read_text().splitlines()
            if line.startswith("VmRSS")
        ]
        return {
            "healthy": round(healthy, 2),
            "first": round(first, 2),
            "every": round(every, 2),
            "memory_mb": memory[0],
            "answers": [{"status": status, "body": json.loads(body)} for status, body in answers],
            "compiled": sorted(path.name for path in (root / "tmp").rglob("*.nbi")),
        }
    finally:
        server.kill()
        server.wait()


if __name__ == "__main__":
    root, model, requests = map(Path, sys.argv[1:])
    mounted(root, model)
    print(json.dumps(measured(root, requests)))
