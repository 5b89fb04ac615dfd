import Testing
import Torch

@Suite struct DTypeTests {
  /// A value of each Swift type survives the way there and back.
  @Test func swiftTypesKeepTheirBits() throws {
    func check<Element: TensorElement & Equatable>(_ values: [Element], _ dtype: DType) throws {
      let tensor = Tensor(values)
      #expect(tensor.dtype == dtype)
      #expect(try tensor.array(as: Element.self) == values)
      #expect(tensor.byteCount == values.count * dtype.byteCount)
    }
    try check([Float.leastNonzeroMagnitude, -0.0, .greatestFiniteMagnitude, .infinity], .float32)
    try check([0.1, -1e300, .leastNonzeroMagnitude], .float64)
    try check([Int.max, Int.min, 0], .int64)
    try check([Int64.max, -1], .int64)
    try check([Int32.max, .min], .int32)
    try check([Int16.max, .min], .int16)
    try check([Int8.max, .min], .int8)
    try check([UInt8.max, 0], .uint8)
    try check([true, false, true], .bool)
    #expect(try Tensor([Double.nan]).array(as: Double.self)[0].isNaN)
  }

  @Test(arguments: DType.allCases.filter { $0 != .undefined })
  func everyTypeConverts(_ dtype: DType) throws {
    let tensor = Tensor([0.0, 1.0]).to(dtype)
    #expect(tensor.dtype == dtype)
    expect(tensor, [2], [0, 1])
    #expect(Tensor.zeros([2], dtype: dtype).dtype == dtype)
    #expect(Tensor.zeros([3], dtype: dtype).byteCount == 3 * dtype.byteCount)
    #expect(try Tensor(1, dtype: dtype).scalar() == 1)
    #expect(tensor.description.hasPrefix("tensor("))
  }

  @Test func convertingToTheOwnTypeIsFree() {
    let tensor = Tensor([1.0])
    #expect(tensor.to(.float64) === tensor)
    #expect(tensor.to(.cpu) === tensor)
    #expect(tensor.to(.float32) !== tensor)
  }

  @Test func roundingFollowsTheType() {
    expect(Tensor([0.1, 300.0, 1.0000001]).to(.bfloat16), [3], [0.10009765625, 300, 1])
    expect(Tensor([0.1, 70000.0]).to(.float16), [2], [0.0999755859375, .infinity])
    expect(Tensor([1.9, -1.9]).to(.int32), [2], [1, -1])
    expect(Tensor([0.5, 0.0, -3.0]).to(.bool), [3], [1, 0, 1])
    expect(Tensor([255, 256]).to(.uint8), [2], [255, 0])
  }

  @Test func operationsPromote() {
    let whole = Tensor([1, 2])
    let single = Tensor([0.5 as Float, 1.5])
    let double = Tensor([0.5, 1.5])
    #expect((whole + single).dtype == .float32)
    #expect((single + double).dtype == .float64)
    #expect((whole + 1).dtype == .int64)
    #expect((whole + 1.5).dtype == .float32)
    #expect((whole / 2).dtype == .float32)
    #expect((single + 1).dtype == .float32)
    #expect((single * 0.5).dtype == .float32)
    #expect((Tensor([true]) + Tensor([1])).dtype == .int64)
    #expect((single.to(.bfloat16) + single).dtype == .float32)
    #expect((single.to(.bfloat16) * 2).dtype == .bfloat16)
    #expect((whole .< 2).dtype == .bool)
    #expect(Tensor([true, true]).sum().dtype == .int64)
  }

  @Test func largeIntegersStayExact() throws {
    let big = 9_007_199_254_740_993  // 2^53 + 1, which a double cannot hold
    #expect(try Tensor([big]).integer() == big)
    #expect(try (Tensor([big]) + 1).integer() == big + 1)
    #expect(try Tensor([0]).maskedFill(Tensor([true]), Scalar(big)).integer() == big)
  }

  @Test func readingAnotherTypeIsAnError() throws {
    let tensor = Tensor([1, 2, 3])
    let line = #line + 1
    let error = failure { _ = try tensor.array(as: Float.self) }
    #expect(error?.operation == "array")
    #expect(error?.message == "the elements are int64, not float32; convert with `to(_:)` first")
    #expect(error?.arguments == ["self: [3] int64"])
    #expect(error?.location == "\(#filePath):\(line)")
  }

  @Test func onlyOneElementIsANumber() throws {
    #expect(try Tensor([4.5], shape: [1, 1]).scalar() == 4.5)
    #expect(try Tensor([true]).scalar() == 1)
    #expect(try Tensor([4.9]).integer() == 4)
    let error = #expect(throws: TorchError.self) { try Tensor([1.0, 2.0]).scalar() }
    #expect(error?.operation == "scalar")
    #expect(error?.arguments == ["self: [2] float64"])
    #expect(error?.message.contains("2 elements") == true)
    #expect(throws: TorchError.self) { try Tensor([Float]()).scalar() }
    #expect(throws: TorchError.self) { try Tensor([1, 2]).integer() }
  }
}
