# The Makefile, .ci/run, Scripts/generate, and the form of all scripts.
# shellcheck shell=bash disable=SC2016,SC2154

test_make_lists_targets() {
  local target targets
  cp "$repository/Makefile" "$box/checkout/"
  in_box make -C "$box/checkout" --no-print-directory
  [[ $status == 0 ]] || wrong "make failed"
  read -r -a targets <<<"$(sed -n 's/^\.PHONY: //p' "$repository/Makefile")"
  ((${#targets[@]} > 5)) || wrong "the Makefile's list of targets was not found"
  for target in "${targets[@]}"; do
    grep -q -E "^  make $target +[A-Z]" "$box/out" || wrong "make does not list $target"
  done
}

test_make_says_one_sentence_without_swift() {
  local target
  cp "$repository/Makefile" "$box/checkout/"
  remove_tool swift
  for target in run test build bench; do
    in_box make -C "$box/checkout" --no-print-directory "$target"
    [[ $status == 2 ]] || wrong "make $target did not fail"
    expect_same "the error without make's own" "$(grep -v '^make: ' "$box/err")" \
      "setup: Swift is not installed (no swift in PATH): install Swift 6.1 or newer (swift.org/install) and put its usr/bin folder into PATH."
    expect_same "the output" "$(cat "$box/out")" ""
  done
}

test_make_runs_what_it_says() {
  cp "$repository/Makefile" "$box/checkout/"
  local folder
  for folder in Scripts Interoperability Clients; do
    mkdir -p "$box/checkout/Tests/$folder"
    printf '#!%s\necho "%s" "$@" >>"%s/calls"\n' "$(command -v bash)" "$folder" "$box" >"$box/checkout/Tests/$folder/run"
    chmod +x "$box/checkout/Tests/$folder/run"
  done
  make_libtorch "$box/mine" 2.13.0
  stub swift "if [[ \$1 == --version ]]; then echo 'Swift version 6.3.1'; elif [[ \$2 == --show-bin-path ]]; then echo bin; else echo \"swift \$*\" >>'$box/calls'; fi"
  in_box LIBTORCH="$box/mine" make -C "$box/checkout" --no-print-directory run ARGS="--epochs 1" JOBS=2
  in_box LIBTORCH="$box/mine" make -C "$box/checkout" --no-print-directory test JOBS=2
  [[ $status == 0 ]] || wrong "make test failed"
  expect_same "what was run" "$(cat "$box/calls")" "swift run -c release -j 2 digits fit --epochs 1
Scripts
swift build --build-tests -j 2
Interoperability bin/digits
swift test --skip-build --no-parallel
Clients"
}

test_ci_runs_tests_and_lint_and_stops_at_a_failure() {
  mkdir "$box/checkout/.ci"
  cp "$repository/.ci/run" "$box/checkout/.ci/"
  stub make "echo \"make \$1\" >>'$box/calls'"
  in_box "$box/checkout/.ci/run"
  [[ $status == 0 ]] || wrong "failed"
  expect_same "what was run" "$(paste -sd, "$box/calls")" "make test,make lint"
  : >"$box/calls"
  stub make "echo \"make \$1\" >>'$box/calls'; cat; exit 9"
  in_box "$box/checkout/.ci/run"
  [[ $status == 9 ]] || wrong "exit status 9 was lost"
  expect_same "what was run" "$(paste -sd, "$box/calls")" "make test"
  grep -q -E '^ci: failed with exit status 9 after [0-9]+ s: make test' "$box/err" || wrong "it does not say what failed"
}

# Scripts/generate in a copy of the tree, with the libtorch of the real checkout or cache.
generate() {
  status=0
  "$box/tree/Scripts/generate" "$@" >"$box/out" 2>"$box/err" </dev/null || status=$?
  if grep -q 'there is no libtorch' "$box/err"; then skip "$(cat "$box/err")"; fi
}

copy_tree() {
  mkdir -p "$box/tree/Sources/Torch"
  cp -r "$repository/Scripts" "$box/tree/"
  cp -r "$repository/Sources/CTorch" "$box/tree/Sources/"
  cp -r "$repository/Sources/Torch/Generated" "$box/tree/Sources/Torch/"
  if [[ -e $repository/libtorch ]]; then ln -s "$(readlink -f "$repository/libtorch")" "$box/tree/libtorch"; fi
}

test_generated_operators_are_up_to_date() {
  copy_tree
  generate --check
  [[ $status == 0 ]] || wrong "Sources are not what Scripts/generate writes"
}

test_generate_finds_and_mends_a_changed_file() {
  copy_tree
  local file="$box/tree/Sources/CTorch/include/ctorch_generated.h"
  echo "// by hand" >>"$file"
  generate --check
  [[ $status == 1 ]] || wrong "a changed file was not found"
  expect_same "the error" "$(cat "$box/err")" "not up to date, run Scripts/generate: Sources/CTorch/include/ctorch_generated.h"
  generate
  [[ $status == 0 ]] || wrong "Scripts/generate failed"
  cmp "$file" "$repository/Sources/CTorch/include/ctorch_generated.h" || wrong "what it writes differs from the committed file"
}

test_generate_without_libtorch() {
  cp "$repository/Scripts/generate" "$box/checkout/Scripts/"
  in_box "$box/checkout/Scripts/generate" --check
  [[ $status == 1 ]] || wrong "not refused"
  expect_same "the error" "$(cat "$box/err")" \
    "generate: there is no libtorch 2.13.0 with its torchgen folder: run STRATAGEM_TORCH=wheel Scripts/setup first."
}

test_generate_without_pip() {
  cp "$repository/Scripts/generate" "$box/checkout/Scripts/"
  offer_torch torch==2.13.0 2.13.0+cpu
  setup
  echo '#define TORCH_VERSION "2.13.0"' >>"$(cache)/libtorch/include/torch/headeronly/version.h"
  stub python3 "if [[ \$2 == pip ]]; then echo 'python3: No module named pip' >&2; exit 1; fi; exec '$real_python' \"\$@\""
  in_box "$box/checkout/Scripts/generate" --check
  [[ $status == 1 ]] || wrong "not refused"
  expect_same "the error" "$(cat "$box/err")" \
    "generate: cannot install pyyaml and typing_extensions for BOX/bin/python3 (python3: No module named pip): check the network and that python3 has pip (Debian, Ubuntu: apt-get install python3-pip)."
}

scripts() {
  (cd "$repository" && grep -l -r -E '^#!/usr/bin/env bash' Scripts .ci Tests/Scripts Tests/Clients Tests/Reference Benchmarks \
    --exclude-dir=.build --exclude-dir=.venv --exclude-dir=Data && ls Tests/Scripts/*.bash) | sort -u
}

test_scripts_name_no_host_and_no_home() {
  local found
  cd "$repository" || exit 1
  found="$(grep -n -i -E 'pypi|pytorch\.org/whl|https?://[^ ]*(/simple|/whl)|index-url[= ]|/root/|/home/[a-z]' \
    Makefile Scripts/setup Scripts/generate Scripts/*.py .ci/run)" || true
  [[ -z $found ]] || wrong "$found"
}

test_scripts_have_sound_syntax() {
  local file
  for file in $(scripts); do
    bash -n "$repository/$file" || wrong "$file"
  done
  command -v shellcheck >/dev/null || skip "shellcheck is not installed; syntax only was checked"
  # shellcheck disable=SC2046
  (cd "$repository" && shellcheck --severity=warning -x $(scripts)) || wrong "shellcheck complains"
}
