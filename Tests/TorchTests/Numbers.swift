import Testing
import Torch

/// The elements in row-major order as numbers, whatever their type.
func numbers(_ tensor: Tensor, sourceLocation: SourceLocation = #_sourceLocation) -> [Double] {
  do {
    return try tensor.to(.float64).array(as: Double.self)
  } catch {
    Issue.record("\(error)", sourceLocation: sourceLocation)
    return []
  }
}

/// Records an issue unless `tensor` has this shape and these elements.
func expect(
  _ tensor: Tensor?, _ shape: [Int], _ values: [Double], within tolerance: Double = 0,
  sourceLocation: SourceLocation = #_sourceLocation
) {
  guard let tensor else {
    Issue.record("there is no tensor", sourceLocation: sourceLocation)
    return
  }
  #expect(tensor.shape == shape, sourceLocation: sourceLocation)
  let found = numbers(tensor, sourceLocation: sourceLocation)
  #expect(found.count == values.count, sourceLocation: sourceLocation)
  for (index, (found, expected)) in zip(found, values).enumerated() {
    let agree = found == expected || found.isNaN && expected.isNaN || abs(found - expected) <= tolerance
    #expect(agree, "element \(index): \(found), not \(expected)", sourceLocation: sourceLocation)
  }
}

/// The error that the operations of `body` left; records an issue when there is none.
func failure(sourceLocation: SourceLocation = #_sourceLocation, _ body: () throws -> Void) -> TorchError? {
  do {
    try withErrorScope(body)
    Issue.record("nothing failed", sourceLocation: sourceLocation)
  } catch let error as TorchError {
    return error
  } catch {
    Issue.record("another error: \(error)", sourceLocation: sourceLocation)
  }
  return nil
}

/// A tensor of numbers drawn from `source`, float64 unless told otherwise.
func drawn(_ shape: [Int], from source: inout SeededGenerator, dtype: DType = .float64) -> Tensor {
  let values = (0..<shape.reduce(1, *)).map { _ in Double.random(in: -2...2, using: &source) }
  return Tensor(values, shape: shape).to(dtype)
}
