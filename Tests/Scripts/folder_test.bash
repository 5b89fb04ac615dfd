# libtorch from a folder (LIBTORCH) or from the installed Python package (STRATAGEM_TORCH=python).
# shellcheck shell=bash disable=SC2016,SC2154

folder_advice="set LIBTORCH to a folder with include/ and lib/, or unset it and setup will get libtorch 2.13.0."

test_folder_used_without_python() {
  remove_tool python3
  make_libtorch "$box/mine" 2.11.0
  setup LIBTORCH="$box/mine"
  expect_ready 2.11.0 BOX/mine
  expect_calls ""
  [[ ! -e $(cache) ]] || wrong "the cache was touched"
}

test_folder_relative_and_with_spaces() {
  make_libtorch "$box/my torch" 2.13.1
  setup LIBTORCH="my torch/"
  expect_ready 2.13.1 "BOX/my torch"
}

test_folder_too_old() {
  make_libtorch "$box/mine" 2.9.1
  setup LIBTORCH="$box/mine"
  expect_refused "LIBTORCH=BOX/mine is version 2.9.1 and too old; Stratagem needs libtorch 2.11 or newer: $folder_advice"
  [[ ! -e $box/checkout/libtorch ]] || wrong "the link was made"
}

test_folder_too_old_with_the_older_header() {
  make_libtorch "$box/mine" 1.13.1
  mkdir -p "$box/mine/include/torch/csrc/api/include/torch"
  mv "$box/mine/include/torch/headeronly/version.h" "$box/mine/include/torch/csrc/api/include/torch/"
  setup LIBTORCH="$box/mine"
  expect_refused "LIBTORCH=BOX/mine is version 1.13.1 and too old; Stratagem needs libtorch 2.11 or newer: $folder_advice"
}

test_folder_later_versions_accepted() {
  local version
  for version in 2.100.0 3.0.1; do
    make_libtorch "$box/mine" "$version"
    setup LIBTORCH="$box/mine"
    expect_ready "$version" BOX/mine
  done
}

test_folder_missing() {
  setup LIBTORCH="$box/nowhere"
  expect_refused "LIBTORCH=BOX/nowhere is not a folder; Stratagem needs libtorch 2.11 or newer: $folder_advice"
}

test_folder_partial() {
  local file
  for file in include/torch/script.h lib/libtorch_cpu.so lib/libc10.so; do
    rm -rf "$box/mine"
    make_libtorch "$box/mine" 2.13.0
    : >"$box/mine/$file" # present, but empty
    setup LIBTORCH="$box/mine"
    expect_refused "LIBTORCH=BOX/mine has no $file; Stratagem needs libtorch 2.11 or newer: $folder_advice"
  done
}

test_folder_without_version() {
  make_libtorch "$box/mine" 2.13.0
  rm "$box/mine/include/torch/headeronly/version.h"
  setup LIBTORCH="$box/mine"
  expect_refused "LIBTORCH=BOX/mine tells no version (include/torch/headeronly/version.h); Stratagem needs libtorch 2.11 or newer: $folder_advice"
}

test_folder_with_damaged_library() {
  make_libtorch "$box/mine" 2.13.0
  head -c 100 "$elf_file" >"$box/mine/lib/libtorch_cpu.so"
  setup LIBTORCH="$box/mine"
  expect_refused "LIBTORCH=BOX/mine has a damaged lib/libtorch_cpu.so: $folder_advice"
}

test_folder_with_libraries_missing() {
  make_libtorch "$box/mine" 2.13.0
  stub ldd 'printf "\tlibcupti.so.13 => not found\n\tlibcudart.so.13 => not found\n\tlibm.so.6 => /lib/libm.so.6 (0x1)\n"'
  setup LIBTORCH="$box/mine"
  expect_refused "LIBTORCH=BOX/mine needs libcudart.so.13, libcupti.so.13, which the loader does not find: install what provides it, or $folder_advice"
}

# make_cuda FOLDER: makes a libtorch one for CUDA.
make_cuda() { cp "$elf_file" "$1/lib/libtorch_cuda.so"; }

test_folder_for_cuda_with_nccl() {
  local folder="$box/site/torch"
  make_libtorch "$folder" 2.13.0
  make_cuda "$folder"
  mkdir -p "$box/site/nvidia/nccl/include"
  printf '#define NCCL_MAJOR 2\n#define NCCL_MINOR 29\n#define NCCL_PATCH 7\n' >"$box/site/nvidia/nccl/include/nccl.h"
  setup LIBTORCH="$folder"
  expect_ready 2.13.0 BOX/site/torch
  expect_same "the first line" "$(head -n 1 "$box/out")" \
    "setup: it is for CUDA, with the header of NCCL 2.29.7 (BOX/site/nvidia/nccl/include/nccl.h)"
}

