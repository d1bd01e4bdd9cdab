"""The Dockerfile: its steps' files and rules, and with the marker ``image`` what it builds."""

import fnmatch
import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from bqx.cloud.account import REPOSITORIES
from bqx.serving import __main__ as dispatcher

ROOT = Path(__file__).parents[1]
HERE = ROOT / "containers"
TARGETS = ("training", "processing", "inference", "lambda")


def instructions():
    """Instructions of the Dockerfile, each with its arguments."""
    text = re.sub(r"\\\n", " ", (HERE / "Dockerfile").read_text())
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return [tuple(line.split(None, 1)) for line in lines]


def of(name):
    return [arguments for own, arguments in instructions() if own == name]


def test_what_is_copied_is_there_and_not_ignored():
    ignored = (HERE / "Dockerfile.dockerignore").read_text().splitlines()
    kept = [line[1:] for line in ignored if line.startswith("!")]
    for arguments in of("COPY"):
        for source in arguments.split()[:-1]:
            assert (ROOT / source).exists(), source
            assert any(fnmatch.fnmatch(source.split("/")[0], name) for name in kept) or (
                source in kept
            )


def test_there_is_a_target_for_each_role_with_its_verb():
    names = [arguments.split(" AS ")[-1] for arguments in of("FROM")]
    assert set(TARGETS) <= set(names)
    verbs = [json.loads(arguments)[0] for arguments in of("CMD")]
    assert verbs == ["train", "process", "serve", "lambda"]
    assert set(verbs) == set(dispatcher.VERBS)


def test_the_entry_point_is_what_the_platform_can_start():
    (entry,) = of("ENTRYPOINT")
    # The exec form: a shell would not hand the signal on.
    assert json.loads(entry) == ["python", "-m", "bqx.serving"]
    assert "tini" not in (HERE / "Dockerfile").read_text()
    (label,) = of("LABEL")
    assert "com.amazonaws.sagemaker.capabilities.multi-models=true" in label
    assert "com.amazonaws.sagemaker.capabilities.accept-bind-to-port=true" in label


def test_nobody_runs_as_root():
    # The last of every stage, after what only root may install.
    assert of("USER") == ["${USER_ID}", "0", "${USER_ID}"]
    assert "USER_ID=10001" in of("ARG")


def test_the_lock_is_the_projects_own():
    lock = (HERE / "requirements.lock").read_text().splitlines()
    assert set(lock) <= set((ROOT / "requirements.lock").read_text().splitlines())
    patterns = (HERE / "packages.txt").read_text().split()
    assert len(lock) == len(patterns)
    assert all(any(re.match(pattern, line) for line in lock) for pattern in patterns)


IMPORTS = """
import re, sys
from importlib.metadata import packages_distributions

lock = {re.sub("[-_.]+", "-", name) for name in sys.argv[1:]} | {"setuptools", "bqx"}
there = packages_distributions()

class Absent:
    def find_spec(self, name, path=None, target=None):
        owners = {re.sub("[-_.]+", "-", owner).lower() for owner in there.get(name, ())}
        if owners and not owners & lock and name not in sys.stdlib_module_names:
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Absent())
import bqx.cli, bqx.features.precompile, bqx.serving.container
import bqx.serving.jobs.training, bqx.serving.jobs.processing
from bqx.learning.models import model_class
import holidays
for name in ("ridge", "xgboost", "forest", "martingale"):
    model_class(name)
"""


@pytest.mark.platform
def test_the_lock_is_all_that_the_containers_import():
    lock = [line.split("==")[0] for line in (HERE / "requirements.lock").read_text().splitlines()]
    done = subprocess.run(
        [sys.executable, "-c", IMPORTS, *lock],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 0, done.stderr


def test_the_script_names_the_three_repositories(tmp_path):
    """What would be called, by a builder that only prints."""
    done = subprocess.run(
        ["sh", str(HERE / "build.sh"), "registry.example", "v1"],
        env={"PATH": os.environ["PATH"], "BUILDER": "echo build", "PUSH": "echo push"},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    pushed = [line.split()[1] for line in done.stdout.splitlines() if line.startswith("push")]
    named = {name.split("/")[1].split(":")[0] for name in pushed}
    assert named == set(REPOSITORIES.values())
    assert len(set(pushed)) == 4
    targets = re.findall(r"--target (\S+)", done.stdout)
    assert tuple(targets) == TARGETS


def image_environment():
    pairs = (word.split("=", 1) for line in of("ENV") for word in shlex.split(line))
    return dict(pairs)
