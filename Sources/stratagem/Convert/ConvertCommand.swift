internal import ArgumentParser
internal import Foundation
internal import Stratagem

/// `stratagem convert`: a checkpoint in another form.
struct ConvertCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "convert",
    abstract: "Write a checkpoint in another form.",
    discussion: """
      Reads files of torch.save (.ckpt, .pt) and safetensors, sharded checkpoints, and the folders of PyTorch's \
      distributed checkpoints (.metadata with *.distcp) and of DeepSpeed (ZeRO stage 0 to 3). Tensors pass through memory \
      a piece at a time, into .ckpt files one at a time.
      """)

  @Argument(help: ArgumentHelp("The checkpoint to read: a file, a folder, or a path inside of one.", valueName: "in"))
  var input: String

  @Argument(help: ArgumentHelp("Where to write.", valueName: "out"))
  var output: String

  @Option(
    help: ArgumentHelp(
      "sharded, ckpt or safetensors (the weights alone); by the ending of <out> when left out.", valueName: "form"))
  var to: CheckpointConverter.Format?

  @Flag(help: "Leave out what is needed to go on training.")
  var weightsOnly = false

  @Flag(help: "Replace <out> when it exists.")
  var overwrite = false

  func run() throws {
    let format = to ?? CheckpointConverter.Format(path: output)
    if !overwrite, FileManager.default.fileExists(atPath: output) {
      throw ConfigurationError(
        "out", "\(output) exists already", suggestion: "choose another path, or give --overwrite")
    }
    try CheckpointConverter(input, weightsOnly: weightsOnly).write(to: output, as: format)
    let contents = try CheckpointContents(output)
    print("\(output): \(contents.format), \(contents.entries.count) tensors, \(ByteText.of(contents.byteCount))")
  }
}

extension CheckpointConverter.Format: ExpressibleByArgument {}
