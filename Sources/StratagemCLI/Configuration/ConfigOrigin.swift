/// Where a value of a configuration was written.
enum ConfigOrigin: Hashable {
  /// In the program: a default.
  case program
  /// On a line of a file, counted from 1.
  case file(String, line: Int)
  /// On the command line, as the value of this flag.
  case flag(String)

  /// What a remark about the value begins with.
  var prefix: String {
    switch self {
    case .program: ""
    case .file(let path, let line): "\(path):\(line): "
    case .flag(let name): "\(name): "
    }
  }
}

extension ConfigOrigin: CustomStringConvertible {
  var description: String {
    switch self {
    case .program: "default"
    case .file(let path, let line): "\(path):\(line)"
    case .flag(let name): name
    }
  }
}
