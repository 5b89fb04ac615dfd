/// The compressing optimizers on all ranks of `Probe+Compression.swift` at once, in plain numbers from their formulas.
struct CompressionSimulation {
  /// What one rank has of one parameter.
  struct Parameter {
    var values: [Double]
    var average: [Double]
    var squares: [Double]
    var fresh: [Double]
    var way: [Double]
    var rates = 0.0

    init(_ count: Int) {
      values = Array(repeating: 0, count: count)
      average = values
      squares = values
      fresh = values
      way = values
    }
  }

  /// Errors of one compressed tensor.
  struct Errors {
    var worker: [[Double]]
    var server: [[Double]]

    init(ranks: Int, count: Int) {
      worker = Array(repeating: Array(repeating: 0, count: count), count: ranks)
      server = Array(repeating: Array(repeating: 0, count: count / ranks), count: ranks)
    }
  }

  let ranks: Int
  let rate = 0.05
  let first = 0.8
  let second = 0.95
  let epsilon = 1e-2
  let decay = 0.1
  var state: [[Parameter]]
  var errors: [Int: Errors] = [:]

  init(ranks: Int) {
    self.ranks = ranks
    state = Array(repeating: [Parameter(15), Parameter(10)], count: ranks)
  }

  private func norm(_ values: [Double]) -> Double { values.reduce(0) { $0 + $1 * $1 }.squareRoot() }
  private func sign(_ value: Double) -> Double { value >= 0 ? 1 : -1 }

  func gradient(_ rank: Int, _ parameter: Int, _ step: Int) -> [Double] {
    state[rank][parameter].values.enumerated().map { index, value in
      if parameter == 0, index == 4 { return 0 }
      let place = Double((index * 7 + rank * 5 + parameter * 3) % 11) / 5 - 1
      let noise = Double((index * 5 + rank * 3 + step * 7) % 13) / 13 - 0.5
      return value - place + noise
    }
  }

  func meanGradient(_ parameter: Int, _ step: Int) -> [Double] {
    let all = (0..<ranks).map { gradient($0, parameter, step) }
    return all[0].indices.map { index in all.reduce(0) { $0 + $1[index] } / Double(ranks) }
  }

  /// The compressed mean of a tensor that each rank has, the same on all of them.
  mutating func compressed(_ tensors: [[Double]], _ key: Int) -> [Double] {
    guard ranks > 1 else { return tensors[0] }
    var multiple = 8
    while multiple % ranks != 0 { multiple += 8 }
    multiple *= ranks
    let count = (tensors[0].count + multiple - 1) / multiple * multiple
    let chunk = count / ranks
    var errors = self.errors[key] ?? Errors(ranks: ranks, count: count)
    var sums = Array(repeating: Array(repeating: 0.0, count: chunk), count: ranks)
    for rank in 0..<ranks {
      let padded = tensors[rank] + Array(repeating: 0, count: count - tensors[rank].count)
      let input = zip(padded, errors.worker[rank]).map(+)
      let scale = norm(input) / Double(count).squareRoot()
      for index in 0..<count {
        let sent = scale * sign(input[index])
        errors.worker[rank][index] = input[index] - sent
        sums[index / chunk][index % chunk] += sent / Double(ranks)
      }
    }
    var result: [Double] = []
    for rank in 0..<ranks {
      let input = zip(sums[rank], errors.server[rank]).map(+)
      let scale = norm(input) / Double(chunk).squareRoot()
      for index in 0..<chunk {
        errors.server[rank][index] = input[index] - scale * sign(input[index])
        result.append(scale * sign(input[index]))
      }
    }
    self.errors[key] = errors
    return Array(result[..<tensors[0].count])
  }

  mutating func gather(_ rank: Int, _ parameter: Int, _ gradient: [Double]) {
    for (index, value) in gradient.enumerated() {
      state[rank][parameter].average[index] = first * state[rank][parameter].average[index] + (1 - first) * value
    }
  }

  mutating func gatherSquares(_ rank: Int, _ parameter: Int, _ gradient: [Double]) {
    for (index, value) in gradient.enumerated() {
      state[rank][parameter].squares[index] =
        second * state[rank][parameter].squares[index] + (1 - second) * value * value
    }
  }

