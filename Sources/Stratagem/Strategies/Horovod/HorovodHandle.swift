public import Torch
internal import TorchDistributed

/// A reduction under way.
public final class HorovodHandle {
  private let tensor: Tensor
  private let work: Work?
  private let group: ProcessGroup?
  private let name: String
  private let finish: (Tensor) -> Tensor
  private var result: Tensor?

  init(
    _ tensor: Tensor, _ work: Work? = nil, _ group: ProcessGroup? = nil, name: String = "",
    finish: @escaping (Tensor) -> Tensor = { $0 }
  ) {
    self.tensor = tensor
    self.work = work
    self.group = group
    self.name = name
    self.finish = finish
  }

  /// Whether the result is there.
  public var isCompleted: Bool { work?.isCompleted ?? true }

  /// Waits for the result.
  public func wait() throws -> Tensor {
    if let result { return result }
    if let work { try group?.activity.about("'\(name)'") { try work.wait() } }
    let made = withoutGradients { finish(tensor) }
    result = made
    return made
  }
}
