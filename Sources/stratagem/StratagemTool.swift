internal import ArgumentParser
internal import Stratagem
internal import Torch

/// `stratagem`: starts runs, looks at machines and at checkpoints.
@main
struct StratagemTool: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "stratagem",
    abstract: "Starts distributed runs, checks machines for them, and shows and converts checkpoints.",
    subcommands: [
      LaunchCommand.self, DoctorCommand.self, InspectCommand.self, ConvertCommand.self, SelfTestCommand.self,
    ])

  static func main() {
    FileSizeLimit.makeErrors()
    main(TorchrunSpelling.normalized(Array(CommandLine.arguments.dropFirst())))
    do { try StandardOutput.check() } catch { exit(withError: error) }
  }
}
