# libtorch from the downloaded wheel: the cache folder, interruption, two set-ups at once, wheels for CUDA.
# shellcheck shell=bash disable=SC2016,SC2154

cached=BOX/home/.cache/stratagem/libtorch-2.13.0-cpu

test_wheel_unpacked_once_for_all_checkouts() {
  offer_torch torch==2.13.0+cpu 2.13.0+cpu
  setup
  expect_ready 2.13.0 "$cached"
  expect_cache "libtorch libtorch-2.13.0-cpu"
  expect_same "the cache's link" "$(readlink "$(cache)/libtorch")" libtorch-2.13.0-cpu
  expect_same "what was kept" "$(cd "$(cache)/libtorch" && find . -type f | sort | paste -sd' ')" \
    "./include/ATen/ATen.h ./include/torch/headeronly/version.h ./include/torch/script.h ./lib/libc10.so ./lib/libtorch_cpu.so ./torchgen/gen.py ./torchgen/packaged/ATen/native/native_functions.yaml ./version.py"
  expect_calls "pip download torch==2.13.0+cpu"
  mkdir "$box/other"
  mv "$box/checkout/Scripts" "$box/other/"
  in_box "$box/other/Scripts/setup"
  expect_same "the other checkout's link" "$(readlink "$box/other/libtorch")" "$cached"
  expect_calls "pip download torch==2.13.0+cpu"
}

test_wheel_second_run_does_nothing() {
  offer_torch torch==2.13.0+cpu 2.13.0+cpu
  setup
  expect_ready 2.13.0 "$cached"
  local before after
  before="$(find "$box/home" "$box/checkout" -printf '%p %i %T@ %C@\n' | sort)"
  remove_tool python3
  stub df 'echo "disk space is not to matter"; exit 1'
  stub ldd 'exit 1'
  setup
  expect_ready 2.13.0 "$cached"
  expect_same "the output" "$(cat "$box/out")" "setup: libtorch 2.13.0 is ready ($cached)"
  after="$(find "$box/home" "$box/checkout" -printf '%p %i %T@ %C@\n' | sort)"
  [[ $before == "$after" ]] || wrong "something was written: $(diff <(echo "$before") <(echo "$after"))"
}

test_wheel_of_plain_version_when_there_is_no_cpu_one() {
  offer_torch torch==2.13.0 2.13.0+cpu
  setup
  expect_ready 2.13.0 "$cached"
  expect_calls "pip download torch==2.13.0+cpu,pip download torch==2.13.0"
}

test_wheel_in_another_cache() {
  offer_torch torch==2.13.0 2.13.0+cpu
  setup STRATAGEM_CACHE="a cache"
  expect_ready 2.13.0 "BOX/a cache/libtorch-2.13.0-cpu"
  [[ ! -e $(cache) ]] || wrong "the default cache was made too"
}

test_wheel_link_of_the_manifest_is_taken_over() {
  offer_torch torch==2.13.0 2.13.0+cpu
  setup
  ln -sfn "$(cache)/libtorch" "$box/checkout/libtorch" # as Package.swift makes it
  setup
  expect_ready 2.13.0 "$cached"
}

test_wheel_not_offered() {
  setup
  expect_refused "pip cannot download torch 2.13.0 and says \"No matching distribution found for torch==2.13.0\": check pip's index settings (python3 -m pip config list) and the Python version, or set LIBTORCH to the folder of a libtorch 2.11 or newer."
  expect_cache ""
  [[ ! -e $box/checkout/libtorch ]] || wrong "the link was made"
}

test_wheel_without_network() {
  stub_pip 'echo "WARNING: Retrying (Retry(total=1)) after connection broken by NewConnectionError(Temporary failure in name resolution)" >&2; offer'
  setup
  expect_refused "no network: pip cannot reach its package index for torch 2.13.0 and says \"No matching distribution found for torch==2.13.0\"; connect, or check pip's proxy and index settings (python3 -m pip config list), or set LIBTORCH to the folder of a libtorch 2.11 or newer."
  expect_cache ""
}

