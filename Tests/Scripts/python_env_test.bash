# The Python environment that tests and benchmarks share.
# shellcheck shell=bash disable=SC2016,SC2154

interpreter=BOX/home/.cache/stratagem/python/bin/python

# A python3 whose `-m venv` makes an environment with a stand-in for pip: `install` runs $1 after noting its call.
stub_venv() {
  cat >"$box/venv-python" <<END
#!$(command -v bash)
if [[ \$1 == -c ]]; then exit 0; fi
case "\$3" in
  freeze) cat "$box/frozen" ;;
  install)
    while [[ \$4 == --* ]]; do if [[ \$4 == --constraint || \$4 == --retries ]]; then shift; fi; shift; done
    echo "\${*:4}" >>"$box/calls"
    requirement="\$4"
    $1
    ;;
esac
END
  chmod +x "$box/venv-python"
  echo "numpy==2.0.0" >"$box/frozen"
  stub python3 "mkdir -p \"\$3/bin\" && cp '$box/venv-python' \"\$3/bin/python\" && echo venv >>'$box/calls'"
}

python_env() { in_box "$box/checkout/Scripts/python-env" "$@"; }

expect_interpreter() {
  [[ $status == 0 ]] || wrong "failed"
  expect_same "the output" "$(cat "$box/out")" "$interpreter"
}

test_python_env_made_once_and_added_to() {
  stub_venv 'exit 0'
  python_env torch==2.13.0 numpy
  expect_interpreter
  expect_calls "venv,torch==2.13.0+cpu,torch==2.13.0 numpy"
  python_env numpy torch==2.13.0
  expect_interpreter
  expect_same "the errors" "$(cat "$box/err")" ""
  python_env numpy tensorboard
  expect_interpreter
  expect_calls "venv,torch==2.13.0+cpu,torch==2.13.0 numpy,tensorboard"
  expect_same "what is left beside it" "$(find "$(cache)" -maxdepth 1 -name '.python-*')" ""
}

test_python_env_plain_torch_when_there_is_no_cpu_wheel() {
  stub_venv '[[ $requirement != *+cpu ]]'
  python_env torch==2.13.0
  expect_interpreter
  expect_calls "venv,torch==2.13.0+cpu,torch==2.13.0,torch==2.13.0"
}

test_python_env_refused_by_pip() {
  stub_venv 'if [[ $requirement == nothing ]]; then echo "ERROR: No matching distribution found for nothing." >&2; exit 1; fi'
  python_env nothing
  [[ $status == 1 ]] || wrong "not refused"
  expect_same "the reason" "$(tail -n 1 "$box/err")" \
    "python-env: pip cannot install nothing and says \"No matching distribution found for nothing\": check the network and pip's index settings (python3 -m pip config list)."
  python_env numpy
  expect_interpreter
  expect_calls "venv,nothing,numpy"
}

test_python_env_killed_while_installing() {
  stub_venv 'if [[ ! -e "'"$box"'/second" ]]; then kill -9 $PPID; fi'
  python_env numpy
  [[ $status == 137 ]] || wrong "not killed"
  : >"$box/second"
  python_env numpy
  expect_interpreter
  expect_calls "venv,numpy,venv,numpy"
}

test_python_env_without_python() {
  remove_tool python3
  python_env numpy
  [[ $status == 1 ]] || wrong "not refused"
  expect_same "the reason" "$(cat "$box/err")" \
    "python-env: Python 3 is not installed (no python3 in PATH): install it (Debian, Ubuntu: apt-get install python3 python3-venv)."
}

test_python_env_two_at_once() {
  stub_venv 'sleep 0.3'
  (python_env numpy) &

  await "[[ -s $box/calls ]]"
  in_box env "$box/checkout/Scripts/python-env" numpy
  wait
  [[ $status == 0 ]] || wrong "failed"
  expect_calls "venv,numpy"
}
