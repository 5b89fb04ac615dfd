public import Torch

/// Collects the layers of a `Sequential`.
@resultBuilder
public enum SequentialBuilder {
  public typealias Layers = [Layer<Tensor, Tensor>]

  public static func buildExpression(_ layer: Layer<Tensor, Tensor>) -> Layers { [layer] }
  public static func buildExpression(_ layers: Layers) -> Layers { layers }
  public static func buildBlock(_ parts: Layers...) -> Layers { parts.flatMap { $0 } }
  public static func buildOptional(_ part: Layers?) -> Layers { part ?? [] }
  public static func buildEither(first part: Layers) -> Layers { part }
  public static func buildEither(second part: Layers) -> Layers { part }
  public static func buildArray(_ parts: [Layers]) -> Layers { parts.flatMap { $0 } }
  public static func buildLimitedAvailability(_ part: Layers) -> Layers { part }
}
