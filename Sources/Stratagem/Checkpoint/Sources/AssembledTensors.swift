internal import Torch

/// Tensors whose elements lie in several tensors of several files.
final class AssembledTensors {
  /// Elements that lie together in a tensor of a file.
  struct Segment {
    /// The first element of the whole tensor, numbered in row-major order, and how many there are.
    let start: Int
    let count: Int
    /// The tensor that holds them, and the first of its elements.
    let part: any TensorPart
    let offset: Int
  }

  private let path: String
  private var tensors: [ObjectIdentifier: (placeholder: Tensor, name: String, segments: [Segment])] = [:]

  init(path: String) { self.path = path }

  /// Adds a tensor.
  ///
  /// - Throws: ``CheckpointError`` when the segments do not make it up.
  func add(_ name: String, shape: [Int], dtype: DType, _ segments: [Segment]) throws -> Tensor {
    let placeholder = Tensor.empty(shape, dtype: dtype, device: .meta)
    let sorted = segments.filter { $0.count > 0 }.sorted { $0.start < $1.start }
    var next = 0
    for segment in sorted {
      guard segment.start == next else {
        throw CheckpointError(
          path: path,
          reason: "'\(name)' of shape \(shape) is not whole: elements \(next)..<\(segment.start) are in no file")
      }
      next += segment.count
    }
    guard next == placeholder.count else {
      throw CheckpointError(
        path: path,
        reason: "'\(name)' of shape \(shape) is not whole: its files hold \(next) of \(placeholder.count) elements")
    }
    tensors[ObjectIdentifier(placeholder)] = (placeholder, name, sorted)
    return placeholder
  }

  func holds(_ placeholder: Tensor) -> Bool { tensors[ObjectIdentifier(placeholder)] != nil }

  func read(_ requests: [TensorRequest]) throws {
    for request in requests {
      guard let (_, name, segments) = tensors[ObjectIdentifier(request.placeholder)] else {
        throw CheckpointError(path: path, reason: "a tensor is wanted that is not in it")
      }
      let size = request.placeholder.dtype.byteCount
      for segment in segments {
        let wanted = request.range.clamped(to: segment.start..<segment.start + segment.count)
        guard !wanted.isEmpty else { continue }
        let first = segment.offset + wanted.lowerBound - segment.start
        let place = (wanted.lowerBound - request.range.lowerBound) * size
        try request.target.withUnsafeMutableBytes { bytes in
          let part = UnsafeMutableRawBufferPointer(rebasing: bytes[place..<place + wanted.count * size])
          try segment.part.read(first..<first + wanted.count, of: name, request.placeholder.dtype, into: part)
        }
      }
    }
  }
}

/// A tensor that holds a part of another one.
protocol TensorPart {
  /// Reads some of its elements.
  ///
  /// - Parameters:
  ///   - name: the tensor that it is a part of, for errors.
  ///   - bytes: as many as the elements take.
  func read(_ range: Range<Int>, of name: String, _ dtype: DType, into bytes: UnsafeMutableRawBufferPointer) throws
}

/// A tensor of an archive, which may have to be opened first.
protocol ArchivedTensor: TensorPart {
  func open() throws -> (archive: TorchArchive, tensor: Tensor)
}

extension ArchivedTensor {
  func read(_ range: Range<Int>, of name: String, _ dtype: DType, into bytes: UnsafeMutableRawBufferPointer) throws {
    let (archive, tensor) = try open()
    guard tensor.dtype == dtype, range.upperBound <= tensor.count else {
      throw FileError(
        path: archive.path, reason: "holds \(tensor.dtype) of shape \(tensor.shape) where '\(name)' is expected")
    }
    try archive.read(tensor, range, into: bytes)
  }
}

/// A tensor of an archive that is open.
struct OpenArchivedTensor: ArchivedTensor {
  let archive: TorchArchive
  let tensor: Tensor

  func open() -> (archive: TorchArchive, tensor: Tensor) { (archive, tensor) }
}
