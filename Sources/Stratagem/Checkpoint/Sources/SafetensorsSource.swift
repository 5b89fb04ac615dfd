internal import Torch

/// A safetensors file whose tensors are read when they are needed.
final class SafetensorsSource: TensorSource {
  let path: String
  let format = "safetensors"
  let byteCount: Int
  let state: StateDictionary
  private let file: InputFile
  private var offsets: [ObjectIdentifier: Int] = [:]

  init(_ path: String) throws {
    self.path = path
    file = try InputFile(path)
    byteCount = file.byteCount
    var state = StateDictionary()
    for place in try Safetensors.places(in: path) {
      let placeholder = Tensor.empty(place.shape, dtype: place.dtype, device: .meta)
      state[place.name] = placeholder
      offsets[ObjectIdentifier(placeholder)] = place.offset
    }
    self.state = state
  }

  func holds(_ placeholder: Tensor) -> Bool { offsets[ObjectIdentifier(placeholder)] != nil }

  func read(_ requests: [TensorRequest]) throws {
    for request in requests {
      guard let offset = offsets[ObjectIdentifier(request.placeholder)] else {
        throw FileError(path: path, reason: "does not hold a tensor that is wanted of it")
      }
      try request.target.withUnsafeMutableBytes {
        try file.read(at: offset + request.range.lowerBound * request.placeholder.dtype.byteCount, into: $0)
      }
    }
  }

  /// The format has no checksums.
  func verify() throws {}
}
