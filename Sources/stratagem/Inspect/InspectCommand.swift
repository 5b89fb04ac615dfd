internal import ArgumentParser
internal import Stratagem
internal import Torch

/// `stratagem inspect`: what is in a checkpoint.
struct InspectCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "inspect",
    abstract: "Show what is in a checkpoint (a file or a folder), a saved state_dict or a safetensors file.",
    discussion: """
      The numbers in tensors are not loaded, but the whole file is read once to compare its checksums; --no-verify \
      leaves that out.
      """)

  @Argument(
    help: ArgumentHelp(
      "A .ckpt, .pt or .safetensors file, or the folder of a sharded, distributed or DeepSpeed checkpoint.",
      valueName: "checkpoint"))
  var path: String

  @Option(
    help: ArgumentHelp(
      "Show the values and statistics of this tensor, such as fc1.weight.", valueName: "key"))
  var tensor: String?

  @Flag(help: "List the tensors of optimizers and everything else too, not only the weights.")
  var all = false

  @Flag(help: "Do not compare checksums.")
  var noVerify = false

  @Flag(help: "Print JSON.")
  var json = false

  func run() throws {
    let file = try CheckpointContents(path)
    if let tensor {
      let report = TensorReport(key: tensor, tensor: try file.load(tensor))
      return print(json ? try report.json.text() : try report.text, terminator: json ? "\n" : "")
    }
    if !noVerify { try file.verify() }
    if json { return print(CheckpointJSON(file, listsAll: all).tree.text()) }
    let terminal = Terminal(descriptor: 1)
    let report = CheckpointReport(file, listsAll: all, width: terminal.isTerminal ? Terminal.width(of: 1) : nil)
    print(report.text(isUTF8: terminal.isUTF8), terminator: "")
  }
}
