internal import Stratagem
internal import Torch

/// A checkpoint for people.
struct CheckpointReport {
  private let file: CheckpointContents
  private let listsAll: Bool
  /// Columns of the terminal; nil for as many as are needed.
  private let width: Int?

  init(_ file: CheckpointContents, listsAll: Bool, width: Int?) {
    self.file = file
    self.listsAll = listsAll
    self.width = width
  }

  func text(isUTF8: Bool) -> String {
    var lines = [
      "\(file.path): \(file.isCheckpoint ? "checkpoint" : "tensors"), \(file.format), "
        + ByteText.of(file.byteCount)
    ]
    if let line = summary { lines.append(line) }
    section("hyper-parameters", pairs(file.hyperParameters), &lines)
    section("metadata", file.metadata.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }, &lines)
    section("callbacks", pairs(file.callbacks), &lines)
    section("optimizers", optimizerLines, &lines)
    section(
      "learning-rate schedules", file.schedulers.enumerated().map { ("\($0.offset)", brief($0.element)) }, &lines)
    section("other keys", file.otherKeys.map { ($0, brief(file.root[$0] ?? .none)) }, &lines)
    var text = lines.map { fitted($0) + "\n" }.joined()
    let listed = listsAll ? file.entries : file.weights
    text += "\n" + table(listed).text(width: width, isUTF8: isUTF8)
    text += totals(listed)
    return text
  }

  private var summary: String? {
    guard file.isCheckpoint else { return nil }
    var parts: [String] = []
    if let epoch = file.root["epoch"]?.intValue { parts.append("epoch \(epoch)") }
    if let step = file.root["global_step"]?.intValue { parts.append("step \(step)") }
    if file.root["stratagem"] != nil {
      let size = file.root["stratagem"]?["world_size"]?.intValue
      let processes = size.map { $0 == 1 ? " on 1 process" : " on \($0) processes" } ?? ""
      parts.append("written by Stratagem\(processes)")
    }
    if let version = file.root["pytorch-lightning_version"]?.stringValue {
      parts.append(file.root["stratagem"] == nil ? "written by Lightning \(version)" : "layout of Lightning \(version)")
    }
    return parts.isEmpty ? nil : parts.joined(separator: ", ")
  }

  private var optimizerLines: [(String, String)] {
    file.optimizers.enumerated().flatMap { position, optimizer in
      var lines: [(String, String)] = []
      let state =
        optimizer.stateTensors == 0
        ? "no state yet"
        : "\(optimizer.kind ?? "state of unknown kind"), \(optimizer.stateTensors) state tensors, "
          + ByteText.of(optimizer.stateBytes)
      lines.append(("\(position)", state))
      for (number, group) in optimizer.groups.enumerated() {
        let options = group.map { "\($0.key.text): \(brief($0.value))" }.joined(separator: ", ")
        lines.append(("  group \(number)", "\(optimizer.parameterCounts[number]) parameters, \(options)"))
      }
      return lines
    }
  }

  private func section(_ title: String, _ pairs: [(String, String)], _ lines: inout [String]) {
    guard !pairs.isEmpty else { return }
    let column = min(pairs.map(\.0.count).max() ?? 0, 40)
    lines += ["", title]
    for (name, value) in pairs {
      lines.append("  " + name + String(repeating: " ", count: max(0, column - name.count)) + "  " + value)
    }
  }

  private func pairs(_ dictionary: ArchiveDictionary) -> [(String, String)] {
    dictionary.map { ($0.key.text, brief($0.value)) }.sorted { NaturalOrder.isLess($0.0, $1.0) }
  }

  /// A value on one line.
  private func brief(_ value: ArchiveValue) -> String {
    switch value {
    case .string(let text): text
    case .tensor(let tensor): "tensor \(tensor.shape) \(tensor.dtype)"
    case .list(let values), .tuple(let values): "[" + values.map(brief).joined(separator: ", ") + "]"
    case .dictionary(let dictionary):
      "{" + dictionary.map { "\($0.key.text): \(brief($0.value))" }.joined(separator: ", ") + "}"
    default: value.description
    }
  }

  private func fitted(_ line: String) -> String {
    let clean = DisplayText.sanitized(line)
    return width.map { DisplayText.truncated(clean, to: $0, ellipsis: "...") } ?? clean
  }

  private func table(_ entries: [CheckpointContents.Entry]) -> TextTable {
    var table = TextTable([
      TextTable.Column("Tensor"), TextTable.Column("Shape"), TextTable.Column("Type"),
      TextTable.Column("Bytes", .right),
    ])
    for entry in entries {
      let shape = "[" + entry.tensor.shape.map(String.init).joined(separator: ", ") + "]"
      table.append([entry.path, shape, "\(entry.tensor.dtype)", ByteText.grouped(entry.tensor.byteCount)])
    }
    return table
  }

  private func totals(_ listed: [CheckpointContents.Entry]) -> String {
    func sum(_ entries: [CheckpointContents.Entry]) -> String {
      let elements = entries.reduce(0) { $0 + $1.tensor.count }
      let bytes = entries.reduce(0) { $0 + $1.tensor.byteCount }
      return "\(ByteText.grouped(entries.count)) tensors, \(ByteText.grouped(elements)) elements, \(ByteText.of(bytes))"
    }
    guard listed.count != file.entries.count else { return sum(listed) + "\n" }
    return "\(sum(listed)); with optimizer and other state \(sum(file.entries)) (--all lists them)\n"
  }
}
