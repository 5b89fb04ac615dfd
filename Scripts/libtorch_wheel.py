#!/usr/bin/env python3
"""Takes libtorch out of the wheel of the Python package torch, for Scripts/setup.

    libtorch_wheel.py unpack WHEEL FOLDER              writes include/, lib/, torchgen/, version.py; prints the version
    libtorch_wheel.py cuda-requirement WHEEL           prints what pip must get for a CUDA wheel's CPU part, if anything
    libtorch_wheel.py add FOLDER NAME,NAME WHEEL...    copies the shared libraries NAME into FOLDER/lib

Of a CUDA wheel only the CPU part is kept: the CUDA libraries are four fifths of it and need gigabytes of other wheels.
Who wants them uses an installed torch (STRATAGEM_TORCH=python).
"""

import re
import shutil
import sys
import zipfile
from pathlib import Path

KEPT = {"torch/include/": "include/", "torch/lib/": "lib/", "torchgen/": "torchgen/", "torch/version.py": "version.py"}
CUDA_ONLY = re.compile(r"torch/lib/lib[^/]*(cuda|nvrtc|nvshmem)[^/]*\.so[^/]*$")


def extract(wheel, entry, path):
    path.parent.mkdir(parents=True, exist_ok=True)
    with wheel.open(entry) as source, open(path, "wb") as copy:
        shutil.copyfileobj(source, copy, 1 << 20)
    mode = entry.external_attr >> 16 & 0o777
    path.chmod(mode | 0o600 if mode else 0o644)


def unpack(wheel_path, folder):
    with zipfile.ZipFile(wheel_path) as wheel:
        for entry in wheel.infolist():
            name = entry.filename
            prefix = next((p for p in KEPT if name.startswith(p)), None)
            if prefix is None or entry.is_dir() or CUDA_ONLY.match(name) or ".." in Path(name).parts:
                continue
            extract(wheel, entry, Path(folder) / (KEPT[prefix] + name[len(prefix):]))
        text = wheel.read("torch/version.py").decode()
    print(re.search(r"^__version__ = '([^']+)'", text, re.MULTILINE).group(1))


def cuda_requirement(wheel_path):
    with zipfile.ZipFile(wheel_path) as wheel:
        name = next(n for n in wheel.namelist() if re.fullmatch(r"torch-[^/]*\.dist-info/METADATA", n))
        text = wheel.read(name).decode()
    found = re.search(r"^Requires-Dist: cuda-toolkit\[[^]]*\]\s*\(?(==[\w.]+)", text, re.MULTILINE)
    if found:
        print(f"cuda-toolkit[cudart,cupti]{found.group(1)}")


def add(folder, names, *wheels):
    for path in wheels:
        with zipfile.ZipFile(path) as wheel:
            for entry in wheel.infolist():
                if Path(entry.filename).name in names.split(","):
                    extract(wheel, entry, Path(folder) / "lib" / Path(entry.filename).name)


def main():
    commands = {"unpack": (unpack, 2), "cuda-requirement": (cuda_requirement, 1), "add": (add, 3)}
    command, required = commands.get(sys.argv[1] if len(sys.argv) > 1 else "", (None, 0))
    if command is None or len(sys.argv) - 2 < required:
        sys.exit(__doc__)
    try:
        command(*sys.argv[2:])
    except (OSError, zipfile.BadZipFile, KeyError, StopIteration, AttributeError) as error:
        sys.exit(f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    main()