  func masked(_ rank: Int, _ parameter: Int, _ values: [Double]) -> [Double] {
    zip(values, state[rank][parameter].squares).map { $1 > 0 ? $0 : 0 }
  }

  func update(_ rank: Int, _ parameter: Int) -> [Double] {
    let own = state[rank][parameter]
    return own.values.indices.map {
      own.average[$0] / (own.squares[$0].squareRoot() + epsilon) + decay * own.values[$0]
    }
  }

  mutating func move(_ rank: Int, _ parameter: Int, _ direction: [Double], by factor: Double) {
    for (index, value) in direction.enumerated() { state[rank][parameter].values[index] -= factor * value }
  }

  /// One step of 1-bit Adam.
  mutating func stepAdam(_ step: Int, freeze: Int) {
    for parameter in 0..<2 {
      let mean = meanGradient(parameter, step)
      if step <= freeze {
        for rank in 0..<ranks {
          gather(rank, parameter, mean)
          gatherSquares(rank, parameter, mean)
        }
      } else {
        for rank in 0..<ranks { gather(rank, parameter, gradient(rank, parameter, step)) }
        let common = compressed((0..<ranks).map { state[$0][parameter].average }, parameter)
        for rank in 0..<ranks { state[rank][parameter].average = masked(rank, parameter, common) }
      }
      for rank in 0..<ranks { move(rank, parameter, update(rank, parameter), by: rate) }
    }
  }

  /// One step of 1-bit LAMB; `knowledge` is (average ratio, last factor, size) of each parameter.
  mutating func stepLamb(_ step: Int, freeze: Int, _ knowledge: inout [(Double, Double, Double)]) {
    if step <= freeze {
      for parameter in 0..<2 {
        let mean = meanGradient(parameter, step)
        for rank in 0..<ranks {
          gather(rank, parameter, mean)
          gatherSquares(rank, parameter, mean)
          if step == freeze { state[rank][parameter].fresh = state[rank][parameter].squares }
        }
        let update = update(0, parameter)
        let norms = (norm(state[0][parameter].values), norm(update))
        let ratio = norms.0 == 0 || norms.1 == 0 ? 1 : min(max(norms.0 / norms.1, 0.01), 10)
        if ratio != 1 { knowledge[parameter].0 = 0.9 * knowledge[parameter].0 + 0.1 * ratio }
        for rank in 0..<ranks { move(rank, parameter, update, by: rate * ratio) }
      }
      return
    }
    if step == freeze + 1 {
      let sizes = (0..<2).map { norm(state[0][$0].average) / Double(state[0][$0].average.count).squareRoot() }
      for parameter in 0..<2 { knowledge[parameter].2 = (sizes[0] + sizes[1]) / 2 / sizes[parameter] }
    }
    let before = (0..<2).map { state[0][$0].average }
    var flat: [[Double]] = []
    for rank in 0..<ranks {
      var own: [Double] = []
      for parameter in 0..<2 {
        gather(rank, parameter, gradient(rank, parameter, step))
        own += state[rank][parameter].average.map { $0 * knowledge[parameter].2 }
      }
      flat.append(own)
    }
    let mean = compressed(flat, 0)
    for parameter in 0..<2 {
      let part = parameter == 0 ? mean[..<15] : mean[15...]
      for rank in 0..<ranks {
        state[rank][parameter].average = masked(rank, parameter, part.map { $0 / knowledge[parameter].2 })
        for index in before[parameter].indices {
          let revealed =
            (state[rank][parameter].average[index] - first * before[parameter][index]) / (1 - first)
          state[rank][parameter].fresh[index] =
            second * state[rank][parameter].fresh[index] + (1 - second) * revealed * revealed
        }
      }
      let own = state[0][parameter]
      let denominators = own.squares.map { $0.squareRoot() + epsilon }
      var factor = zip(denominators, own.fresh).map { $0 / ($1.squareRoot() + epsilon) }.max() ?? 1
      let update = update(0, parameter)
      let share = min(1, norm(zip(own.average, denominators).map { $0 / $1 }) / norm(update))
      factor = min(max(factor * share + 1 - share, 0.5), 4)
      let last = knowledge[parameter].1
      factor = min(max(factor, last * 0.9), last * 1.1)
      knowledge[parameter].1 = factor
      for rank in 0..<ranks { move(rank, parameter, update, by: rate * knowledge[parameter].0 * factor) }
    }
  }
}
