internal import Torch

/// The pieces that placeholders, tensors on the meta device, stand for in a checkpoint that is about to be written.
final class TensorPieces {
  private var pieces: [ObjectIdentifier: (placeholder: Tensor, piece: TensorPiece)] = [:]

  /// A placeholder of the whole shape.
  func placeholder(for piece: TensorPiece) -> Tensor {
    let placeholder = Tensor.empty(piece.shape, dtype: piece.dtype, device: .meta)
    pieces[ObjectIdentifier(placeholder)] = (placeholder, piece)
    return placeholder
  }

  /// Lets a placeholder stand for other values of the same elements.
  func replace(_ placeholder: Tensor, by tensor: Tensor) {
    guard let piece = self[placeholder] else { return }
    pieces[ObjectIdentifier(placeholder)] = (
      placeholder,
      TensorPiece(shape: piece.shape, range: piece.range, tensor: tensor, isPrimary: piece.isPrimary)
    )
  }

  subscript(placeholder: Tensor) -> TensorPiece? { pieces[ObjectIdentifier(placeholder)]?.piece }
}
