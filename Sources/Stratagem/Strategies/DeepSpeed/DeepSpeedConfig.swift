internal import Glibc
internal import OrderedCollections
internal import Torch

/// A DeepSpeed configuration (a `ds_config`), read and checked.
///
/// ```swift
/// let config = try DeepSpeedConfig(file: "ds_config.json")
/// print(config)                     // as JSON, with the defaults of everything that was left out
/// ```
///
/// The names, types and defaults are those of DeepSpeed's
/// [configuration](https://www.deepspeed.ai/docs/config-json/). A name that DeepSpeed does not have is an error that says
/// what may have been meant; one without an effect here is listed in ``ignored``; what would change the numbers and is not
/// part of this library is an error. `"auto"` stands for the value that the trainer, the optimizer or DeepSpeed gives.
public struct DeepSpeedConfig: Sendable {
  /// Samples of an optimizer step over all ranks; nil when nothing was said.
  public let trainBatchSize: Int?
  /// Samples of a batch on each rank; nil when nothing was said.
  public let microBatchSize: Int?
  /// The largest norm of all gradients together; nil for no clipping.
  public let gradientClipping: Double?
  /// The type in which gradients cross the ranks; nil for that of the parameters.
  public let communicationType: Communication?
  public let zero: ZeroOptimization
  /// How the loss is scaled when float16 is enabled, here or in the trainer.
  public let lossScaling: LossScaling
  /// Whether float16 is enabled.
  public let float16: Bool
  /// Whether bfloat16 is enabled.
  public let bfloat16: Bool
  public let optimizer: DeepSpeedOptimizer?
  public let scheduler: DeepSpeedScheduler?
  public let asynchronousIO: AsynchronousIO
  public let activationCheckpointing: ActivationCheckpoints
  /// Names of members without an effect in this library, and why.
  public let ignored: [String]
  /// The configuration with the defaults of everything that was left out.
  public let json: JSONValue

  /// The type in which gradients are reduced.
  public enum Communication: String, Sendable, CaseIterable {
    case float16 = "fp16"
    case bfloat16 = "bf16"
    case float32 = "fp32"
  }

  /// How files are read and written when shards are kept on disk.
  public struct AsynchronousIO: Sendable, Hashable {
    /// Bytes of one request.
    public var blockSize = 1_048_576
    /// Requests under way at the same time.
    public var queueDepth = 8
    /// Threads.
    public var threadCount = 1
    /// Submit requests one by one instead of in batches.
    public var singleSubmit = false
    /// Submit requests while others are under way.
    public var overlapEvents = true
  }

  /// How activations are kept that ``ActivationCheckpointing`` does not compute again.
  public struct ActivationCheckpoints: Sendable, Hashable {
    /// Whether they are kept in the memory of the host.
    public var onCPU = false
  }

  /// Reads a file.
  ///
  /// - Throws: `ConfigurationError` when it cannot be read, with the line and column where it is no JSON, or with
  ///   everything that is wrong in it.
  public init(file path: String) throws(ConfigurationError) {
    try self.init(JSONValue(file: path), origin: "\(path): ")
  }

  /// Reads a value, such as a dictionary literal.
  public init(_ value: JSONValue) throws(ConfigurationError) {
    try self.init(value, origin: "")
  }

  init(_ value: JSONValue, origin: String) throws(ConfigurationError) {
    let report = DeepSpeedSection.Report(origin: origin)
    let top = DeepSpeedSection(value, report: report)
    trainBatchSize = top.optionalInteger("train_batch_size", atLeast: 1, auto: true)
    microBatchSize = top.optionalInteger("train_micro_batch_size_per_gpu", atLeast: 1, auto: true)
    if top.optionalInteger("gradient_accumulation_steps", atLeast: 1, auto: true) != nil {
      top.problem(
        "gradient_accumulation_steps", "'gradient_accumulation_steps' is an argument of the trainer",
        "remove it, and give the trainer accumulate: \(value["gradient_accumulation_steps"]?.shown ?? "1")")
    }
    let clipping = top.number("gradient_clipping", default: 0, auto: true)
    gradientClipping = clipping == 0 ? nil : clipping
    communicationType = top.communicationType()
    (lossScaling, float16) = top.section(orEmpty: "fp16") { $0.lossScaling() }
    bfloat16 = top.bfloat16()
    if float16, bfloat16 {
      top.problem("fp16", "'fp16' and 'bf16' are both enabled", "enable one of them")
    }
    zero = top.section(orEmpty: "zero_optimization") { ZeroOptimization($0) }
    optimizer = top.section("optimizer") { DeepSpeedOptimizer($0) } ?? nil
    scheduler = top.section("scheduler") { DeepSpeedScheduler($0) } ?? nil
    asynchronousIO = top.section(orEmpty: "aio") { $0.asynchronousIO() }
    activationCheckpointing = top.section("activation_checkpointing") { $0.activationCheckpoints() } ?? .init()
    top.knowOthers()
    top.finish()
    report.reportUnknown()
    top.checkCombinations(zero, optimizer)
    if let error = ConfigurationError(report.problems) { throw error }
    ignored = report.ignored.map { "\($0.name) (\($0.reason))" }
    json = .object(top.effective)
  }

  /// One sentence about what was ignored; nil when nothing was.
  var ignoredNote: String? { Self.note(of: ignored) }

  static func note(of ignored: [String]) -> String? {
    ignored.isEmpty ? nil : "without effect in the ds_config: " + ignored.joined(separator: ", ")
  }
}

extension DeepSpeedConfig: CustomStringConvertible {
  /// The configuration as JSON, with the defaults of everything that was left out.
  public var description: String { json.description }
}

extension JSONValue {
  /// Reads a JSON file.
  init(file path: String) throws(ConfigurationError) {
    let bytes: [UInt8]
    do {
      let file = try InputFile(path)
      bytes = try file.read(at: 0, count: file.byteCount)
    } catch {
      throw ConfigurationError(
        "config", "the ds_config cannot be read: \(error)",
        suggestion: "give the path of a JSON file, from \(Self.currentFolder)")
    }
    do throws(JSONParser.Failure) {
      self = try JSONParser.parse(String(decoding: bytes, as: UTF8.self))
    } catch {
      throw ConfigurationError("config", "\(path) is no JSON: \(error)")
    }
  }

  private static var currentFolder: String {
    guard let path = getcwd(nil, 0) else { return "the current folder" }
    defer { free(path) }
    return String(cString: path)
  }
}
