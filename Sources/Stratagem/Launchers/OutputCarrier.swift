internal import Torch

/// How the result of a call travels to another process.
struct OutputCarrier<Output> {
  let encode: (Output) throws -> ArchiveValue
  let decode: (ArchiveValue) throws -> Output
}

extension OutputCarrier<Void> {
  static var nothing: Self { Self(encode: { .none }, decode: { _ in }) }
}

extension OutputCarrier<[String: Double]> {
  static var metrics: Self {
    Self(
      encode: { metrics in .dictionary(ArchiveDictionary(numbers: metrics)) },
      decode: { $0.dictionaryValue?.numbers ?? [:] })
  }
}

extension OutputCarrier<Tensor?> {
  static var predictions: Self {
    Self(encode: { $0.map { .tensor($0) } ?? .none }, decode: { $0.tensorValue })
  }
}

extension ArchiveDictionary {
  /// A dictionary of numbers, in the order of their names.
  init(numbers: [String: Double]) {
    self.init()
    for (name, value) in numbers.sorted(by: { $0.key < $1.key }) { self[name] = .double(value) }
  }

  /// The numbers under names.
  var numbers: [String: Double] {
    var numbers: [String: Double] = [:]
    for case (.string(let name), let value) in self { numbers[name] = value.doubleValue }
    return numbers
  }
}
