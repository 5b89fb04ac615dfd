import Foundation
import Testing

@Suite("Wrong configuration: one clear sentence before anything is started or written")
struct BadConfigurationTests {
  struct Case: Sendable, CustomTestStringConvertible {
    let flags: [String]
    let message: String

    var testDescription: String { flags.joined(separator: " ") }
  }

  private static let forms = #"write a number such as 2, a list such as [0, 2] or "0, 2", -1 for all, or "auto""#

  static let cases = [
    Case(
      flags: ["--strategy", "dpp"],
      message: "no strategy named 'dpp'; did you mean 'ddp'? known: ddp, "),
    Case(
      flags: ["--strategy", "model_parallel"],
      message: "strategy 'model_parallel' is known but not part of this version yet; available now: auto, bagua, ddp, "),
    Case(
      flags: ["--accelerator", "cpux"],
      message: "no accelerator named 'cpux'; did you mean 'cpu'? known: cpu, gpu, hpu, ipu, tpu, cuda, mps, auto"),
    Case(
      flags: ["--precision", "bf16-mixt"],
      message:
        "no precision named 'bf16-mixt'; did you mean 'bf16-mixed'? known: bf16-mixed, 16-mixed, bf16-true, bf16, "
        + "16-true, 16, 32-true, 64, 64-true, 32, transformer-engine, transformer-engine-float16"),
    Case(flags: ["--devices", "0"], message: #"devices: "0" asks for no device at all; "# + forms),
    Case(flags: ["--devices", "-2"], message: #"devices: "-2" asks for a negative number of devices; "# + forms),
    Case(flags: ["--devices", "1.5"], message: #"devices: "1.5" has '1.5' where a whole number belongs; "# + forms),
    Case(flags: ["--devices", "abc"], message: #"devices: "abc" has 'abc' where a whole number belongs; "# + forms),
    Case(
      flags: ["--strategy", "single_device", "--devices", "2"],
      message:
        #"strategy 'single_device' uses at most 1 device, but devices: "2" asks for 2; write strategy: "ddp" to "#
        + "use them all, or devices: 1"),
  ]

  @Test("The message, the status, and an untouched folder", arguments: cases)
  func message(wrong: Case) throws {
    let folder = try TemporaryFolder()
    let run = try ProgramRun("digits", ["fit", "--output", "\(folder.path)/run"] + wrong.flags)
    #expect(run.status == 1)
    let line = "Error: \(wrong.message)"
    // A list of names that ends the message may grow.
    #expect(wrong.message.hasSuffix(", ") ? run.errors.hasPrefix(line) : run.errors == line + "\n")
    #expect(run.errors.split(separator: "\n").count == 1)
    #expect(run.output == "")
    #expect(folder.names() == [])
  }

  @Test(
    "A GPU where there is none, or more of them than there are",
    arguments: [["--accelerator", "gpu"], ["--accelerator", "cuda", "--devices", "99"]])
  func gpu(flags: [String]) throws {
    let folder = try TemporaryFolder()
    let run = try ProgramRun("digits", ["fit", "--output", "\(folder.path)/run"] + flags)
    #expect(run.status == 1)
    let isAbsent = run.errors.contains("is not available") && run.errors.contains("available here: cpu (")
    #expect(isAbsent || run.errors.contains("asks for 99") || run.errors.contains("not part of this version"))
    #expect(run.errorLines.count == 1)
    #expect(folder.names() == [])
  }

  @Test("NCCL for processors, before any process is started")
  func nccl() throws {
    let folder = try TemporaryFolder()
    let flags = ["fit", "--output", "\(folder.path)/run", "--accelerator", "cpu", "--devices", "2"]
    let run = try ProgramRun("digits", flags, environment: ["PL_TORCH_DISTRIBUTED_BACKEND": "nccl"])
    #expect(run.status == 1)
    #expect(run.errors.hasPrefix("Error: PL_TORCH_DISTRIBUTED_BACKEND=nccl moves tensors of GPUs only, and "))
    #expect(run.errorLines.count == 1 && run.output == "")
    #expect(folder.names() == [])
  }

  @Test("Everything that is wrong is told at once")
  func several() throws {
    let run = try ProgramRun("digits", ["fit", "--strategy", "dpp", "--devices", "0", "--precision", "33"])
    #expect(run.status == 1)
    #expect(run.errorLines.first == "Error: 3 problems in the configuration:")
    #expect(run.errorLines.count == 4)
  }
}
