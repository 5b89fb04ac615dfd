import Foundation
import Testing
import Torch

@Suite struct TensorPrintingTests {
  @Test func everyReferenceCaseHasPyTorchsText() throws {
    let data = try Data(contentsOf: URL(fileURLWithPath: reference("printing.json")))
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    let cases = try decoder.decode(File.self, from: data).cases
    #expect(cases.count > 60)
    for entry in cases {
      let tensor = try entry.tensor()
      tensor.requiresGradient = entry.requiresGrad
      #expect(tensor.description == entry.text, "\(entry.name)")
    }
  }

  private struct File: Decodable { let cases: [Case] }

  private struct Case: Decodable {
    let name: String
    let dtype: String
    let shape: [Int]
    let values: [Value]?
    let arange: Int?
    let divisor: Int?
    let requiresGrad: Bool
    let text: String

    func tensor() throws -> Tensor {
      let dtype = try #require(DType.allCases.first { $0.description == self.dtype })
      if let values, dtype == .int64 { return Tensor(try values.map { try #require($0.int) }, shape: shape) }
      if let values { return Tensor(values.map(\.double), shape: shape).to(dtype) }
      let whole = Tensor.arange(try #require(arange), dtype: dtype)
      return (dtype.isFloatingPoint ? whole / Scalar(try #require(divisor)) : whole).reshaped(shape)
    }
  }

  /// A number with its sign and all its digits.
  private struct Value: Decodable {
    let int: Int?
    let double: Double

    init(from decoder: any Decoder) throws {
      let container = try decoder.singleValueContainer()
      int = try? container.decode(Int.self)
      if let flag = try? container.decode(Bool.self) {
        double = flag ? 1 : 0
      } else if let word = try? container.decode(String.self) {
        double = try #require(Double(word))
      } else {
        double = try container.decode(Double.self)
      }
    }
  }

  @Test func resultsNameTheirOperation() {
    let leaf = Tensor([1 as Float, 2.5])
    leaf.requiresGradient = true
    #expect((leaf + leaf).description == "tensor([2., 5.], grad_fn=<AddBackward0>)")
    #expect((leaf * 2).sum().description == "tensor(7., grad_fn=<SumBackward0>)")
    #expect(
      leaf.reshaped(2, 1).matmul(Tensor.ones([1, 2])).description
        == "tensor([[1.0000, 1.0000],\n        [2.5000, 2.5000]], grad_fn=<MmBackward0>)")
    let target = Tensor.zeros([3])
    target[0..<2] = leaf
    #expect(target.description == "tensor([1.0000, 2.5000, 0.0000], grad_fn=<CopySlices>)")
    #expect((leaf * 2).detached().description == "tensor([2., 5.])")
  }

  /// Where the words behind the numbers go to a line of their own.
  @Test func longLinesBreakBeforeTheirSuffix() {
    func text(_ count: Int, _ value: Double, gradient: Bool) -> String {
      let tensor = Tensor.full([count], Scalar(value), dtype: .float64)
      tensor.requiresGradient = gradient
      return tensor.description
    }
    #expect(
      text(6, 0.5, gradient: false) == "tensor([0.5000, 0.5000, 0.5000, 0.5000, 0.5000, 0.5000], dtype=torch.float64)")
    #expect(
      text(7, 0.5, gradient: false)
        == "tensor([0.5000, 0.5000, 0.5000, 0.5000, 0.5000, 0.5000, 0.5000],\n       dtype=torch.float64)")
    #expect(
      text(4, 10.5, gradient: true)
        == "tensor([10.5000, 10.5000, 10.5000, 10.5000], dtype=torch.float64,\n       requires_grad=True)")
    #expect(
      text(6, 10.5, gradient: true)
        == "tensor([10.5000, 10.5000, 10.5000, 10.5000, 10.5000, 10.5000],\n       dtype=torch.float64, requires_grad=True)"
    )
  }

  @Test func metaTensorsShowTheirShape() {
    #expect(Tensor.empty([3], device: .meta).description == "tensor(..., device='meta', size=(3,))")
    #expect(
      Tensor.empty([2, 3], dtype: .int64, device: .meta).description
        == "tensor(..., device='meta', size=(2, 3), dtype=torch.int64)")
  }

  @Test func printingViewsAndPoisonedTensors() throws {
    #expect(Tensor.arange(4).reshaped(2, 2).transposed.description == "tensor([[0, 2],\n        [1, 3]])")
    #expect(Tensor.ones([1]).expanded(to: [3]).description == "tensor([1., 1., 1.])")
    _ = failure {
      #expect((Tensor([1]) + Tensor([1, 2, 3])[5]).description == "tensor(<result of a failed operation>)")
    }
  }
}
