public import Torch

/// A number that can be logged: `Tensor` of one element, `Double`, `Float`, `Int`.
public protocol LoggableValue {
  /// The number, or nil when there is none; that is an error of the scope the call is in.
  func metricNumber(_ name: String) -> MetricNumber?
}

extension Double: LoggableValue {
  public func metricNumber(_ name: String) -> MetricNumber? { .double(self) }
}

extension Float: LoggableValue {
  public func metricNumber(_ name: String) -> MetricNumber? { .float(self) }
}

extension Int: LoggableValue {
  public func metricNumber(_ name: String) -> MetricNumber? { .double(Double(self)) }
}

extension MetricNumber: LoggableValue {
  public func metricNumber(_ name: String) -> MetricNumber? { self }
}

extension Tensor: LoggableValue {
  public func metricNumber(_ name: String) -> MetricNumber? {
    guard let number = try? scalar() else {
      if !isPoisoned {
        _ = Tensor.failed(
          operation: "log", message: "'\(name)' is not a single number; log its mean() or sum()",
          arguments: [("value", self)])
      }
      return nil
    }
    return dtype == .float32 ? .float(Float(number)) : .double(number)
  }
}
