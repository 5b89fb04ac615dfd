import Torch
import TorchDistributed

extension Probe {
  /// Ten steps with the reducer; the argument is the mode.
  func train() throws {
    let group = try group()
    let model = Model()
    var options = GradientReducer.Options()
    options.firstBucketByteCount = 100
    options.bucketByteCount = 300
    options.gradientAsBucketView = argument == "view"
    options.findUnusedParameters = argument.hasPrefix("skip")
    options.staticGraph = argument == "static"
    let reducer = try GradientReducer(parameters: model.parameters, group: group, options: options)
    say("buckets", [reducer.bucketCount])
    for step in 0..<10 {
      let halves = argument == "accumulate" ? 2 : 1
      for half in 0..<halves {
        let synchronizing = half == halves - 1
        if synchronizing { try reducer.prepareForForward() }
        let loss = model.loss(step: step, part: rank, of: size, half: half, of: halves, mode: argument)
        if synchronizing { try reducer.prepareForBackward(outputs: [loss]) }
        try withErrorScope { loss.backward() }
        if synchronizing { try reducer.finishBackward() }
      }
      say("has gradients", model.parameters.map { $0.tensor.gradient != nil })
      model.step()
    }
    for (name, tensor) in model.parameters { try say(name, tensor) }
  }

  /// The same ten steps in one process, for a run of `size` ranks.
  func trainAlone() throws {
    let model = Model()
    for step in 0..<10 {
      for part in 0..<size {
        let halves = argument == "accumulate" ? 2 : 1
        for half in 0..<halves {
          let loss = model.loss(step: step, part: part, of: size, half: half, of: halves, mode: argument)
          (loss / Scalar(size)).backward()
        }
      }
      model.step()
    }
    for (name, tensor) in model.parameters { try say(name, tensor) }
  }

  /// Steps without `findUnusedParameters` although `extra` takes no part.
  func trainWithUnusedParameter() throws {
    let group = try group(timeout: 5)
    let model = Model()
    let reducer = try GradientReducer(parameters: model.parameters, group: group)
    sayFailure("unused") {
      for step in 0..<3 {
        try reducer.prepareForForward()
        let loss = model.loss(step: step, part: rank, of: size, half: 0, of: 1, mode: argument)
        try reducer.prepareForBackward(outputs: [loss])
        try withErrorScope { loss.backward() }
        try reducer.finishBackward()
        model.step()
      }
    }
  }

  /// Ranks whose models differ in a shape or in their number of parameters.
  func trainDifferentModels() throws {
    let group = try group(timeout: 5)
    var parameters = Model().parameters
    if rank == 1 && argument == "shape" { parameters[2].tensor = Tensor.zeros([6, 7], dtype: .float64) }
    if rank == 1 && argument == "count" { parameters.removeLast() }
    for parameter in parameters { parameter.tensor.requiresGradient = true }
    sayFailure("different") { _ = try GradientReducer(parameters: parameters, group: group) }
  }
}

/// Three layers, of which the middle one, `extra`, may be left out.
struct Model {
  let parameters: [(name: String, tensor: Tensor)]

  init(_ parameters: [(name: String, tensor: Tensor)]) { self.parameters = parameters }

  init() {
    let generator = Generator(seed: 12)
    let shapes = [
      ("first.weight", [4, 6]), ("first.bias", [6]), ("extra.weight", [6, 6]), ("extra.bias", [6]),
      ("last.weight", [6, 2]), ("last.bias", [2]),
    ]
    parameters = shapes.map { name, shape in
      (name, Tensor.uniform(-0.5..<0.5, shape: shape, dtype: .float64, generator: generator))
    }
    for (_, tensor) in parameters { tensor.requiresGradient = true }
  }

  /// The mean loss of one part of the twelve rows of a step, or of half of it.
  func loss(step: Int, part: Int, of parts: Int, half: Int, of halves: Int, mode: String) -> Tensor {
    let generator = Generator(seed: UInt64(step))
    let rows = 12 / (parts * halves)
    let start = (part * halves + half) * rows
    let input = Tensor.randn([12, 4], dtype: .float64, generator: generator)[start..<(start + rows)]
    let target = Tensor.randn([12, 2], dtype: .float64, generator: generator)[start..<(start + rows)]
    var hidden = (input.matmul(parameters[0].tensor) + parameters[1].tensor).tanh()
    let isSkipped = mode == "skip-always" || mode == "skip-one" && part == 0 && step % 3 != 2
    if !isSkipped { hidden = (hidden.matmul(parameters[2].tensor) + parameters[3].tensor).tanh() }
    let output = hidden.matmul(parameters[4].tensor) + parameters[5].tensor
    return (output - target).square().mean() / Scalar(halves)
  }

  /// Plain gradient descent; clears the gradients.
  func step() {
    withoutGradients {
      for (_, tensor) in parameters {
        if let gradient = tensor.gradient { tensor.add(gradient, scaledBy: -0.1) }
        tensor.gradient = nil
      }
    }
  }
}
