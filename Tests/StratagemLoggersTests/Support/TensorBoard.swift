import Foundation
import Testing

/// The `tensorboard` package of Python, reading what we wrote.
enum TensorBoard {
  struct Histogram: Decodable {
    let minimum: Double, maximum: Double, count: Double, sum: Double, sumOfSquares: Double
    let limits: [Double], counts: [Double]
  }

  struct Report: Decodable {
    struct Scalar: Decodable {
      let step: Int
      let value: Double
      let time: Double

      init(from decoder: any Decoder) throws {
        var values = try decoder.unkeyedContainer()
        step = try values.decode(Int.self)
        value = try #require(Double(try values.decode(String.self)))
        time = try values.decode(Double.self)
      }
    }

    let scalars: [String: [Scalar]]
    let texts: [String: [String]]
    let histograms: [String: Histogram]
    let hyperParameters: [String: String]
    let status: Int?
  }

  /// The interpreter of an environment that has the package, or why there is none; made once.
  static let python: Result<String, Failure> = {
    do {
      let (status, output, errors) = try run("\(root)/Scripts/python-env", ["tensorboard==2.*"])
      let lines = (status == 0 ? output : errors).split(separator: "\n")
      let last = String(lines.last ?? "Scripts/python-env says nothing")
      return status == 0 ? .success(last) : .failure(Failure(description: last))
    } catch {
      return .failure(Failure(description: "\(error)"))
    }
  }()

  struct Failure: Error, CustomStringConvertible {
    let description: String
  }

  static var isAvailable: Bool { if case .success = python { true } else { false } }

  static var reason: Comment { if case .failure(let failure) = python { "\(failure)" } else { "" } }

  static func read(_ folder: String) throws -> Report {
    let script = "\(root)/Tests/StratagemLoggersTests/Support/read_events.py"
    let (status, output, errors) = try run(try python.get(), ["-B", script, folder])
    try #require(status == 0, "\(errors)")
    return try JSONDecoder().decode(Report.self, from: Data(output.utf8))
  }

  private static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent().path

  private static func run(_ program: String, _ arguments: [String]) throws -> (Int, String, String) {
    let folder = try LoggersFolder()
    try folder.write("", to: "errors")
    let process = Process()
    process.executableURL = URL(filePath: program)
    process.arguments = arguments
    let output = Pipe()
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = output
    process.standardError = try FileHandle(forWritingTo: URL(filePath: "\(folder.path)/errors"))
    try process.run()
    let data = output.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    return (Int(process.terminationStatus), String(decoding: data, as: UTF8.self), try folder.text("errors"))
  }
}
