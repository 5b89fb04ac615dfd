import CFloor
import Stratagem

/// The cost of adding two tensors of 4 numbers, from Swift and from C++.
enum Operator {
  static func measure(rounds: Int, iterations: Int = 20_000) -> Result {
    var result = Result()
    for (suffix, recording) in [("", false), ("_recorded", true)] {
      let left = Tensor.ones([4])
      let right = Tensor.ones([4])
      left.requiresGradient = recording
      var cxx: [Double] = []
      var aten: [Double] = []
      var plus: [Double] = []
      for round in 0...rounds {
        let a = floor_add(iterations, 4, recording ? 1 : 0)
        let b = Clock.seconds { for _ in 0..<iterations { _ = Aten.add(left, other: right) } } / Double(iterations)
        let c = Clock.seconds { for _ in 0..<iterations { _ = left + right } } / Double(iterations)
        if round == 0 { continue }
        cxx.append(a)
        aten.append(b)
        plus.append(c)
      }
      result.add("cxx_ns" + suffix, cxx.median * 1e9)
      result.add("aten_ns" + suffix, aten.median * 1e9)
      result.add("plus_ns" + suffix, plus.median * 1e9)
      result.add("aten_ratio" + suffix, zip(aten, cxx).map { $0 / $1 }.median)
      result.add("plus_ratio" + suffix, zip(plus, cxx).map { $0 / $1 }.median)
    }
    return result
  }
}
