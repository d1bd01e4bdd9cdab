"""What `make` installs from the lock runs on every Python that the project supports."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
MINORS = [
    int(classifier.rpartition(".")[2])
    for classifier in PROJECT["classifiers"]
    if re.fullmatch(r"Programming Language :: Python :: 3\.\d+", classifier)
]
OTHERS = [minor for minor in MINORS if minor != sys.version_info.minor]
UNREACHED = re.compile(
    r"No matching distribution|Failed to (fetch|download)|Failed to establish|dns error|"
    r"client error \(Connect\)|not found in the cache|No module named (pip|ensurepip)"
)
"""What uv and pip say where there is neither an index nor a cache."""

CORE = """
import hashlib
from bqx.evaluation import skill
from bqx.features import catalog
from bqx.features.engine.compute import compute
from bqx.learning import targets
from bqx.market import bars, simulated

frame = simulated.simulate("null", ("eurusd",), days=28).frames["eurusd"]
eurusd = bars.align({"eurusd": bars.validate(frame, "synthetic")})["eurusd"]
columns = [column for column in catalog.profile("core") if column.family.name == "moments"]
values = compute(eurusd, columns)
target = targets.make(eurusd, window=15, horizon=30)
y, known = target.label("delta"), target.martingale_of("delta")
day = eurusd.minutes // 1440
score = skill.score(y, known, known, sigma=target.sigma, day=day, window=15, horizon=30)
print(len(columns), hashlib.sha256(values.tobytes()).hexdigest(), repr(score))
"""


def interpreter(minor: int) -> str | None:
    """Path of a Python 3.``minor`` that starts, on the PATH or among pyenv's versions."""
    pyenv = Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser()
    named = shutil.which(f"python3.{minor}")
    for path in [named, *pyenv.glob(f"versions/3.{minor}.*/bin/python")]:
        command = [str(path), "-c", "import sys, venv; print(sys.version_info[:2])"]
        if path and run(command).stdout.strip() == f"(3, {minor})":
            return str(path)
    return None


def run(command: list[str], cwd: Path = ROOT, **variables: str) -> subprocess.CompletedProcess[str]:
    own: Mapping[str, str] = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    return subprocess.run(
        command, cwd=cwd, env={**own, **variables}, capture_output=True, text=True, check=False
    )


def printed(command: list[str], cwd: Path, **variables: str) -> str:
    done = run(command, cwd, **variables)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_classifiers_are_what_is_supported() -> None:
    assert PROJECT["requires-python"] == f">=3.{min(MINORS)},<3.{max(MINORS) + 1}"
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert f"(3, {min(MINORS)}) <= sys.version_info[:2] < (3, {max(MINORS) + 1})" in makefile


@pytest.mark.parametrize("minor", OTHERS)
def test_the_core_runs_on_another_python(minor: int, tmp_path: Path) -> None:
    python = interpreter(minor)
    if python is None:
        pytest.skip(f"no Python 3.{minor} on the PATH or in pyenv")
    for name in ("Makefile", "pyproject.toml", "requirements.lock", "README.md"):
        shutil.copy(ROOT / name, tmp_path)
    shutil.copytree(ROOT / "bqx", tmp_path / "bqx", ignore=shutil.ignore_patterns("__pycache__"))
    made = run(["make", f"PYTHON={python}", ".venv/installed"], tmp_path)
    if made.returncode and UNREACHED.search(made.stderr):
        pytest.skip(f"no package index for Python 3.{minor}: {made.stderr.splitlines()[-1]}")
    assert made.returncode == 0, made.stdout + made.stderr

    fresh = str(tmp_path / ".venv" / "bin" / "python")
    example = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text("utf-8"), re.S)[0]
    assert printed([fresh, "-W", "error", "-c", example], tmp_path) in (
        (ROOT / "README.md").read_text(encoding="utf-8")
    )
    catalog = ["-m", "bqx", "catalog", "--json"]
    assert printed([fresh, *catalog], tmp_path) == printed([sys.executable, *catalog], ROOT)
    core = ["-W", "error", "-c", CORE]
    assert printed([fresh, *core], tmp_path) == printed([sys.executable, *core], ROOT)
    shutil.rmtree(tmp_path / ".venv")  # 1.7 GB


def test_without_a_python_that_fits_make_says_which_do(tmp_path: Path) -> None:
    shutil.copy(ROOT / "Makefile", tmp_path)
    for name in ("pyproject.toml", "requirements.lock"):
        (tmp_path / name).touch()
    made = run(["make", "PYTHON=/bin/false", ".venv/installed"], tmp_path)
    assert made.returncode == 2
    assert "Python: none of 3.11 to 3.13 found as /bin/false" in made.stderr


def test_the_lock_names_no_index_and_holds_each_package_once() -> None:
    for path in sorted(ROOT.glob("requirements*.lock")):
        lines = path.read_text(encoding="utf-8").splitlines()
        assert lines, path
        assert not [line for line in lines if "://" in line or line.startswith("-")], path
        assert not [line for line in lines if line.startswith(("nvidia", "cuda"))], path
        plain = [line.partition("==")[0] for line in lines if ";" not in line]
        assert len(plain) == len(set(plain)), path
