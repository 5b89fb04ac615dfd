/// What c10d's reducer says, with the names of parameters in place of their numbers and this library's words for what
/// to do.
struct ReducerMessage {
  /// Nil when the message is to be left as it is.
  let text: String?

  init(_ message: String, names: [String]) {
    text =
      ReducerMessage.unused(message, names: names) ?? ReducerMessage.differentShape(message, names: names)
      ?? ReducerMessage.differentCount(message)
  }

  private static func unused(_ message: String, names: [String]) -> String? {
    guard message.contains("Expected to have finished reduction") else { return nil }
    let indices = numbers(in: message, after: "indices which did not receive grad for rank")?.dropFirst() ?? []
    let unused = indices.filter(names.indices.contains).map { names[$0] }
    let which = unused.isEmpty ? "some parameters" : "\(unused.count) of \(names.count) parameters"
    let list = unused.isEmpty ? "" : ": " + unused.joined(separator: ", ")
    return """
      no gradient arrived for \(which) in the step before\(list); let each of them take part in the loss, freeze it, \
      or use .ddp(findUnusedParameters: true)
      """
  }

  private static func differentShape(_ message: String, names: [String]) -> String? {
    guard message.contains("appears not to match"), let index = numbers(in: message, after: "params[")?.first,
      names.indices.contains(index)
    else { return nil }
    let shape = numbers(in: message, after: "with sizes [") ?? []
    return """
      parameter '\(names[index])' has shape \(shape) here and another one on rank 0; all ranks must build the same module
      """
  }

  private static func differentCount(_ message: String) -> String? {
    guard message.contains("expects same model across all ranks"),
      let own = numbers(in: message, after: ", but Rank")?.dropFirst().first
    else { return nil }
    let others = numbers(in: message, after: "inconsistent")?.first.map { " and \($0) on rank 0" } ?? ""
    return "\(own) parameters require a gradient here\(others); all ranks must build and freeze the same module"
  }

  /// The whole numbers between `mark` and the end of its line or bracket.
  private static func numbers(in message: String, after mark: String) -> [Int]? {
    guard let found = message.firstRange(of: mark) else { return nil }
    let rest = message[found.upperBound...].prefix { $0 != "\n" && $0 != "]" }
    return rest.split { !$0.isNumber }.compactMap { Int($0) }
  }
}
