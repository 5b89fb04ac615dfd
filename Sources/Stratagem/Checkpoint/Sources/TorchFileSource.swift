internal import Torch

/// A file of `torch.save` whose tensors are read when they are needed, and only the elements of them that are needed.
final class TorchFileSource: TensorSource {
  let path: String
  let format = "torch.save"
  let byteCount: Int
  let value: ArchiveValue
  private let archive: TorchArchive

  init(_ path: String) throws {
    self.path = path
    let file = try InputFile(path)
    byteCount = file.byteCount
    archive = try TorchArchive(file)
    value = archive.value
  }

  func holds(_ placeholder: Tensor) -> Bool { archive.holds(placeholder) }

  func read(_ requests: [TensorRequest]) throws {
    for request in requests { try archive.read(request) }
  }

  func verify() throws { try archive.verify() }

  func verify(part: Int, of count: Int) throws { try archive.verify(part: part, of: count) }
}

extension TorchArchive {
  func read(_ request: TensorRequest) throws {
    try request.target.withUnsafeMutableBytes { try read(request.placeholder, request.range, into: $0) }
  }
}
