internal import Torch
internal import TorchNN

/// Communicates gradients in buckets while backward runs: a bucket is handed to the communicating thread as soon as its
/// last gradient is there, and the buckets before it are.
///
/// Buckets and their order follow from the order of the parameters, which is the same on all ranks. A parameter without a
/// gradient on this rank contributes zeros, and gets what the others make of it.
final class BaguaGradients {
  private let run: BaguaRun
  private let buckets: [BaguaBucket]
  private let communicate: (BaguaBucket) throws -> Void
  private var hooks: [GradientHook] = []
  private var isArmed = false
  /// How many gradients each bucket still waits for.
  private var missing: [Int]
  private var isReady: [[Bool]]
  /// The bucket to be handed over next.
  private var next = 0

  /// - Parameter communicate: replaces the vector of a bucket by its reduction; runs on the communicating thread.
  init(_ run: BaguaRun, alignment: Int = 1, _ communicate: @escaping (BaguaBucket) throws -> Void) {
    self.run = run
    self.communicate = communicate
    buckets = run.makeBuckets(of: run.parameters, alignment: alignment)
    missing = Array(repeating: 0, count: buckets.count)
    isReady = buckets.map { Array(repeating: false, count: $0.parameters.count) }
    for (number, bucket) in buckets.enumerated() {
      for (position, parameter) in bucket.parameters.enumerated() {
        hooks.append(
          parameter.tensor.onGradientAccumulated { [unowned self] _ in self.gradientIsReady(number, position) })
      }
    }
  }

  /// Takes the hooks off the parameters.
  func close() {
    isArmed = false
    for hook in hooks { hook.remove() }
    hooks = []
  }

  /// Call before a backward pass whose gradients are to cross the ranks.
  func arm() {
    next = 0
    for (number, bucket) in buckets.enumerated() {
      for position in isReady[number].indices { isReady[number][position] = false }
      missing[number] = bucket.parameters.count { $0.parameter.requiresGradient }
    }
    isArmed = true
  }

  /// Call after it: on return the gradients are reduced.
  func finish() throws {
    isArmed = false
    while next < buckets.count { submitNext() }
    try run.wait()
    for (number, bucket) in buckets.enumerated() {
      if run.flatten { adoptMissing(number) } else { copyBack(number) }
      bucket.release()
    }
  }

  private func gradientIsReady(_ number: Int, _ position: Int) {
    guard isArmed, !isReady[number][position] else { return }
    isReady[number][position] = true
    missing[number] -= 1
    if run.flatten { take(number, position) }
    while next < buckets.count, missing[next] == 0 { submitNext() }
  }

  /// Copies a gradient into its part of the vector, which takes the gradient's place.
  private func take(_ number: Int, _ position: Int) {
    let bucket = buckets[number]
    let tensor = bucket.parameters[position].tensor
    let view = bucket.views[position]
    guard let gradient = tensor.gradient else { return withoutGradients { view.zero() } }
    if gradient.storageIdentifier == view.storageIdentifier { return }
    withoutGradients { view.copy(from: gradient) }
    tensor.gradient = view
  }

  private func submitNext() {
    let number = next
    let bucket = buckets[number]
    next += 1
    if run.flatten {
      for position in bucket.parameters.indices where !isReady[number][position] { contribute(number, position) }
    } else {
      bucket.fill(from: bucket.parameters.map { $0.tensor.gradient ?? .zeros(like: $0.tensor.detached()) })
    }
    bucket.clearPadding()
    run.submit { [communicate] in try communicate(bucket) }
  }

  /// Puts what there is of a gradient that did not come into the vector: that of the micro-batches before, or zeros.
  private func contribute(_ number: Int, _ position: Int) {
    let view = buckets[number].views[position]
    guard let gradient = buckets[number].parameters[position].tensor.gradient else {
      return withoutGradients { view.zero() }
    }
    if gradient.storageIdentifier != view.storageIdentifier { withoutGradients { view.copy(from: gradient) } }
  }

  private func adoptMissing(_ number: Int) {
    let bucket = buckets[number]
    for (position, parameter) in bucket.parameters.enumerated()
    where !isReady[number][position] && parameter.parameter.requiresGradient {
      parameter.tensor.gradient = bucket.views[position]
    }
  }

  private func copyBack(_ number: Int) {
    let bucket = buckets[number]
    let trained = bucket.parameters.indices.filter { bucket.parameters[$0].parameter.requiresGradient }
    for position in trained where bucket.parameters[position].tensor.gradient == nil {
      let tensor = bucket.parameters[position].tensor
      tensor.gradient = .zeros(like: tensor.detached())
    }
    withoutGradients {
      Aten._foreach_copy_(
        trained.compactMap { bucket.parameters[$0].tensor.gradient }, src: trained.map { bucket.views[$0] })
    }
  }
}
