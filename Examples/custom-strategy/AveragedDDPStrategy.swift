import Stratagem
import Torch
import TorchDistributed
import TorchNN

/// `ddp` that wraps the module in a data-parallel wrapper of its own.
final class AveragedDDPStrategy: DDPStrategy {
  init(accelerator: Accelerator? = nil, precision: Precision? = nil) {
    super.init(accelerator: accelerator, precision: precision)
  }

  override func configureDDP() throws {
    guard let module, let group else { return }
    wrapper = AveragedDataParallel(module, group)
  }
}

/// Averages all gradients in one collective when backward is done, where `ddp` does it in buckets meanwhile.
final class AveragedDataParallel: DistributedDataParallel {
  private let parameters: [AnyParameter]

  init(_ module: AnyLightningModule, _ group: ProcessGroup) {
    parameters = module.parameters().filter(\.requiresGradient)
    super.init(module, group)
  }

  override func didRunBackward() throws {
    let gradients = parameters.compactMap(\.gradient)
    let flat = Tensor.cat(gradients.map { $0.flattened() })
    try group.allReduce(flat, by: .mean)
    var start = 0
    withoutGradients {
      for gradient in gradients {
        gradient.copy(from: flat.narrowed(dim: 0, start: start, length: gradient.count).reshaped(gradient.shape))
        start += gradient.count
      }
    }
  }
}
