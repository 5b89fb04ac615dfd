internal import CTorch
internal import Glibc

/// What the backward of a recorded operation is given.
package struct BackwardArguments {
  /// The gradient of each output; nil when it has no part in the loss.
  package let gradients: [Tensor?]
  /// The tensors that were saved; an error of the scope when one was changed in place since.
  package let saved: [Tensor]
  /// Which inputs need a gradient.
  package let isNeeded: [Bool]
}

extension Tensor {
  /// Makes `outputs` the results of an operation on `inputs` that has a backward of its own, as a subclass of PyTorch's
  /// `torch.autograd.Function` does.
  ///
  /// - Parameters:
  ///   - outputs: new tensors, computed from the inputs without recording; neither inputs nor views of others.
  ///   - saved: tensors that backward needs. Let `backward` capture no tensors: these are let go of with the graph, and a
  ///     change of one in place is noticed.
  ///   - backward: the gradients of the inputs, nil for none. What it throws, and what fails in it, makes the backward pass
  ///     fail. Runs on the thread that computes the gradients of its device.
  package static func record(
    _ name: String, outputs: [Tensor], of inputs: [Tensor], saving saved: [Tensor] = [],
    backward: @escaping (BackwardArguments) throws -> [Tensor?]
  ) {
    let closure = BackwardClosure(outputs.count, inputs.count, saved.count, backward)
    let outputHandles = handles(of: outputs)
    let inputHandles = handles(of: inputs)
    let savedHandles = handles(of: saved)
    let succeeded = ct_record_function(
      name, outputHandles, outputs.count, inputHandles, inputs.count, savedHandles, saved.count,
      { context, gradients, saved, isNeeded, results in
        // An empty list of saved tensors has no address.
        guard let context, let gradients, let isNeeded, let results else { return nil }
        return Unmanaged<BackwardClosure>.fromOpaque(context).takeUnretainedValue()
          .run(gradients, saved, isNeeded, results)
      }, Unmanaged.passRetained(closure).toOpaque(),
      { context in
        if let context { Unmanaged<BackwardClosure>.fromOpaque(context).release() }
      })
    withExtendedLifetime((outputs, inputs, saved)) {}
    if !succeeded { Failure(name).argument("inputs", inputs).record() }
  }
}

/// The backward of one recorded operation, called by libtorch.
private final class BackwardClosure {
  private let outputCount: Int
  private let inputCount: Int
  private let savedCount: Int
  private let body: (BackwardArguments) throws -> [Tensor?]

  init(
    _ outputCount: Int, _ inputCount: Int, _ savedCount: Int, _ body: @escaping (BackwardArguments) throws -> [Tensor?]
  ) {
    self.outputCount = outputCount
    self.inputCount = inputCount
    self.savedCount = savedCount
    self.body = body
  }

  /// Returns nil, or what went wrong.
  func run(
    _ gradients: UnsafePointer<OpaquePointer?>, _ saved: UnsafePointer<OpaquePointer?>?,
    _ isNeeded: UnsafePointer<Bool>, _ results: UnsafeMutablePointer<OpaquePointer?>
  ) -> UnsafeMutablePointer<CChar>? {
    let arguments = BackwardArguments(
      gradients: (0..<outputCount).map { gradients[$0].flatMap(Self.defined) },
      saved: (0..<savedCount).compactMap { saved?[$0].map { Tensor(borrowing: $0) } },
      isNeeded: (0..<inputCount).map { isNeeded[$0] })
    do {
      let answers = try withErrorScope { try body(arguments) }
      precondition(answers.count == inputCount, "\(answers.count) gradients for \(inputCount) inputs")
      for (index, answer) in answers.enumerated() where arguments.isNeeded[index] {
        results[index] = answer.flatMap { ct_tensor_retain($0.handle) }
      }
      withExtendedLifetime(answers) {}
      return nil
    } catch let error as TorchError {
      return strdup("\(error.operation): \(error.message)")
    } catch {
      return strdup("\(error)")
    }
  }

  private static func defined(_ handle: OpaquePointer) -> Tensor? {
    ct_tensor_is_defined(handle) ? Tensor(borrowing: handle) : nil
  }
}
