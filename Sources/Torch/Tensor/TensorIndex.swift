/// One position in the brackets of a tensor subscript.
public struct TensorIndex {
  enum Term {
    case element(Int)
    case slice(start: Int?, end: Int?, step: Int)
    case rest
    case insertion
    case gather(Tensor)
  }
  let term: Term

  /// The end of a slice through `last`; -1 is the last entry.
  static func end(after last: Int) -> Int? { last == -1 ? nil : last + 1 }
}

/// What may stand in the brackets of a tensor subscript: whole numbers, ranges, tensors, `.all`, `.ellipsis`, `.newAxis`.
public protocol TensorIndexing {
  var tensorIndex: TensorIndex { get }
}

extension TensorIndex: TensorIndexing {
  public var tensorIndex: TensorIndex { self }
}

extension TensorIndexing where Self == TensorIndex {
  /// The whole dimension.
  public static var all: TensorIndex { TensorIndex(term: .slice(start: nil, end: nil, step: 1)) }
  /// As many whole dimensions as are left.
  public static var ellipsis: TensorIndex { TensorIndex(term: .rest) }
  /// A new dimension of size one.
  public static var newAxis: TensorIndex { TensorIndex(term: .insertion) }
  /// Every `step`-th entry from `start` to before `end`.
  public static func stride(from start: Int? = nil, to end: Int? = nil, by step: Int) -> TensorIndex {
    TensorIndex(term: .slice(start: start, end: end, step: step))
  }
}

extension Int: TensorIndexing {
  public var tensorIndex: TensorIndex { TensorIndex(term: .element(self)) }
}

extension Range<Int>: TensorIndexing {
  public var tensorIndex: TensorIndex { TensorIndex(term: .slice(start: lowerBound, end: upperBound, step: 1)) }
}

extension ClosedRange<Int>: TensorIndexing {
  public var tensorIndex: TensorIndex {
    TensorIndex(term: .slice(start: lowerBound, end: TensorIndex.end(after: upperBound), step: 1))
  }
}

extension PartialRangeFrom<Int>: TensorIndexing {
  public var tensorIndex: TensorIndex { TensorIndex(term: .slice(start: lowerBound, end: nil, step: 1)) }
}

extension PartialRangeUpTo<Int>: TensorIndexing {
  public var tensorIndex: TensorIndex { TensorIndex(term: .slice(start: nil, end: upperBound, step: 1)) }
}

extension PartialRangeThrough<Int>: TensorIndexing {
  public var tensorIndex: TensorIndex {
    TensorIndex(term: .slice(start: nil, end: TensorIndex.end(after: upperBound), step: 1))
  }
}

extension Tensor: TensorIndexing {
  public var tensorIndex: TensorIndex { TensorIndex(term: .gather(self)) }
}
