import CProcess
import Glibc

/// The environment variables of this process.
enum ProcessVariables {
  /// A snapshot of all variables, and of the two facts that some environments need beside them.
  static var current: [String: String] {
    var variables: [String: String] = [:]
    guard var entry = cp_environment() else { return variables }
    while let text = entry.pointee {
      let line = String(cString: text)
      if let separator = line.firstIndex(of: "=") {
        variables[String(line[..<separator])] = String(line[line.index(after: separator)...])
      }
      entry += 1
    }
    if MPIEnvironment.describes(variables) { variables[WorkerVariable.parent] = String(getppid()) }
    if LSFEnvironment.describes(variables), let path = variables[LSFEnvironment.rankFile] {
      variables[WorkerVariable.hosts] = lines(of: path)?.joined(separator: " ")
      variables[WorkerVariable.hostName] = hostName
    }
    return variables
  }

  private static func lines(of path: String) -> [String]? {
    guard let file = fopen(path, "r") else { return nil }
    defer { fclose(file) }
    var bytes = [UInt8](repeating: 0, count: 1 << 20)
    let count = fread(&bytes, 1, bytes.count, file)
    return String(decoding: bytes[..<count], as: UTF8.self).split(whereSeparator: \.isWhitespace).map(String.init)
  }

  private static var hostName: String? {
    var bytes = [CChar](repeating: 0, count: 256)
    guard gethostname(&bytes, bytes.count - 1) == 0 else { return nil }
    return String(decoding: bytes.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }
}
