import Stratagem
import StratagemCLI
import Torch
import TorchData

/// Points in the plane and the corner of a triangle they were scattered around.
struct PointBatch: BatchConvertible {
  var points: Tensor  // [batch, 2] float32
  var corners: Tensor  // [batch] int64 in 0..<3

  func mapTensors(_ transform: (Tensor) -> Tensor) -> PointBatch {
    PointBatch(points: transform(points), corners: transform(corners))
  }
}

extension PointBatch {
  /// 600 points for training and 150 others, the same in every process.
  static func data(_ settings: DataSettings) -> DataModule<PointBatch> {
    let generator = Generator(seed: 7)
    let corners = Tensor((0..<750).map { Int64($0 % 3) })
    let centers = Tensor([Float](arrayLiteral: 0, 1, -1, -1, 1, -1), shape: [3, 2])
    let noise = Tensor.randn([750, 2], generator: generator)
    let points = centers.indexSelected(dim: 0, corners) + noise * 0.4
    let samples = TensorDataset(points, corners).map { PointBatch(points: $0[0], corners: $0[1]) }
    return LoaderDataModule(
      training: DataLoader(
        samples.subset(0..<600), batchSize: settings.batchSize, shuffle: settings.shuffle, seed: settings.seed),
      evaluation: DataLoader(samples.subset(600..<750), batchSize: settings.batchSize))
  }
}
