# A box per test: a checkout with the scripts, a home, a cache, and a PATH that holds stand-ins and a few real tools only.
# shellcheck shell=bash

repository="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)"
skip_status=77
real_tools=(awk basename bash cat chmod cp dirname df env expand find flock grep head ldd ln make mkdir mktemp mv nproc paste
  readlink realpath rm sed sleep sort tail touch uname)
real_python="$(python3 -c 'import sys; print(sys.executable)')"
elf_file="$(readlink -f "$(command -v cat)")"

run_case() {
  set -euo pipefail
  box="$(readlink -f "$(mktemp -d)")"
  # shellcheck disable=SC2064
  trap "rm -rf '$box'" EXIT
  local tool
  mkdir -p "$box/bin" "$box/home" "$box/offers" "$box/checkout/Scripts"
  for tool in "${real_tools[@]}"; do
    ln -s "$(command -v "$tool")" "$box/bin/$tool"
  done
  cp "$repository/Scripts/setup" "$repository/Scripts/libtorch_wheel.py" "$repository/Scripts/python-env" "$box/checkout/Scripts/"
  : >"$box/calls"
  stub swift 'echo "Swift version 6.3.1 (a stand-in)"'
  stub swiftc 'exit 1'
  stub clang 'cat >/dev/null'
  stub python3 "if [[ \$1 == -m && \$2 == pip ]]; then shift 2; exec \"$box/pip\" \"\$@\"; fi; exec '$real_python' \"\$@\""
  stub_pip offer
  "$1"
}

# stub NAME SCRIPT: puts a program into the box's PATH.
stub() {
  rm -f "$box/bin/$1"
  printf '#!%s\n%s\n' "$(command -v bash)" "$2" >"$box/bin/$1"
  chmod +x "$box/bin/$1"
}

remove_tool() { rm -f "$box/bin/$1"; }

# stub_pip SCRIPT: what `pip download` does, after noting the call; $destination and $requirement are set for it.
# `offer` copies the wheels in offers/REQUIREMENT/, or fails as pip does when there are none.
stub_pip() {
  cat >"$box/pip" <<EOF
#!$(command -v bash)
box='$box'
if [[ \$1 == --version ]]; then exit 0; fi
for requirement; do :; done
while [[ \$1 != --dest ]]; do shift; done
destination=\$2
echo "pip download \$requirement" >>"\$box/calls"
offer() {
  if [[ ! -d "\$box/offers/\$requirement" ]]; then
    echo "ERROR: Could not find a version that satisfies the requirement \$requirement" >&2
    echo "ERROR: No matching distribution found for \$requirement" >&2
    echo "WARNING: something after the error" >&2
    exit 1
  fi
  mkdir -p "\$destination"
  cp "\$box/offers/\$requirement"/*.whl "\$destination/"
}
$1
EOF
  chmod +x "$box/pip"
}

# offer_torch REQUIREMENT VERSION [ARGUMENT...]: lets pip find a wheel that make_wheel.py writes.
offer_torch() {
  mkdir -p "$box/offers/$1"
  python3 "$repository/Tests/Scripts/make_wheel.py" torch "$box/offers/$1/torch-$2-py3-none-any.whl" "$2" "$elf_file" "${@:3}"
}

# make_libtorch FOLDER VERSION: a folder as LIBTORCH may name it.
make_libtorch() {
  IFS=. read -r major minor patch <<<"$2"
  mkdir -p "$1/lib" "$1/include/torch/headeronly" "$1/include/ATen"
  echo "// script" >"$1/include/torch/script.h"
  echo "// ATen" >"$1/include/ATen/ATen.h"
  printf '#define TORCH_VERSION_MAJOR %s\n#define TORCH_VERSION_MINOR %s\n#define TORCH_VERSION_PATCH %s\n' \
    "$major" "$minor" "$patch" >"$1/include/torch/headeronly/version.h"
  cp "$elf_file" "$1/lib/libtorch_cpu.so"
  cp "$elf_file" "$1/lib/libc10.so"
}

# setup [NAME=VALUE...] [-- ARGUMENT...]: runs Scripts/setup in the box; sets status, and leaves output in out and err.
setup() {
  local variables=()
  while (($# > 0)) && [[ $1 != -- ]]; do variables+=("$1"); shift; done
  if (($# > 0)); then shift; fi
  in_box "${variables[@]}" "$box/checkout/Scripts/setup" "$@"
}

# in_box [NAME=VALUE...] COMMAND...: runs a command with nothing of the real environment.
in_box() {
  status=0
  (cd "$box" && exec env -i PATH="$box/bin" HOME="$box/home" "$@") >"$box/out" 2>"$box/err" </dev/null || status=$?
}

cache() { echo "$box/home/.cache/stratagem"; }

wrong() {
  echo "$1"
  if [[ -n ${status:-} && -f $box/out ]]; then printf 'exit status %s\nstdout:\n%s\nstderr:\n%s\n' "$status" "$(cat "$box/out")" "$(cat "$box/err")"; fi
  exit 1
}

skip() {
  echo "$1"
  exit "$skip_status"
}

# The box's path reads BOX in what is compared.
expect_same() { [[ ${2//$box/BOX} == "$3" ]] || wrong "$1 is
  ${2//$box/BOX}
and not
  $3"; }

expect_refused() {
  [[ $status == 1 ]] || wrong "not refused"
  expect_same "the error" "$(cat "$box/err")" "setup: $1"
}

expect_ready() {
  [[ $status == 0 ]] || wrong "failed"
  expect_same "the error output" "$(cat "$box/err")" ""
  expect_same "the last line" "$(tail -n 1 "$box/out")" "setup: libtorch $1 is ready ($2)${3:-}"
  expect_same "the checkout's link" "$(readlink "$box/checkout/libtorch")" "$2"
}

expect_calls() { expect_same "the calls of pip" "$(paste -sd, "$box/calls")" "$1"; }

# What Package.swift and other set-ups would take for a libtorch, and what is left over.
expect_cache() { expect_same "the cache" "$(cd "$(cache)" && find . -maxdepth 1 -name '*?*' ! -name .lock -printf '%f\n' | grep -v '^\.$' | sort | paste -sd' ')" "$1"; }

await() {
  local tries=0
  until eval "$1"; do
    ((++tries < 400)) || wrong "waited in vain for: $1"
    sleep 0.05
  done
}
