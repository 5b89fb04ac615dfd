internal import Torch
internal import TorchNN

/// What the replicas of a model read in place of its parameters and buffers.
///
/// Replica 0 reads the module's own. The others read, of a parameter, a leaf on the same storage whose gradient is
/// their own (on another device: a copy, made anew when the parameter has changed), and of a buffer a copy that is made
/// anew for each step and whose changes are lost.
final class ReplicaTensors {
  /// One property of the module, and what it is in each replica.
  private final class Slot: @unchecked Sendable {
    let holder: TensorHolder
    let isBuffer: Bool
    /// Of replica 1, 2 and so on. Each thread touches its own place only.
    let tensors: UnsafeMutableBufferPointer<Tensor?>
    // What the tensors were made from.
    var source: Tensor?
    var storage: UInt = 0
    var isTrained = false
    /// Whether a replica on another device has a copy of the parameter.
    var hasCopies = false
    /// What the replicas were given of a parameter.
    var given: [Tensor] = []
    /// The parameter's version when it was copied to other devices.
    var version: Int64 = -1
    /// What the replicas have of a buffer.
    var copies: [Tensor] = []

    init(_ holder: TensorHolder, replicas: Int) {
      self.holder = holder
      isBuffer = holder is AnyBuffer
      tensors = .allocate(capacity: replicas - 1)
      tensors.initialize(repeating: nil)
    }

    deinit {
      tensors.deinitialize()
      tensors.deallocate()
    }

    /// Whether the property holds another tensor than the replicas were made for, or one that changed its ways.
    var isOutdated: Bool {
      guard let held = holder.held else { return source != nil }
      guard held === source, held.storageIdentifier == storage else { return true }
      if isBuffer { return false }
      return held.requiresGradient != isTrained || zip(tensors, given).contains { $0 !== $1 }
    }

    func read(_ holder: TensorHolder) -> Tensor {
      let index = Replica.currentIndex
      if index > 0, let tensor = tensors[index - 1] { return tensor }
      return holder.tensor
    }

    /// Keeps what a replica assigns to itself.
    func write(_ tensor: Tensor?) -> Bool {
      let index = Replica.currentIndex
      if index == 0 { return false }
      tensors[index - 1] = tensor
      return true
    }
  }

  private let slots: [Slot]
  /// Of replica 1, 2 and so on.
  private let devices: [Device]
  /// The parameters that are trained, each once.
  private var trained: [Tensor] = []
  private var collector = GradientCollector(targets: [], sources: [])
  /// For each number of replicas, the parameters that each of them sums.
  private var shares: [Int: [[Int]]] = [:]

  /// Lets the properties of `module` be read differently by the replicas until ``remove()`` is called.
  ///
  /// - Parameter devices: of replica 1, 2 and so on.
  init(_ module: Module, devices: [Device]) {
    self.devices = devices
    slots = module.tensorHolders().map { Slot($0, replicas: devices.count + 1) }
    for slot in slots {
      slot.holder.reader = { [slot] holder in slot.read(holder) }
      slot.holder.writer = { [slot] _, tensor in slot.write(tensor) }
    }
    rebuild()
  }

  /// Gives the properties back to the module.
  func remove() {
    for slot in slots {
      slot.holder.reader = nil
      slot.holder.writer = nil
    }
  }

  /// Call before each step, while no replica is at work.
  func prepare() {
    if slots.contains(where: \.isOutdated) { rebuild() }
    for slot in slots {
      if slot.isBuffer { refresh(slot) } else if slot.hasCopies { refreshParameter(slot) }
    }
  }

  /// Makes the tensors of all replicas, for parameters that were replaced, converted, frozen or thawed, or that a replica
  /// has assigned to itself.
  private func rebuild() {
    var aliases: [OpaquePointer: [Tensor]] = [:]
    trained = []
    var sources: [[Tensor]] = Array(repeating: [], count: devices.count)
    for slot in slots {
      let isSame = slot.source === slot.holder.held && slot.source?.storageIdentifier == slot.storage
      slot.source = slot.holder.held
      slot.copies = []
      slot.version = -1
      guard let tensor = slot.source else {
        slot.given = []
        for index in slot.tensors.indices { slot.tensors[index] = nil }
        continue
      }
      slot.storage = tensor.storageIdentifier
      slot.isTrained = tensor.requiresGradient
      if slot.isBuffer { continue }
      slot.hasCopies = devices.contains { $0 != tensor.device }
      slot.version = tensor.version
      // Parameters that share a tensor share its gradient.
      let made = aliases[tensor.handle] ?? replicas(of: tensor, slot, isSame: isSame)
      if aliases.updateValue(made, forKey: tensor.handle) == nil, slot.isTrained {
        trained.append(tensor)
        for index in made.indices { sources[index].append(made[index]) }
      }
      slot.given = made
      for index in made.indices { slot.tensors[index] = made[index] }
    }
    collector = GradientCollector(targets: trained, sources: sources.flatMap { $0 })
    shares = [:]
  }

  /// What the replicas read of a parameter. A graph under way keeps those it was made with, unless the numbers are others.
  private func replicas(of tensor: Tensor, _ slot: Slot, isSame: Bool) -> [Tensor] {
    devices.indices.map { index in
      if isSame, slot.given.indices.contains(index) {
        slot.given[index].requiresGradient = slot.isTrained
        return slot.given[index]
      }
      if devices[index] == tensor.device { return tensor.replicaAlias() }
      let copy = tensor.replicaCopy(on: devices[index])
      copy.requiresGradient = slot.isTrained
      return copy
    }
  }

  /// Copies a parameter that has changed to the other devices.
  private func refreshParameter(_ slot: Slot) {
    guard let source = slot.source, source.version != slot.version else { return }
    slot.version = source.version
    withoutGradients {
      for index in devices.indices where devices[index] != source.device {
        slot.tensors[index]?.copy(from: source)
      }
    }
  }

  /// Brings the copies of a buffer up to date: always, because running statistics change without a new version.
  private func refresh(_ slot: Slot) {
    guard let source = slot.source else { return }
    for index in slot.tensors.indices {
      if index >= slot.copies.count {
        slot.copies.append(source.replicaCopy(on: devices[index]))
      } else if slot.copies[index].shape != source.shape {
        slot.copies[index] = source.replicaCopy(on: devices[index])
      } else {
        withoutGradients { slot.copies[index].copy(from: source) }
      }
      slot.tensors[index] = slot.copies[index]
    }
  }

  /// The elements of all trained parameters.
  var trainedCount: Int { trained.reduce(0) { $0 + $1.count } }

  /// Adds the gradients of replicas 1..<`active` to the parameters' own, as far as they are the share of `member`.
  func collectGradients(of active: Int, member: Int, of members: Int) {
    guard active > 1 else { return }
    collector.collect(replicas: active - 1, positions: share(member, of: members))
  }

  /// Deals the parameters to `members` threads; call it before they start.
  func deal(to members: Int) {
    if shares[members] == nil { shares[members] = makeShares(members) }
  }

  private func share(_ member: Int, of members: Int) -> [Int] { shares[members]?[member] ?? [] }

  /// The largest parameter first, each to the one who has least to do.
  private func makeShares(_ members: Int) -> [[Int]] {
    var result: [[Int]] = Array(repeating: [], count: members)
    var load = Array(repeating: 0, count: members)
    for position in trained.indices.sorted(by: { (-trained[$0].count, $0) < (-trained[$1].count, $1) }) {
      let member = load.indices.min { (load[$0], $0) < (load[$1], $1) } ?? 0
      result[member].append(position)
      load[member] += trained[position].count
    }
    return result
  }
}
