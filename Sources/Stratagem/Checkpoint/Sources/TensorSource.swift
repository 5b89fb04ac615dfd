package import Torch

/// Where the tensors of a checkpoint are read from, when they are not in memory: in the contents of the checkpoint stand
/// placeholders for them, tensors of their shape and type on the meta device.
package protocol TensorSource: AnyObject {
  /// The file or folder, for errors.
  var path: String { get }
  /// A word for the format.
  var format: String { get }
  /// The bytes of its files.
  var byteCount: Int { get }

  /// What else there is to tell about it.
  var facts: [(name: String, value: String)] { get }

  /// What of the state of training it does not give, and why; nil when it gives all that is in its files.
  var lackOfState: String? { get }

  /// Whether a tensor is one of its placeholders.
  func holds(_ placeholder: Tensor) -> Bool

  /// Reads elements, in the order in which they lie in the files.
  ///
  /// - Throws: when a file is missing or damaged; what was read must not be used then.
  func read(_ requests: [TensorRequest]) throws

  /// Reads all files, a piece at a time, and compares their checksums.
  func verify() throws

  /// Whether reading a part of a tensor compares the checksums of what is read.
  var comparesWhatIsRead: Bool { get }

  /// Compares one of `count` parts of the checksums that reading parts of tensors leaves out, so that all ranks together
  /// compare them all.
  func verify(part: Int, of count: Int) throws
}

/// Elements that are wanted of a tensor.
package struct TensorRequest {
  package let placeholder: Tensor
  /// Numbered in row-major order.
  package let range: Range<Int>
  /// Where they go: a contiguous tensor of `range.count` elements on the CPU, of the placeholder's type.
  package let target: Tensor

  package init(_ placeholder: Tensor, _ range: Range<Int>, into target: Tensor) {
    self.placeholder = placeholder
    self.range = range
    self.target = target
  }

  /// New memory for the elements.
  package init(_ placeholder: Tensor, _ range: Range<Int>) {
    self.init(placeholder, range, into: .empty([range.count], dtype: placeholder.dtype))
  }
}

extension TensorSource {
  package var facts: [(name: String, value: String)] { [] }

  package var lackOfState: String? { nil }

  package var comparesWhatIsRead: Bool { false }

  package func verify(part: Int, of count: Int) throws { if part == 0, !comparesWhatIsRead { try verify() } }

  /// The whole of a tensor.
  package func load(_ placeholder: Tensor) throws -> Tensor {
    let target = Tensor.empty(placeholder.shape, dtype: placeholder.dtype)
    try read([TensorRequest(placeholder, 0..<placeholder.count, into: target)])
    return target
  }
}
