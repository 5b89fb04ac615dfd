/// The results of an evaluation as a table, one row per metric and one column per data loader.
///
/// ```
/// ┏━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━┓
/// ┃ Validate metric ┃ DataLoader 0 ┃
/// ┡━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━┩
/// │  val/accuracy   │  0.9225589   │
/// │    val/loss     │  0.25870287  │
/// └─────────────────┴──────────────┘
/// ```
public struct ResultTable: Sendable {
  /// The verb of the evaluation with a capital letter: `Validate`, `Test`.
  public var verb: String
  /// The metrics of each data loader.
  public var loaders: [[(name: String, value: MetricNumber)]]

  /// Makes a table of the metrics of several data loaders.
  public init(verb: String, loaders: [[(name: String, value: MetricNumber)]]) {
    self.verb = verb
    self.loaders = loaders
  }

  /// Makes a table of metrics whose names tell the loader by Lightning's suffix `/dataloader_idx_1`; a metric without
  /// such a suffix belongs to loader 0.
  public init(verb: String, metrics: [(name: String, value: MetricNumber)]) {
    let mark = "/dataloader_idx_"
    var loaders: [[(name: String, value: MetricNumber)]] = []
    for metric in metrics {
      var (name, index) = (metric.name, 0)
      if let slash = metric.name.lastIndex(of: "/"), metric.name[slash...].hasPrefix(mark),
        let number = Int(metric.name[slash...].dropFirst(mark.count)), (0..<1000).contains(number)
      {
        (name, index) = (String(metric.name[..<slash]), number)
      }
      while loaders.count <= index { loaders.append([]) }
      loaders[index].append((name, metric.value))
    }
    self.init(verb: verb, loaders: loaders)
  }

  /// Draws the table, metrics sorted by name; the values have the digits that restore them.
  public func text(width: Int? = nil, isUTF8: Bool = true) -> String {
    guard loaders.contains(where: { !$0.isEmpty }) else { return "" }
    var table = TextTable(
      [.init("\(verb) metric", .center)] + loaders.indices.map { .init("DataLoader \($0)", .center) })
    for name in Set(loaders.joined().map(\.name)).sorted() {
      table.append([name] + loaders.map { $0.last { $0.name == name }?.value.description ?? "" })
    }
    return table.text(width: width, isUTF8: isUTF8)
  }
}