test_wheel_broken() {
  mkdir -p "$box/offers/torch==2.13.0"
  echo "half a file" >"$box/offers/torch==2.13.0/torch-2.13.0-py3-none-any.whl"
  setup
  expect_refused "cannot unpack torch-2.13.0-py3-none-any.whl (BadZipFile: File is not a zip file): run setup again."
  expect_cache ""
}

test_wheel_of_other_version() {
  offer_torch torch==2.13.0 2.8.0+cpu
  setup
  expect_refused "the wheel torch-2.8.0+cpu-py3-none-any.whl is version 2.8.0 and too old: check where pip gets torch 2.13.0 from (python3 -m pip config list)."
  expect_cache ""
}

test_wheel_in_damaged_cache_is_replaced() {
  offer_torch torch==2.13.0 2.13.0+cpu
  setup
  : >"$(cache)/libtorch/lib/libtorch_cpu.so"
  setup
  expect_ready 2.13.0 "$cached"
  expect_cache "libtorch libtorch-2.13.0-cpu"
  [[ -s $(cache)/libtorch/lib/libtorch_cpu.so ]] || wrong "still damaged"
}

# start_and_stop_midway SIGNAL: a set-up that is stopped while it unpacks.
start_and_stop_midway() {
  offer_torch torch==2.13.0 2.13.0+cpu
  cp "$box/bin/python3" "$box/working_python3"
  stub python3 "if [[ \$2 == unpack ]]; then '$box/working_python3' \"\$@\"; touch '$box/started'; exec sleep 60; fi; exec '$box/working_python3' \"\$@\""
  setsid env -i PATH="$box/bin" HOME="$box/home" "$box/checkout/Scripts/setup" >"$box/out" 2>"$box/err" </dev/null &
  local group=$!
  await "[[ -e '$box/started' ]]"
  kill "-$1" -- "-$group"
  wait "$group" 2>/dev/null || stopped_status=$?
  cp "$box/working_python3" "$box/bin/python3"
}

test_wheel_killed_while_unpacking() {
  start_and_stop_midway KILL
  [[ $stopped_status == 137 ]] || wrong "exit status $stopped_status after kill -9"
  [[ -z $(find "$(cache)" -maxdepth 1 -name 'libtorch*') ]] || wrong "what was unpacked half counts as complete"
  [[ ! -e $box/checkout/libtorch ]] || wrong "the link was made"
  setup
  expect_ready 2.13.0 "$cached"
  expect_cache "libtorch libtorch-2.13.0-cpu"
}

test_wheel_interrupted_leaves_nothing() {
  start_and_stop_midway TERM
  [[ $stopped_status == 143 ]] || wrong "exit status $stopped_status after SIGTERM"
  expect_cache ""
}

test_wheel_interrupted_from_the_keyboard() {
  stub_pip "trap 'echo \"ERROR: Operation cancelled by user\" >&2; exit 1' INT; touch '$box/started'; for _ in {1..50}; do sleep 0.1; done"
  setsid env --default-signal=INT -i PATH="$box/bin" HOME="$box/home" "$box/checkout/Scripts/setup" >"$box/out" 2>"$box/err" </dev/null &
  local group=$! stopped_status=0
  await "[[ -e '$box/started' ]]"
  kill -INT -- "-$group"
  wait "$group" || stopped_status=$?
  [[ $stopped_status == 130 ]] || wrong "exit status $stopped_status after Ctrl-C"
  expect_calls "pip download torch==2.13.0+cpu"
  expect_cache ""
}

