import Foundation
import Testing

/// A run of a program to its end.
struct ProgramRun: Sendable {
  let output: String
  let errors: String
  /// The exit status, or 128 + signal.
  let status: Int

  /// Runs a program, and checks that no process of it is left.
  ///
  /// - Parameter act: what to do with the program while it runs.
  init(
    _ program: String, _ arguments: [String], environment: [String: String] = [:], shell: String? = nil,
    act: (StartedProgram) throws -> Void = { _ in }
  ) throws {
    let started = try StartedProgram(
      Repository.program(program), arguments, environment: environment, shell: shell)
    let acted = Result { try act(started) }
    if case .failure = acted { kill(started.pid, SIGKILL) }
    status = started.wait()
    let survivors = started.survivors()
    #expect(survivors.isEmpty, "processes outlived the run")
    for pid in survivors { kill(pid, SIGKILL) }
    output = started.output
    errors = started.errors
    try acted.get()
  }

  var outputLines: [String] { output.split(separator: "\n").map(String.init) }
  var errorLines: [String] { errors.split(separator: "\n").map(String.init) }

  /// What the program says went wrong: from the line that begins with `Error:` to the end.
  var failure: String {
    guard let first = errorLines.firstIndex(where: { $0.hasPrefix("Error: ") }) else { return "" }
    return errorLines[first...].joined(separator: "\n").replacingOccurrences(of: "Error: ", with: "")
  }

  /// Checks that the run succeeded.
  @discardableResult
  func succeeded(sourceLocation: SourceLocation = #_sourceLocation) throws -> ProgramRun {
    try #require(status == 0, "\(errors)", sourceLocation: sourceLocation)
    return self
  }

  /// The members of the line of JSON that a program prints.
  func json() throws -> [String: JSONMember] {
    try #require(outputLines.count == 1, "more than the JSON was printed: \(output)")
    return try JSONDecoder().decode([String: JSONMember].self, from: Data(output.utf8))
  }
}
