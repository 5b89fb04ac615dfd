"""Writes stand-ins of the wheels that Scripts/setup gets.

    make_wheel.py torch WHEEL VERSION LIBRARY [REQUIRES_DIST...]     LIBRARY is copied as each shared library
    make_wheel.py libraries WHEEL NAME...
"""

import sys
import zipfile


def torch(path, version, library, *requirements):
    major, minor, patch = version.split("+")[0].split(".")
    with open(library, "rb") as file:
        binary = file.read()
    metadata = f"Metadata-Version: 2.1\nName: torch\nVersion: {version}\n"
    metadata += "".join(f"Requires-Dist: {r}\n" for r in requirements)
    files = {
        "torch/__init__.py": "", "torch/nn/modules.py": "", "torch/bin/tool": "", "functorch/__init__.py": "",
        "torch/version.py": f"__version__ = '{version}'\ncuda = None\n",
        "torch/include/torch/script.h": "// script\n",
        "torch/include/ATen/ATen.h": "// ATen\n",
        "torch/include/torch/headeronly/version.h":
            f"#define TORCH_VERSION_MAJOR {major}\n#define TORCH_VERSION_MINOR {minor}\n#define TORCH_VERSION_PATCH {patch}\n",
        "torch/lib/libtorch_cpu.so": binary, "torch/lib/libc10.so": binary,
        "torch/lib/libtorch_cuda.so": binary, "torch/lib/libc10_cuda.so": binary,
        "torchgen/gen.py": "", "torchgen/packaged/ATen/native/native_functions.yaml": "",
        f"torch-{version}.dist-info/METADATA": metadata,
    }
    with zipfile.ZipFile(path, "w") as wheel:
        for name, content in files.items():
            wheel.writestr(name, content)


def libraries(path, *names):
    with zipfile.ZipFile(path, "w") as wheel:
        for name in names:
            wheel.writestr(f"nvidia/lib/{name}", "a library")


{"torch": torch, "libraries": libraries}[sys.argv[1]](*sys.argv[2:])
