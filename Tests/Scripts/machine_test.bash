# What Scripts/setup asks of the machine.
# shellcheck shell=bash disable=SC2016,SC2154

test_swift_missing() {
  remove_tool swift
  setup
  expect_refused "Swift is not installed (no swift in PATH): install Swift 6.1 or newer (swift.org/install) and put its usr/bin folder into PATH."
}

test_swift_too_old() {
  stub swift 'echo "Swift version 6.0.3 (swift-6.0.3-RELEASE)"; echo "Target: x86_64-unknown-linux-gnu"'
  setup
  expect_refused "Swift 6.0 (BOX/bin/swift) is too old: install Swift 6.1 or newer (swift.org/install) and put it first in PATH."
}

test_swift_oldest_and_later_accepted() {
  make_libtorch "$box/mine" 2.13.0
  local version
  for version in 6.1 6.1.2 6.10-dev 7.0; do
    stub swift "echo 'Swift version $version (x)'"
    setup LIBTORCH="$box/mine"
    expect_ready 2.13.0 BOX/mine
  done
}

test_swift_that_fails() {
  stub swift 'echo "swift: error while loading shared libraries: libxml2.so.2" >&2; exit 127'
  setup
  expect_refused "'swift --version' fails with \"swift: error while loading shared libraries: libxml2.so.2\": repair or reinstall Swift 6.1 or newer (swift.org/install)."
}

test_swift_that_is_something_else() {
  stub swift 'echo "OpenStack Swift client"'
  setup
  expect_refused "'swift --version' says \"OpenStack Swift client\", which is no version: put Swift 6.1 or newer (swift.org/install) first in PATH."
}

test_cxx_headers_missing() {
  stub clang 'cat >/dev/null; exit 1'
  setup
  expect_refused "Swift's clang (BOX/bin/clang) does not find the C++20 standard library's headers <string> and <concepts>: install them (Debian, Ubuntu: apt-get install g++)."
}

test_cxx_headers_asked_of_the_clang_beside_swiftc() {
  mkdir "$box/toolchain"
  remove_tool swiftc
  remove_tool clang
  printf '#!%s\nexit 1\n' "$(command -v bash)" | tee "$box/toolchain/swiftc" >"$box/toolchain/clang"
  chmod +x "$box/toolchain/swiftc" "$box/toolchain/clang"
  ln -s "$box/toolchain/swiftc" "$box/bin/swiftc"
  setup
  expect_refused "Swift's clang (BOX/toolchain/clang) does not find the C++20 standard library's headers <string> and <concepts>: install them (Debian, Ubuntu: apt-get install g++)."
}

test_real_swift_and_headers_accepted() {
  make_libtorch "$box/mine" 2.13.0
  in_box PATH="$PATH" LIBTORCH="$box/mine" "$box/checkout/Scripts/setup"
  expect_ready 2.13.0 BOX/mine
}

test_python_missing() {
  remove_tool python3
  setup
  expect_refused "Python 3 is not installed (no python3 in PATH), but libtorch comes as a Python package: install it (Debian, Ubuntu: apt-get install python3 python3-pip), or set LIBTORCH to the folder of a libtorch 2.11 or newer."
}

test_pip_missing() {
  stub python3 'echo "/usr/bin/python3: No module named pip" >&2; exit 1'
  setup
  expect_refused "BOX/bin/python3 has no pip: install it (Debian, Ubuntu: apt-get install python3-pip), or set LIBTORCH to the folder of a libtorch 2.11 or newer."
}

test_disk_too_small() {
  stub df 'echo "Filesystem 1024-blocks Used Available Capacity Mounted on"; echo "/dev/a 1000000 877120 122880 88% /"'
  setup
  expect_refused "not enough disk space in BOX/home/.cache/stratagem (120 MB free, 900 MB needed): free some, or set STRATAGEM_CACHE to a folder on a larger disk."
  expect_calls ""
}

test_disk_full_while_downloading() {
  stub_pip 'echo "ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device" >&2; exit 1'
  setup
  expect_refused "not enough disk space in BOX/home/.cache/stratagem (pip says \"Could not install packages due to an OSError: [Errno 28] No space left on device\"): free some, or set STRATAGEM_CACHE to a folder on a larger disk."
  expect_cache ""
}

test_disk_full_while_unpacking() {
  offer_torch torch==2.13.0 2.13.0+cpu
  sed -i 's/^def unpack(.*/&\n    raise OSError(28, "No space left on device")/' "$box/checkout/Scripts/libtorch_wheel.py"
  setup
  expect_refused "not enough disk space in BOX/home/.cache/stratagem (OSError: [Errno 28] No space left on device): free some, or set STRATAGEM_CACHE to a folder on a larger disk."
  expect_cache ""
}

test_cache_not_writable() {
  echo "a file" >"$box/file"
  setup STRATAGEM_CACHE="$box/file/cache"
  expect_refused "cannot write into the cache folder BOX/file/cache: make it writable, or set STRATAGEM_CACHE to a folder that is."
}

test_home_missing() {
  in_box HOME= "$box/checkout/Scripts/setup"
  expect_refused "neither HOME nor STRATAGEM_CACHE is set: set STRATAGEM_CACHE to the cache folder."
}

test_other_system_refused() {
  stub uname 'echo Darwin'
  setup
  expect_refused "this is Darwin, and Stratagem builds on Linux: use a Linux machine or container."
}

test_unknown_argument() {
  setup -- --force
  expect_refused "unknown argument '--force': setup takes none (see Scripts/setup --help)."
}

test_help() {
  setup -- --help
  [[ $status == 0 ]] || wrong "--help failed"
  grep -q 'STRATAGEM_TORCH=python' "$box/out" || wrong "--help says nothing of STRATAGEM_TORCH"
  [[ ! -e $box/checkout/libtorch ]] || wrong "--help did something"
}
