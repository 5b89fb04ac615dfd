import Stratagem
import Testing
import Torch

@Suite("Numbers in 8 bits")
struct MinMaxUInt8Tests {
  /// The formula, one number at a time.
  private func expected(_ chunk: [Float]) -> (levels: [UInt8], numbers: [Float]) {
    let (low, high) = (chunk.min()!, chunk.max()!)
    let scale = 255 / (high - low + 1e-7)
    let upper = (high * scale).rounded(.toNearestOrEven)
    let lower = upper - 255
    let levels = chunk.map { number in
      UInt8(min(max(min((number * scale).rounded(.toNearestOrEven), upper) - lower, 0), 255))
    }
    return (levels, levels.map { (Float($0) + lower) / scale })
  }

  private static let chunks: [[Float]] = {
    let numbers = (0..<97).map { Float($0) }
    var chunks: [[Float]] = []
    chunks.append((0..<97).map { Float(($0 * 7919 + 13) % 101) / 101 - 0.5 })
    chunks.append(numbers.map { $0 * $0 * 1e-9 })
    chunks.append(numbers.map { $0 == 40 ? 1e6 : -$0 })
    for constant: Float in [0, 1, -3.25e-4, 12345.678] { chunks.append(Array(repeating: constant, count: 97)) }
    // Padding behind small numbers of one sign.
    chunks.append(numbers.map { $0 < 90 ? 0.01 + $0 * 1e-5 : 0 })
    return chunks
  }()

  @Test("levels, header and numbers are those of the formula, chunk by chunk")
  func formula() throws {
    let input = Tensor(Self.chunks.flatMap { $0 }, shape: [Self.chunks.count, 97])
    let message = MinMaxUInt8.compress(input)
    #expect(message.shape == [Self.chunks.count, 105] && message.dtype == .uint8)
    let output = MinMaxUInt8.decompress(message)
    #expect(output.shape == input.shape && output.dtype == .float32)
    for (row, chunk) in Self.chunks.enumerated() {
      let bytes = try message[row].array(as: UInt8.self)
      let header = [chunk.min()!, chunk.max()!].flatMap { number in
        (0..<4).map { UInt8(truncatingIfNeeded: number.bitPattern >> (8 * $0)) }
      }
      #expect(Array(bytes.prefix(8)) == header)
      let (levels, numbers) = expected(chunk)
      #expect(Array(bytes.dropFirst(8)) == levels, "chunk \(row)")
      let found = try output[row].array(as: Float.self)
      #expect(found == numbers, "chunk \(row)")
      let (low, high) = (chunk.min()!, chunk.max()!)
      let slack = max(abs(low), abs(high)) * 1e-6
      for (number, other) in zip(chunk, found) {
        #expect(abs(number - other) <= (high - low) / 500 + slack, "chunk \(row): \(number) became \(other)")
      }
    }
  }

  @Test("equal numbers keep their value")
  func constant() throws {
    for value in [Float(0), 1, -1, 1e-30, 5e-8, 1e10, -7.5e-3] {
      let output = MinMaxUInt8.decompress(MinMaxUInt8.compress(Tensor([value, value, value], shape: [1, 3])))
      let found = try output.array(as: Float.self)
      #expect(found.allSatisfy { abs($0 - value) <= abs(value) * 1e-6 + 1e-9 }, "\(value) became \(found)")
    }
  }

  @Test("half precision goes through float32; what is not finite stays so")
  func others() throws {
    let half = Tensor(Self.chunks[0], shape: [1, 97]).to(.float16)
    let output = MinMaxUInt8.decompress(MinMaxUInt8.compress(half))
    #expect(try (output - half.to(.float32)).abs().max().scalar() < 1.0 / 500)
    for number in [Float.infinity, -.infinity, .nan] {
      let output = MinMaxUInt8.decompress(MinMaxUInt8.compress(Tensor([1, number, 2, 1, 1, 2], shape: [2, 3])))
      let found = try output.array(as: Float.self)
      #expect(found.prefix(3).allSatisfy { !$0.isFinite } && found.suffix(3).allSatisfy(\.isFinite), "\(found)")
    }
  }
}
