import Foundation
import Testing
import Torch

@Suite("Configuration files of a program")
struct ConfigurationFileTests {
  private static let base = """
    seed: 5
    trainer:
      strategy: {name: ddp, bucketMegabytes: 1}
      devices: 2
      epochs: 1
      limitTrainBatches: 3
    data: {batchSize: 16}
    model: {hidden: 24}
    """

  @Test("A run from files; its config.yaml makes the same run again, and fits the other verbs")
  func run() throws {
    let folder = try TemporaryFolder()
    try folder.write(Self.base, to: "base.yaml")
    try folder.write("optimizer: {lr: 0.5}\ntrainer: {limitTrainBatches: 4}\n", to: "more.yaml")
    let files = ["--config", "\(folder.path)/base.yaml", "--config", "\(folder.path)/more.yaml"]
    let first = try ProgramRun(
      "digits", ["fit"] + files + ["--output", "\(folder.path)/one", "--json", "--optimizer.lr=0.25"]
    ).succeeded()
    #expect(first.errorLines.first?.hasPrefix("ddp on 2 processes") == true)
    #expect(try first.json()["steps"]?.number == 4)
    let saved = folder.text("one/config.yaml")
    #expect(saved.contains("  lr: 0.25  # --optimizer.lr\n"))
    #expect(saved.contains("  limitTrainBatches: 4  # \(folder.path)/more.yaml:2\n"))
    let weights = try CheckpointFile("\(folder.path)/one/last.ckpt")
    #expect(weights.contents["hyper_parameters"]?["hidden"]?.intValue == 24)
    #expect(weights.contents["hyper_parameters"]?["lr"]?.doubleValue == 0.25)

    let config = ["--config", "\(folder.path)/one/config.yaml"]
    let again = try ProgramRun("digits", ["fit", "--output", "\(folder.path)/two", "--json"] + config).succeeded()
    #expect(try again.json()["val/loss"] == first.json()["val/loss"])
    let evaluated = try ProgramRun(
      "digits", ["validate", "--weights", "\(folder.path)/one/last.ckpt", "--json"] + config
    ).succeeded()
    #expect(try evaluated.json()["samples"]?.number == 297)
  }

  @Test("Every rank sees what the first process read, even a file that can be read only once")
  func pipe() throws {
    let folder = try TemporaryFolder()
    try folder.write(Self.base, to: "base.yaml")
    // A named pipe whose only writer writes once.
    let run = try ProgramRun(
      "digits", ["fit", "--config", "\(folder.path)/pipe", "--output", "\(folder.path)/out", "--json"],
      shell: "mkfifo \(folder.path)/pipe; cat \(folder.path)/base.yaml > \(folder.path)/pipe & true"
    ).succeeded()
    #expect(try run.json()["steps"]?.number == 3)
  }

  @Test("The printed configuration is a configuration; nothing is started or written")
  func printed() throws {
    let folder = try TemporaryFolder()
    try folder.write(Self.base, to: "base.yaml")
    let arguments = ["fit", "--print-config", "--output", "\(folder.path)/out"]
    let first = try ProgramRun("digits", arguments + ["-c", "\(folder.path)/base.yaml"]).succeeded()
    #expect(first.errors == "")
    try folder.write(first.output, to: "printed.yaml")
    let second = try ProgramRun("digits", arguments + ["-c", "\(folder.path)/printed.yaml"]).succeeded()
    func withoutComments(_ text: String) -> [String] {
      text.split(separator: "\n").map { $0.prefix { $0 != "#" }.trimmingCharacters(in: .whitespaces) }
    }
    #expect(withoutComments(second.output) == withoutComments(first.output))
    #expect(folder.names() == ["base.yaml", "printed.yaml"])
  }

  @Test("Mistakes in files: the place, the status, and an untouched folder")
  func mistakes() throws {
    let folder = try TemporaryFolder()
    let file = "\(folder.path)/bad.yaml"
    func failure(_ text: String, _ arguments: String...) throws -> String {
      try folder.write(text, to: "bad.yaml")
      let run = try ProgramRun(
        "digits", ["fit", "--config", file, "--output", "\(folder.path)/out"] + arguments)
      #expect(run.status == 1)
      #expect(folder.names() == ["bad.yaml"])
      return run.errors
    }
    #expect(
      try failure("trainer:\n  devices: 1\n  epoch: 2\n").hasPrefix(
        "Error: \(file):3: no setting named 'trainer.epoch'; did you mean 'trainer.epochs'? known in trainer: epochs, ")
    )
    #expect(
      try failure("model: {hidden: wide}\n")
        == "Error: \(file):1: model.hidden is 'wide'; accepted: a whole number\n")
    #expect(try failure("model: {hidden: 0}\n") == "Error: model.hidden is 0; give 1 or more\n")
    #expect(
      try failure("trainer: [\n").hasPrefix("Error: \(file):2: this is not YAML: "))
    #expect(
      try failure("seed: x\ndata: {batchSize: 0}\n", "--optimizer.lr=no")
        == """
        Error: 3 problems in the configuration:
          1. \(file):1: seed is 'x'; accepted: a whole number from 0 to \(UInt64.max)
          2. --optimizer.lr is 'no'; accepted: a number
          3. \(file):2: data.batchSize is 0; give a whole number of 1 or more

        """)
    let missing = try ProgramRun("digits", ["fit", "--config", "/nonexistent.yaml"])
    #expect(missing.errors == "Error: --config /nonexistent.yaml: No such file or directory; name a YAML file\n")
  }

  @Test("Ranks that were started with different settings say so and train nothing")
  func different() throws {
    let folder = try TemporaryFolder()
    let script = """
      port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
      export MASTER_ADDR=127.0.0.1 MASTER_PORT=$port WORLD_SIZE=2 LOCAL_WORLD_SIZE=2 GROUP_RANK=0
      RANK=1 LOCAL_RANK=1 "$0" "$@" --lr 0.5 2> \(folder.path)/other &
      export RANK=0 LOCAL_RANK=0
      """
    let run = try ProgramRun(
      "digits", ["fit", "--strategy", "ddp", "--devices", "2", "--output", "\(folder.path)/out"], shell: script)
    #expect(run.status == 1)
    #expect(
      run.failure
        == "optimizer.lr is 0.1 on rank 0 and 0.5 on rank 1; start all processes with the same configuration")
    #expect(!folder.names(in: "out").contains("last.ckpt"))
  }
}