test_folder_for_cuda_without_nccl() {
  if [[ -e /usr/include/nccl.h || -e /usr/local/include/nccl.h || -e /usr/local/cuda/include/nccl.h ]]; then
    skip "this machine has NCCL"
  fi
  make_libtorch "$box/mine" 2.13.0
  make_cuda "$box/mine"
  setup LIBTORCH="$box/mine"
  expect_ready 2.13.0 BOX/mine
  [[ $(head -n 1 "$box/out") == "setup: it is for CUDA, but there is no nccl.h: GPUs will communicate through Gloo."* ]] ||
    wrong "NCCL is not told of"
}

test_folder_for_cuda_with_libraries_missing() {
  make_libtorch "$box/mine" 2.13.0
  make_cuda "$box/mine"
  stub ldd 'if [[ $1 == *_cuda.so ]]; then printf "\tlibnccl.so.2 => not found\n\tlibcudnn.so.9 => not found\n"; fi'
  setup LIBTORCH="$box/mine"
  expect_refused "LIBTORCH=BOX/mine is for CUDA, but lacks libcudnn.so.9, libnccl.so.2: install what provides it (pip does with torch), or set STRATAGEM_TORCH=wheel for a libtorch without CUDA."
}

test_folder_for_cuda_damaged() {
  make_libtorch "$box/mine" 2.13.0
  make_cuda "$box/mine"
  stub ldd '[[ $1 != *_cuda.so ]]'
  setup LIBTORCH="$box/mine"
  expect_refused "LIBTORCH=BOX/mine has a damaged lib/libtorch_cuda.so: $folder_advice"
}

test_folder_link_replaced_and_kept() {
  make_libtorch "$box/one" 2.13.0
  make_libtorch "$box/two" 2.12.0
  setup LIBTORCH="$box/one"
  expect_ready 2.13.0 BOX/one
  setup LIBTORCH="$box/two"
  expect_ready 2.12.0 BOX/two
  setup
  expect_ready 2.12.0 BOX/two ", as chosen earlier; STRATAGEM_TORCH=wheel takes version 2.13.0 again"
  expect_calls ""
  offer_torch torch==2.13.0 2.13.0+cpu
  setup STRATAGEM_TORCH=wheel
  expect_ready 2.13.0 BOX/home/.cache/stratagem/libtorch-2.13.0-cpu
}

test_folder_chosen_earlier_and_gone() {
  make_libtorch "$box/mine" 2.13.0
  setup LIBTORCH="$box/mine"
  expect_ready 2.13.0 BOX/mine
  rm -rf "$box/mine"
  offer_torch torch==2.13.0 2.13.0+cpu
  setup
  expect_ready 2.13.0 BOX/home/.cache/stratagem/libtorch-2.13.0-cpu
}

test_folder_in_the_place_of_the_link() {
  make_libtorch "$box/mine" 2.13.0
  mkdir "$box/checkout/libtorch"
  setup LIBTORCH="$box/mine"
  expect_refused "BOX/checkout/libtorch is in the way, since a link is to be there: move it elsewhere (LIBTORCH=FOLDER uses a libtorch of yours)."
}

test_python_package_used() {
  make_libtorch "$box/packages/torch" 2.12.1
  echo 'raise SystemExit("torch is not to be imported: that takes seconds")' >"$box/packages/torch/__init__.py"
  setup STRATAGEM_TORCH=python PYTHONPATH="$box/packages"
  expect_ready 2.12.1 BOX/packages/torch
  expect_calls ""
}

test_python_package_missing() {
  stub python3 "exec '$real_python' -I -S \"\$@\""
  setup STRATAGEM_TORCH=python
  expect_refused "STRATAGEM_TORCH=python, but BOX/bin/python3 has no package torch: run 'python3 -m pip install --upgrade torch', or unset STRATAGEM_TORCH and setup will get libtorch 2.13.0."
}

test_python_package_too_old() {
  make_libtorch "$box/packages/torch" 2.10.0
  : >"$box/packages/torch/__init__.py"
  setup STRATAGEM_TORCH=python PYTHONPATH="$box/packages"
  expect_refused "the torch installed in BOX/bin/python3 (BOX/packages/torch) is version 2.10.0 and too old; Stratagem needs libtorch 2.11 or newer: run 'python3 -m pip install --upgrade torch', or unset STRATAGEM_TORCH and setup will get libtorch 2.13.0."
}

test_python_package_without_python() {
  remove_tool python3
  setup STRATAGEM_TORCH=python
  expect_refused "Python 3 is not installed (no python3 in PATH), but libtorch comes as a Python package: install it (Debian, Ubuntu: apt-get install python3 python3-pip), or set LIBTORCH to the folder of a libtorch 2.11 or newer."
}

test_source_unknown() {
  setup STRATAGEM_TORCH=pyhton
  expect_refused "STRATAGEM_TORCH=pyhton is unknown: write python (the installed package) or wheel (downloaded), or unset it."
}

test_source_given_twice() {
  make_libtorch "$box/mine" 2.13.0
  setup LIBTORCH="$box/mine" STRATAGEM_TORCH=python
  expect_refused "LIBTORCH and STRATAGEM_TORCH are both set: unset one of them."
}