test_wheel_two_set_ups_at_once() {
  offer_torch torch==2.13.0+cpu 2.13.0+cpu
  # The first one's download ends only when the second one waits.
  stub_pip 'for ((i = 0; i < 200; i++)); do if grep -qs waiting "$box/second"; then offer; exit; fi; sleep 0.05; done; exit 1'
  mkdir -p "$box/other"
  cp -r "$box/checkout/Scripts" "$box/other/"
  env -i PATH="$box/bin" HOME="$box/home" "$box/checkout/Scripts/setup" >"$box/first" 2>&1 &
  local first=$! second
  await "grep -q download '$box/calls'"
  env -i PATH="$box/bin" HOME="$box/home" "$box/other/Scripts/setup" >"$box/second" 2>&1 &
  second=$!
  wait "$first" || wrong "the first failed: $(cat "$box/first")"
  wait "$second" || wrong "the second failed: $(cat "$box/second")"
  expect_calls "pip download torch==2.13.0+cpu"
  expect_same "the second's output" "$(cat "$box/second")" "setup: another set-up is filling BOX/home/.cache/stratagem; waiting for it
setup: libtorch 2.13.0 is ready ($cached)"
  expect_same "the first's link" "$(readlink "$box/checkout/libtorch")" "$cached"
  expect_same "the second's link" "$(readlink "$box/other/libtorch")" "$cached"
  expect_cache "libtorch libtorch-2.13.0-cpu"
}

test_wheel_many_set_ups_in_one_checkout() {
  offer_torch torch==2.13.0+cpu 2.13.0+cpu
  local process processes=()
  for _ in 1 2 3 4; do
    env -i PATH="$box/bin" HOME="$box/home" "$box/checkout/Scripts/setup" >>"$box/all" 2>&1 &
    processes+=($!)
  done
  for process in "${processes[@]}"; do
    wait "$process" || wrong "one failed: $(cat "$box/all")"
  done
  expect_calls "pip download torch==2.13.0+cpu"
  expect_same "the checkout" "$(cd "$box/checkout" && find . -maxdepth 1 -name '[!.]*' -printf '%f\n' | sort | paste -sd' ')" "Scripts libtorch"
}

cuda_ldd='folder="${1%/*}"; for l in libcudart.so.13 libcupti.so.13; do if [[ -s $folder/$l ]]; then echo "$l => $folder/$l (0x1)"; else echo "$l => not found"; fi; done'
cuda_toolkit='cuda-toolkit[cublas,cudart,cupti,nvtx]==13.0.3; platform_system == "Linux"'

test_wheel_for_cuda_gets_its_two_libraries() {
  offer_torch torch==2.13.0 2.13.0+cu130 "$cuda_toolkit"
  mkdir -p "$box/offers/cuda-toolkit[cudart,cupti]==13.0.3"
  python3 "$repository/Tests/Scripts/make_wheel.py" libraries \
    "$box/offers/cuda-toolkit[cudart,cupti]==13.0.3/cuda.whl" libcudart.so.13 libcupti.so.13 libnvperf.so
  stub ldd "$cuda_ldd"
  setup
  expect_ready 2.13.0 BOX/home/.cache/stratagem/libtorch-2.13.0-cu130
  expect_same "the libraries" "$(cd "$(cache)/libtorch/lib" && find . -type f -printf '%f\n' | sort | paste -sd' ')" \
    "libc10.so libcudart.so.13 libcupti.so.13 libtorch_cpu.so"
  expect_calls "pip download torch==2.13.0+cpu,pip download torch==2.13.0,pip download cuda-toolkit[cudart,cupti]==13.0.3"
  setup
  expect_ready 2.13.0 BOX/home/.cache/stratagem/libtorch-2.13.0-cu130
  expect_cache "libtorch libtorch-2.13.0-cu130"
}

test_wheel_for_cuda_refused_when_they_cannot_be_had() {
  local requirement
  for requirement in "$cuda_toolkit" "something-else==1.0"; do
    offer_torch torch==2.13.0 2.13.0+cu130 "$requirement"
    stub ldd "$cuda_ldd"
    setup
    expect_refused "pip found torch 2.13.0+cu130, which needs libcudart.so.13, libcupti.so.13 and pip cannot get: set PIP_EXTRA_INDEX_URL to an index with PyTorch's CPU wheels, or LIBTORCH to the folder of a libtorch 2.11 or newer for CPU."
    expect_cache ""
  done
}
